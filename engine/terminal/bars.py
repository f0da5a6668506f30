"""Draws progress bars for work that is measured in bytes."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..data import ProgressCallback


@contextlib.contextmanager
def byte_progress() -> Iterator[ProgressCallback | None]:
    """Gives a `ProgressCallback` that draws bars if stderr is a terminal; else None."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    console = Console(file=sys.stderr)  # kept, because a library may be silenced by putting another stream in its place
    with Progress(*columns, console=console, transient=True) as progress_bars:
        tasks = {}

        def report(what: str, done_bytes: int, total_bytes: int) -> None:
            if what not in tasks:
                tasks[what] = progress_bars.add_task(what, total=None)
            progress_bars.update(tasks[what], completed=done_bytes, total=total_bytes or None)

        yield report

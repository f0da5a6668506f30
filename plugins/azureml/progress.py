"""Reports what a submission is doing: a line for each step, and the bytes of an upload."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator

from ...engine.backend import Reporter
from ...engine.data import ProgressCallback
from ...engine.terminal.bars import byte_progress
from ...engine.terminal.text import megabytes

PERIOD_S = 30.0
"""The time between two lines about the same thing, in seconds."""


def ignore(line: str) -> None:
    """Drops a line: the reporter for those who want none."""


class StderrReporter:
    """A reporter that writes to the stderr of now, which is replaced while the SDK is silenced."""

    def __init__(self) -> None:
        self._stream = sys.stderr

    def __call__(self, line: str) -> None:
        """Writes a line."""
        self._stream.write(f"azureml: {line}\n")
        self._stream.flush()


@contextlib.contextmanager
def bytes_reported(report: Reporter) -> Iterator[ProgressCallback]:
    """Gives a callback that reports how many bytes are done: in lines, or as a bar if they would go to a terminal."""
    with byte_progress() if isinstance(report, StderrReporter) else contextlib.nullcontext() as bars:
        yield bars or in_lines(report)


def in_lines(report: Reporter, clock: Callable[[], float] = time.monotonic) -> ProgressCallback:
    """Makes a callback that reports a line at most every half minute.

    Args:
        report: Takes the lines.
        clock: Returns the time in seconds.
    """
    last = clock()

    def progress(what: str, done_bytes: int, total_bytes: int) -> None:
        nonlocal last
        if clock() - last >= PERIOD_S:
            last = clock()
            report(f"{what}: {megabytes(done_bytes)}" + (f" of {megabytes(total_bytes)}" if total_bytes else ""))

    return progress

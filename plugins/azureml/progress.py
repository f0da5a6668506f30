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


def stderr_reporter() -> Reporter:
    """Makes a reporter that writes to the stderr of now, which is replaced while the SDK is silenced."""
    stream = sys.stderr

    def report(line: str) -> None:
        stream.write(f"azureml: {line}\n")
        stream.flush()

    return report


@contextlib.contextmanager
def bytes_reported(report: Reporter) -> Iterator[ProgressCallback]:
    """Gives a callback that shows how many bytes are done: as a bar if stderr is a terminal, else in lines."""
    with byte_progress() as bars:
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
            report(f"{what}: {megabytes(done_bytes)} of {megabytes(total_bytes)}")

    return progress

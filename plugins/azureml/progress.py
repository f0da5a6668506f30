"""What a submission tells the user while it goes on: lines, and of an upload how much of it is there."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator

from ...engine.data import ProgressCallback
from ...engine.terminal.bars import byte_progress

Reporter = Callable[[str], object]
"""Tells the user what is going on, in a line."""

PERIOD_S = 30.0
"""Between two lines about the same thing."""


def to_stderr() -> Reporter:
    """Writes to the stderr of now, for the calls of the SDK are kept quiet by another one in its place."""
    stream = sys.stderr

    def say(line: str) -> None:
        stream.write(f"azureml: {line}\n")
        stream.flush()

    return say


@contextlib.contextmanager
def bytes_told(say: Reporter) -> Iterator[ProgressCallback]:
    """Gives what an upload reports to: a bar if stderr is a terminal, elsewhere a line now and then."""
    with byte_progress() as bars:
        yield bars or lines(say)


def lines(say: Reporter, clock: Callable[[], float] = time.monotonic) -> ProgressCallback:
    """Says how many bytes are there, but no more often than each half minute.

    Args:
        say: Told that.
        clock: Tells the time in seconds.
    """
    said = clock()

    def report(what: str, done_bytes: int, total_bytes: int) -> None:
        nonlocal said
        if clock() - said >= PERIOD_S:
            said = clock()
            say(f"{what}: {done_bytes / 1e6:,.1f} of {megabytes(total_bytes)}")

    return report


def megabytes(size_bytes: int) -> str:
    """A size for people: "11.6 MB", and "0.01 MB" of a small one."""
    return f"{size_bytes / 1e6:,.{1 if size_bytes >= 10**6 else 2}f} MB"

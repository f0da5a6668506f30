"""The end of a terminal and a request to end, SIGHUP and SIGTERM: they end a command as Ctrl-C does, in good order."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_NUMBERS = (signal.SIGTERM, signal.SIGHUP)


@contextmanager
def interrupted_by_signals() -> Iterator[None]:
    """Raises KeyboardInterrupt in the body at the first SIGTERM or SIGHUP, so that it can delete what it has made.

    More of them are ignored from then on: a shell that ends sends SIGHUP to what the terminal has sent it to already.
    A signal that this process ignores, as under `nohup`, stays ignored.
    """

    def interrupt(number: int, frame: FrameType | None) -> None:
        for each in before:
            signal.signal(each, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = {number: signal.getsignal(number) for number in _NUMBERS if signal.getsignal(number) != signal.SIG_IGN}
    for number in before:
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

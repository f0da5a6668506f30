"""The request to end a training early."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Stopped(Exception):  # noqa: N818 - it reports no error
    """The training was asked to stop; everything before the epoch in progress is on the disk."""


def check_stop(stop: threading.Event) -> None:
    """Ends the training if it was asked to.

    Raises:
        Stopped: `stop` is set.
    """
    if stop.is_set():
        raise Stopped


@contextlib.contextmanager
def stop_at_once(stop: threading.Event) -> Iterator[None]:
    """Lets a signal end the body wherever it is, once the signal's own handler has set `stop`.

    Use it for long steps that don't check `stop` themselves: importing TensorFlow, reading data, building the user's
    model. The body may end at any point, so whatever it writes must appear whole or not at all.

    Raises:
        Stopped: `stop` is set.
    """

    def end(number: int, frame: FrameType | None) -> None:
        handler = before[signal.Signals(number)]
        if callable(handler):
            handler(number, frame)
        check_stop(stop)

    check_stop(stop)
    here = threading.current_thread() is threading.main_thread()  # the only one that has handlers
    before = {number: signal.signal(number, end) for number in _SIGNALS} if here else {}
    try:
        yield
    except Exception:
        check_stop(stop)  # an import that was cut short may report anything
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
    check_stop(stop)

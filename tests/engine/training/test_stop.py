"""A request to end is heard in the middle of an import, and nowhere else changes what a signal does."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator

import pytest

from stoker.engine.training.stop import Stopped, check_stop, stop_at_once


@pytest.fixture
def stop() -> Iterator[threading.Event]:
    """An event that SIGTERM sets."""
    event = threading.Event()
    before = signal.signal(signal.SIGTERM, lambda *_: event.set())
    yield event
    signal.signal(signal.SIGTERM, before)


def ask() -> None:
    """Asks to end, in the middle of something long."""
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(60)


def test_a_signal_ends_what_runs(stop: threading.Event):
    with pytest.raises(Stopped), stop_at_once(stop):
        ask()


def test_what_an_import_that_was_cut_short_reports_is_not_believed(stop: threading.Event):
    def report() -> None:
        try:
            ask()
        except Stopped as error:
            raise ImportError("partially initialized module") from error

    with pytest.raises(Stopped), stop_at_once(stop):
        report()


def test_a_request_that_was_swallowed_is_heard_at_the_end(stop: threading.Event):
    def swallow() -> None:
        with contextlib.suppress(Stopped):
            ask()

    with pytest.raises(Stopped), stop_at_once(stop):
        swallow()


def test_a_request_from_before_is_heard_at_the_beginning(stop: threading.Event):
    stop.set()
    with pytest.raises(Stopped), stop_at_once(stop):
        pytest.fail("the body ran")


def test_another_error_comes_out(stop: threading.Event):
    with pytest.raises(ImportError), stop_at_once(stop):
        raise ImportError("no module named keras")


def test_afterwards_a_signal_does_what_it_did(stop: threading.Event):
    with stop_at_once(stop):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    with pytest.raises(Stopped):
        check_stop(stop)


def test_another_thread_than_the_main_one_has_no_handlers(stop: threading.Event):
    seen: list[str] = []

    def body() -> None:
        with stop_at_once(stop):
            seen.append("ran")

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    assert seen == ["ran"]


def test_an_ignored_signal_stays_ignored(stop: threading.Event):
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with stop_at_once(stop):
            os.kill(os.getpid(), signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)

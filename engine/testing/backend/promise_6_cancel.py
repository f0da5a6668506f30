"""Promise 6: cancel is idempotent, confirms by reading back, and leaves a finished run as it is."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from ...status import RunState
from . import payloads
from .case import BackendCase, Place


class Cancelling(BackendCase):
    """The end of a run, asked for."""

    def test_promise_6_a_running_run_is_cancelled_when_cancel_returns(self, place: Place) -> None:
        one = self.running(place)
        with self.able("cancel"):
            self.make_backend().cancel(one.handle)
            assert self.make_backend().status(one.handle).state is RunState.CANCELLED

    def test_promise_6_cancelling_twice_is_the_same_as_once(self, place: Place) -> None:
        one = self.running(place)
        with self.able("cancel"):
            self.make_backend().cancel(one.handle)
            before = self.make_backend().status(one.handle)
            self.make_backend().cancel(one.handle)
            assert self.make_backend().status(one.handle) == before

    def test_promise_6_a_cancelled_run_stays_cancelled(self, place: Place) -> None:
        one = self.running(place)
        with self.able("cancel"):
            self.make_backend().cancel(one.handle)
            for _ in range(10):
                assert self.make_backend().status(one.handle).state is RunState.CANCELLED
                time.sleep(0.03)

    def test_promise_6_a_run_is_cancelled_right_after_it_was_submitted(self, place: Place) -> None:
        one = self.submit(place, "wait")
        with self.able("cancel"):
            self.make_backend().cancel(one.handle)
            assert self.make_backend().status(one.handle).state is RunState.CANCELLED

    @pytest.mark.parametrize(("payload", "state"), [("succeed", RunState.COMPLETED), ("fail", RunState.FAILED)])
    def test_promise_6_a_run_that_has_ended_stays_as_it_is(self, place: Place, payload: str, state: RunState) -> None:
        one = self.submit(place, payload)
        before = self.wait(one.handle)
        log = self.log(one.handle)
        with self.able("cancel"):
            self.make_backend().cancel(one.handle)
            assert self.make_backend().status(one.handle) == before
            assert before.state is state
            assert self.log(one.handle) == log

    def test_promise_6_the_log_of_a_cancelled_run_stays_readable(self, place: Place) -> None:
        one = self.running(place)
        before = self.log_with(one.handle, payloads.STARTED)
        with self.able("cancel"):
            self.make_backend().cancel(one.handle)
            log = self.log(one.handle, follow=True)
            assert log[: len(before)] == before
            time.sleep(0.2)
            assert self.log(one.handle) == log, "the job continues"

    def test_promise_6_a_cancelled_run_does_not_complete(self, place: Place) -> None:
        one = self.submit(place, "write", payload_lines=10)
        with self.able("cancel"):
            self.make_backend().cancel(one.handle)
            state = self.make_backend().status(one.handle).state
            assert state in {RunState.CANCELLED, RunState.COMPLETED}, "it may have completed before it was cancelled"
            time.sleep(0.4)
            assert self.make_backend().status(one.handle).state is state

    def test_promise_6_cancelling_a_run_that_never_was_is_nothing_or_refused(self, place: Place) -> None:
        handle = self.ended(place, "succeed").handle
        unknown = replace(handle, reference=f"{handle.reference}-not")
        for _ in range(2):
            self.may_be_refused("cancel", lambda: self.make_backend().cancel(unknown))

    def test_promise_6_a_handle_of_another_backend_ends_nothing(self, place: Place) -> None:
        one = self.running(place)
        foreign = replace(one.handle, backend="elsewhere")
        self.may_be_refused("cancel", lambda: self.make_backend().cancel(foreign))
        assert self.make_backend().status(one.handle).state is RunState.RUNNING

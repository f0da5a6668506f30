"""Promise 4: states only move forward; back to QUEUED only for a preemption, and then the attempt grows."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest

from ...status import Handle, RunState, RunStatus
from . import payloads
from .case import BackendCase, Place

_ORDER = list(RunState)
_ENDS = {state for state in RunState if state.ended}


class Life(BackendCase):
    """From submit to the end, and what a status reports on the way."""

    failure = payloads.FAILURE
    """What the message of a run of the payload `fail` contains."""

    @pytest.mark.parametrize(
        ("payload", "end"),
        [("succeed", RunState.COMPLETED), ("fail", RunState.FAILED), ("write", RunState.COMPLETED)],
    )
    def test_promise_4_states_only_move_forward(self, place: Place, payload: str, end: RunState) -> None:
        one = self.submit(place, payload, **({"payload_lines": 15} if payload == "write" else {}))
        seen = self.watch(one.handle)
        expect_forward(seen)
        assert seen[-1].state is end

    def test_promise_4_an_end_is_the_end(self, place: Place) -> None:
        one = self.submit(place, "succeed")
        last = self.wait(one.handle)
        for _ in range(10):
            assert self.make_backend().status(one.handle) == last
            time.sleep(0.02)

    def test_promise_4_a_run_that_has_not_ended_is_running(self, place: Place) -> None:
        one = self.running(place)
        states = {self.make_backend().status(one.handle).state for _ in range(5)}
        assert states == {RunState.RUNNING}

    def test_promise_4_a_completed_run_has_no_message(self, place: Place) -> None:
        status = self.wait(self.ended(place, "succeed").handle)
        assert (status.state, status.attempt) == (RunState.COMPLETED, 1)

    def test_promise_4_a_failed_run_says_why(self, place: Place) -> None:
        one = self.ended(place, "fail")
        status = self.wait(one.handle)
        assert (status.state, status.attempt) == (RunState.FAILED, 1)
        assert self.failure in status.message

    def test_promise_4_a_status_is_made_of_plain_values(self, place: Place) -> None:
        for payload in ("succeed", "fail"):
            status = self.wait(self.ended(place, payload).handle)
            assert isinstance(status, RunStatus)
            assert isinstance(status.state, RunState)
            assert RunStatus.from_json(status.to_json()) == status

    def test_promise_4_progress_that_is_reported_is_possible(self, place: Place) -> None:
        one = self.running(place)
        progress = self.make_backend().status(one.handle).progress
        if progress is not None:
            assert 1 <= progress.epoch <= progress.epochs == one.job.epochs or progress.epochs == 1
            assert 0 <= progress.step <= progress.steps

    def test_promise_4_a_preemption_goes_back_to_queued_and_the_attempt_grows(self, place: Place) -> None:
        """If the test class can't preempt a run, there must be one attempt."""
        if type(self).preempt is BackendCase.preempt:
            status = self.wait(self.ended(place, "succeed").handle)
            assert status.attempt == 1
            return
        one = self.submit(place, "wait-once")
        before = self.log_with(one.handle, "line before it was preempted")
        self.preempt(one.handle)
        seen = self.watch(one.handle)
        expect_forward(seen)
        assert (seen[-1].state, seen[-1].attempt) == (RunState.COMPLETED, 2)
        log = self.log(one.handle)
        assert log[: len(before)] == before
        written = [line for line in log.splitlines() if line.startswith(b"line ")]
        assert len(written) == len(set(written)), "a line of an attempt is there twice"
        assert [line.decode() for line in written[1:]] == payloads.lines(2)
        assert log.count(payloads.STARTED.encode()) == 2

    def watch(self, handle: Handle) -> list[RunStatus]:
        """Returns every status from now to the end."""
        seen: list[RunStatus] = []

        def enough(status: RunStatus) -> bool:
            seen.append(status)
            return status.state.ended

        self.wait(handle, enough)
        return seen


def expect_forward(seen: list[RunStatus]) -> None:
    """Asserts that no status goes back within an attempt, and that attempts only grow."""
    for before, after in pairwise(seen):
        assert after.attempt >= before.attempt, f"attempt {before.attempt} was followed by {after.attempt}"
        assert before.state not in _ENDS or after == before, f"{before} was the end, but then came {after}"
        if after.attempt == before.attempt:
            why = f"{before.state} was followed by {after.state} in one attempt"
            assert _ORDER.index(after.state) >= _ORDER.index(before.state), why

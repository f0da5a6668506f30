"""Promise 3: status never raises for a run that has ended, was deleted or is unknown; LOST says so."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ...status import Handle, RunState, RunStatus
from .case import BackendCase, Place

NONSENSE = {
    "nothing": "",
    "up": "../..",
    "root": "/",
    "here": ".",
    "long": "x" * 5000,
    "long path": "/x" * 3000,
    "control characters": "\x1b[2J\n\r\x07",
    "nul": "/tmp/\x00",
    "percent": "%2e%2e%2f%00",
    "a surrogate": "/tmp/\udc80",
    "an option": "--help",
    "a query": "a?b=c&d#e",
}
"""References that no backend has made: {what is wrong with it: reference}."""


class Unknown(BackendCase):
    """A status for anything."""

    @pytest.mark.parametrize("reference", NONSENSE.values(), ids=NONSENSE)
    def test_promise_3_a_nonsense_handle_is_lost(self, place: Place, reference: str) -> None:
        name = self.ended(place, "succeed").handle.backend
        self.expect_lost(Handle(backend=name, reference=reference))

    def test_promise_3_a_run_that_never_was_is_lost(self, place: Place) -> None:
        handle = self.ended(place, "succeed").handle
        self.expect_lost(replace(handle, reference=f"{handle.reference}-not"))

    def test_promise_3_a_run_of_another_backend_is_lost(self) -> None:
        self.expect_lost(Handle(backend="elsewhere", reference="workspace/experiment/run"))

    def test_promise_3_a_handle_of_another_backend_is_never_taken_for_ones_own(self, place: Place) -> None:
        self.expect_lost(replace(self.ended(place, "succeed").handle, backend="elsewhere"))

    @pytest.mark.parametrize(("payload", "state"), [("succeed", RunState.COMPLETED), ("fail", RunState.FAILED)])
    def test_promise_3_a_run_that_has_ended_stays_as_it_ended(
        self, place: Place, payload: str, state: RunState
    ) -> None:
        handle = self.ended(place, payload).handle
        states = [self.make_backend().status(handle).state for _ in range(5)]
        assert states == [state] * 5

    def test_promise_3_a_transient_fault_ends_nothing(self, place: Place) -> None:
        """If the test class can't disturb the place, this looks at a healthy run."""
        one = self.running(place)
        with self.disturb(one.handle):
            assert self.make_backend().status(one.handle).state is RunState.RUNNING
        assert self.make_backend().status(one.handle).state is RunState.RUNNING
        with self.able("cancel"):
            self.make_backend().cancel(one.handle)

    def test_promise_3_a_deleted_run_is_lost(self, place: Place) -> None:
        """If the test class can't delete the run, it must still exist."""
        one = self.submit(place, "succeed")
        self.wait(one.handle)
        self.lose(one.handle)
        if type(self).lose is BackendCase.lose:
            assert self.make_backend().status(one.handle).state is RunState.COMPLETED
        else:
            self.expect_lost(one.handle)

    def test_promise_3_a_status_does_not_bring_a_deleted_run_back(self, place: Place) -> None:
        handle = self.ended(place, "succeed").handle
        unknown = replace(handle, reference=f"{handle.reference}-never")
        self.expect_lost(unknown)
        self.expect_lost(unknown)

    def expect_lost(self, handle: Handle) -> None:
        """Asserts that the status is LOST, with a message."""
        status = self.make_backend().status(handle)
        assert isinstance(status, RunStatus)
        assert status.state is RunState.LOST
        assert status.message.strip(), "a person wants to know why"

"""Promise 1: submit returns only when the job is durable; one run id is one job, however often it is submitted."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from ...backend import Backend, FindingBackend
from ...job import TrainJob
from ...rundir import RunDirectory
from ...status import Handle, RunState
from . import payloads
from .case import BackendCase, Place, Submitted


class Submitting(BackendCase):
    """One run id, one job."""

    def test_promise_1_a_run_is_known_as_soon_as_submit_returns(self, place: Place) -> None:
        one = self.submit(place, "succeed")
        assert self.make_backend().status(one.handle).state is not RunState.LOST
        assert self.wait(one.handle).state is RunState.COMPLETED

    def test_promise_1_a_handle_is_a_value_with_a_name_and_a_reference(self, place: Place) -> None:
        handle = self.ended(place, "succeed").handle
        assert isinstance(handle, Handle)
        assert handle.backend
        assert handle.reference

    def test_promise_1_a_backend_that_finds_runs_knows_whether_one_was_submitted(self, place: Place) -> None:
        backend = self.make_backend()
        if isinstance(backend, FindingBackend):
            _, unknown = self.new_run(place, "succeed")
            assert backend.find_submitted(unknown.path) is None
            one = self.ended(place, "succeed")
            assert backend.find_submitted(one.run.path) == one.handle

    def test_promise_1_two_runs_have_two_handles(self, place: Place) -> None:
        assert self.ended(place, "succeed").handle != self.ended(place, "fail").handle

    def test_promise_1_submitting_again_at_once_gives_the_same_handle_and_one_job(
        self, place: Place, tmp_path: Path
    ) -> None:
        job, run = self.new_run(place, "wait", payload_tally=str(tmp_path / "tally"))
        backend = self.make_backend()
        one = self.track(place, job, run, backend.submit(job, run.path))
        assert backend.submit(job, run.path) == one.handle
        self.expect_one_start(one, tmp_path / "tally")

    def test_promise_1_submitting_a_running_run_again_gives_the_same_handle_and_one_job(
        self, place: Place, tmp_path: Path
    ) -> None:
        one = self.running(place, payload_tally=str(tmp_path / "tally"))
        assert self.make_backend().submit(one.job, one.run.path) == one.handle
        self.expect_one_start(one, tmp_path / "tally")
        assert self.make_backend().status(one.handle).attempt == 1

    def test_promise_1_two_threads_that_submit_one_run_get_the_same_handle_and_one_job(
        self, place: Place, tmp_path: Path
    ) -> None:
        job, run = self.new_run(place, "wait", payload_tally=str(tmp_path / "tally"))
        handles: list[Handle] = []
        gate = threading.Barrier(2)

        def submit(backend: Backend) -> None:
            gate.wait()
            handles.append(backend.submit(job, run.path))

        threads = [threading.Thread(target=submit, args=[self.make_backend()]) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(self.patience_s)
        assert len(handles) == 2, "one of them did not return, or raised"
        assert handles[0] == handles[1]
        self.expect_one_start(self.track(place, job, run, handles[0]), tmp_path / "tally")

    def test_promise_1_submitting_an_ended_run_again_gives_the_same_handle_and_keeps_its_log(
        self, place: Place
    ) -> None:
        """The run may stay as it is or start again, which is how a run is resumed."""
        one = self.submit(place, "succeed")
        self.wait(one.handle)
        before = self.log(one.handle)
        assert self.make_backend().submit(one.job, one.run.path) == one.handle
        after = self.wait(one.handle)
        assert (after.state, after.attempt) in {(RunState.COMPLETED, 1), (RunState.COMPLETED, 2)}
        log = self.log(one.handle)
        assert log[: len(before)] == before
        assert log.count(payloads.STARTED.encode()) == after.attempt

    def test_promise_1_a_client_killed_before_it_wrote_the_handle_finds_its_run_by_submitting_again(
        self, place: Place, tmp_path: Path
    ) -> None:
        job, run = self.new_run(place, "wait", payload_tally=str(tmp_path / "tally"))
        code, answer, errors = self.child(tmp_path).run("submit and die", run_dir=str(run.path))
        assert (code, list(answer)) == (-9, ["value"]), f"{answer} {errors}"
        first = Handle.parse(answer["value"])
        if "attach" in self.make_backend().limits:
            self.expect_lost_with_reason(first)
            return
        one = self.track(place, job, run, self.make_backend().submit(job, run.path))
        assert one.handle == first
        self.expect_one_start(one, tmp_path / "tally")

    def test_promise_1_submit_leaves_the_job_of_the_run_as_it_was(self, place: Place) -> None:
        one = self.ended(place, "succeed")
        assert one.run.job() == one.job
        assert TrainJob.from_json(one.job.to_json()) == one.job

    @pytest.mark.parametrize("name", ["with space", "größe-模型", "quo'te\";$(id)", "-dash", "per%20cent", "new\nline"])
    def test_promise_1_a_run_below_a_folder_of_any_name_is_run(self, place: Place, name: str, tmp_path: Path) -> None:
        job = self.job("succeed")
        run = RunDirectory.create(tmp_path / name, job)
        one = self.track(place, job, run, self.make_backend().submit(job, run.path))
        assert self.wait(one.handle).state is RunState.COMPLETED
        assert Handle.parse(str(one.handle)) == one.handle

    def expect_one_start(self, one: Submitted, tally: Path) -> None:
        """Asserts that one job started: its log says so once, and so does the tally if the job could write it."""
        log = self.log_with(one.handle, payloads.STARTED)
        with self.able("cancel"):
            self.make_backend().cancel(one.handle)
            log = self.log(one.handle)
        assert log.count(payloads.STARTED.encode()) == 1
        starts = tally.read_text().splitlines() if tally.exists() else [""]
        assert len(starts) == 1

    def expect_lost_with_reason(self, handle: Handle) -> None:
        """Asserts that another process' run is out of reach, for the reason that the backend declares."""
        backend = self.make_backend()
        status = backend.status(handle)
        assert status.state is RunState.LOST
        assert backend.limits["attach"] in status.message

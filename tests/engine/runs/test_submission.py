"""What a submission that fails, or is refused, leaves of a run: all that was there before, and nothing else."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stoker.engine.errors import BackendError, InputError, RunError, StokerError, StorageError, UnreachableError
from stoker.engine.job import TrainJob
from stoker.engine.plugin.plugins import Plugins
from stoker.engine.rundir import RunDirectory
from stoker.engine.runs import launch
from stoker.engine.status import Handle, RunState, RunStatus
from stoker.engine.summary import RunSummary

HANDLE = Handle(backend="elsewhere", reference="7")
JOB = TrainJob(epochs=2)
PLUGINS = Plugins()


class Elsewhere:
    """A backend elsewhere, or here, that knows what was submitted to it."""

    poll_s, runs_here = 0.0, False

    def __init__(
        self,
        error: BaseException | None = None,
        *,
        runs_here: bool = False,
        stored: bool = False,
        endless: bool = False,
    ) -> None:
        self.error, self.runs_here, self.stored, self.endless = error, runs_here, stored, endless

    def submit(self, job: TrainJob, run_dir: Path) -> Handle:
        if self.error:
            raise self.error
        self.stored = True
        return HANDLE

    def cancel(self, handle: Handle) -> None:
        if self.endless:
            raise BackendError("it does not end")
        self.stored = False

    def status(self, handle: Handle) -> RunStatus:
        return RunStatus(state=RunState.COMPLETED)

    def logs(self, handle: Handle, offset: int = 0) -> Iterator[bytes]:
        yield b"a line\n"


class Finding(Elsewhere):
    """One that can be asked."""

    def find_submitted(self, run_dir: Path) -> Handle | None:
        return HANDLE if self.stored else None


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    """A run elsewhere that has completed and was collected."""
    made = RunDirectory.create(tmp_path / "runs", JOB)
    made.write_handle(HANDLE)
    made.append_metrics(2, {"Loss": 0.5, "Final test loss": 0.25}, 1.0)
    made.write_summary(RunSummary(metrics={"Final test loss": 0.25}, epochs=2))
    return made


def content(run: RunDirectory) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in run.path.iterdir() if path.is_file()}


@pytest.mark.parametrize("runs_here", [True, False])
@pytest.mark.parametrize("error", [InputError("no"), BackendError("no"), UnreachableError("away"), KeyboardInterrupt()])
def test_a_resume_that_is_refused_changes_nothing(run: RunDirectory, error: BaseException, runs_here: bool):
    before = content(run)
    backend: Any = Elsewhere(error, runs_here=runs_here)
    with pytest.raises(type(error)):
        launch.resume(run, replace(JOB, epochs=5), backend, PLUGINS)
    if isinstance(error, StokerError) or not runs_here:  # an interrupted process here may have the next job already
        assert content(run) == before


def test_a_resume_keeps_the_figures_of_the_epochs_that_are_done(run: RunDirectory):
    backend: Any = Elsewhere()
    assert launch.resume(run, replace(JOB, epochs=5), backend, PLUGINS) == len(b"a line\n")
    assert [(line["epoch"], line["name"]) for line in run.metrics()] == [(2, "Loss")]
    assert (run.summary(), run.job().epochs) == (None, 5)


@pytest.mark.parametrize(
    ("backend", "stays"),
    [
        (Finding(BackendError("no quota")), False),
        (Finding(InputError("no such data set")), False),
        (Finding(UnreachableError("away")), True),
        (Finding(BackendError("the answer was lost"), stored=True), True),
        (Elsewhere(BackendError("no quota")), True),
    ],
)
def test_what_was_not_submitted_leaves_no_run(tmp_path: Path, backend: Any, stays: bool):
    with pytest.raises(StokerError):
        launch.submit(JOB, backend, tmp_path / "runs", PLUGINS)
    assert bool(list((tmp_path / "runs").iterdir())) == stays


def test_a_run_whose_submission_was_killed_is_looked_for(tmp_path: Path):
    run = RunDirectory.create(tmp_path, JOB)
    backend: Any = Finding()
    with pytest.raises(RunError, match=f"the run {run.run_id} was not submitted"):
        launch.find_submission(run, backend, PLUGINS)
    backend.stored = True
    launch.find_submission(run, backend, PLUGINS)
    assert run.handle() == HANDLE
    assert [event.kind for event in run.events()] == ["submitted"]


def test_options_do_not_change_before_it_is_known_whether_the_run_was_submitted(tmp_path: Path):
    run = RunDirectory.create(tmp_path, JOB)
    backend: Any = Finding()
    with pytest.raises(InputError, match="can't change"):
        launch.resume(run, replace(JOB, epochs=5), backend, PLUGINS)
    assert not backend.stored
    launch.resume(run, JOB, backend, PLUGINS)
    assert run.handle() == HANDLE


def test_a_copy_of_the_folder_does_not_change_the_run(run: RunDirectory, tmp_path: Path):
    copy = RunDirectory(Path(shutil.copytree(run.path, tmp_path / "copies" / run.run_id)))
    backend: Any = Elsewhere()
    with pytest.raises(RunError, match="is a copy of the folder of the run") as caught:
        launch.resume(copy, JOB, backend, PLUGINS)
    assert str(run.path) in caught.value.hint
    assert not backend.stored
    shutil.rmtree(run.path)  # then it is the folder, which was moved
    launch.resume(copy, JOB, backend, PLUGINS)
    assert backend.stored


@pytest.mark.parametrize("endless", [True, False])
def test_a_job_that_can_not_be_recorded_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, endless: bool):
    def full(run: RunDirectory, handle: Handle) -> None:
        raise StorageError("no space is left on the device")

    monkeypatch.setattr(RunDirectory, "write_handle", full)
    backend: Any = Finding(endless=endless)
    with pytest.raises(StokerError, match="no space is left") as caught:
        launch.submit(JOB, backend, tmp_path / "runs", PLUGINS)
    assert backend.stored == endless
    assert bool(list((tmp_path / "runs").iterdir())) == endless
    assert (str(HANDLE) in caught.value.hint) == endless

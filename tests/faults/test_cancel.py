"""A cancelled run leaves no process, whenever it is cancelled: no trainer, no worker, and none for its picture."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from stoker.engine.job import TrainJob
from stoker.engine.process import ProcessIdentity, _is_marked
from stoker.engine.rundir import RunDirectory
from stoker.engine.status import RunState
from stoker.plugins.local.backend import LocalBackend

from .. import tiny
from ..local.test_local import FORKS
from ..patience import PATIENCE_S


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    """A run with a worker, which would train for long."""
    (tmp_path / "forks.py").write_text(FORKS)
    data = str(tiny.write(tmp_path / "data"))
    job = TrainJob(dataset="", data_folder=data, model=str(tmp_path / "forks.py"), epochs=100_000, batch_size=20)
    return RunDirectory.create(tmp_path / "runs", job)


def left(run: RunDirectory) -> list[ProcessIdentity]:
    """Every process of this machine that has the mark of the run."""
    numbers = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()]
    found = [ProcessIdentity.of(number) for number in numbers if _is_marked(number, run.run_id)]
    return [process for process in found if process]


def cancel_when(run: RunDirectory, ready: Callable[[], bool]) -> None:
    backend = LocalBackend()
    handle = backend.submit(run.job(), run.path)
    deadline = time.monotonic() + PATIENCE_S
    while not ready():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    backend.cancel(handle)
    assert left(run) == []
    assert backend.status(handle).state is RunState.CANCELLED


@pytest.mark.parametrize("moment", ["at once", "in an epoch"])
def test_a_cancelled_run_leaves_no_process(run: RunDirectory, moment: str):
    cancel_when(run, lambda: moment == "at once" or "\nepoch" in run.log.read_text())


@pytest.mark.faults
@pytest.mark.parametrize("number", range(30))
def test_a_run_that_is_cancelled_at_any_moment_leaves_no_process(run: RunDirectory, number: int):
    ends = time.monotonic() + random.Random(number).uniform(0, 12)
    cancel_when(run, lambda: time.monotonic() > ends)

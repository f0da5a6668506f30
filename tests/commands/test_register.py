"""`stoker runs register` gives the model of a completed run its name and version later."""

from __future__ import annotations

from pathlib import Path

import pytest

from stoker import cli
from stoker.engine.files import sha256_file
from stoker.engine.job import TrainJob
from stoker.engine.registry import Registry
from stoker.engine.rundir import RunDirectory
from stoker.engine.status import RunState, RunStatus
from stoker.engine.summary import RunSummary

from ..completed import completed_run


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunDirectory:
    """A completed run on this machine, whose model is in no registry."""
    monkeypatch.chdir(tmp_path)
    return completed_run(tmp_path / "runs", b"what Keras has saved")


def test_the_model_is_registered_and_the_summary_says_so(run: RunDirectory, capsys: pytest.CaptureFixture[str]):
    assert cli.main(["runs", "register", "latest", "digits"]) == 0
    (version,) = Registry.beside(run).versions("digits")
    assert version.digest == sha256_file(run.model / "model.keras")
    assert capsys.readouterr().out == f"registered: digits version 1 ({version.location})\n"
    record = Registry.beside(run).record(Path(version.location))
    assert (record["run"], record["job_sha256"]) == (run.run_id, TrainJob(offline=True, register="digits").digest())
    summary = run.summary()
    assert summary
    assert summary.registered == {"name": "digits", "version": 1}


def test_the_same_model_is_one_version_however_often_it_is_registered(run: RunDirectory):
    for _ in range(2):
        assert cli.main(["runs", "register", "latest", "digits"]) == 0
    assert len(Registry.beside(run).versions("digits")) == 1
    assert cli.main(["runs", "register", "latest", "others"]) == 0
    assert Registry.beside(run).names() == ["digits", "others"]


@pytest.mark.parametrize("state", [RunState.FAILED, RunState.CANCELLED])
def test_a_run_that_has_not_completed_is_refused(
    run: RunDirectory, capsys: pytest.CaptureFixture[str], state: RunState
):
    run.truncate_metrics(0)  # as an attempt does that begins to train
    run.write_status(RunStatus(state=state))
    assert cli.main(["runs", "register", "latest", "digits"]) == 1
    said = capsys.readouterr().err
    assert f"the run {run.run_id} has not completed\n  received: {state}\n" in said
    assert "train --resume" in said
    assert Registry.beside(run).names() == []


@pytest.mark.parametrize("state", [RunState.FAILED, RunState.CANCELLED])
def test_a_model_is_complete_when_a_later_attempt_was_refused_before_it_trained(run: RunDirectory, state: RunState):
    run.write_status(RunStatus(state=state, attempt=2))
    assert cli.main(["runs", "register", "latest", "digits"]) == 0


def test_a_loss_that_is_no_number_needs_register_anyway(run: RunDirectory, capsys: pytest.CaptureFixture[str]):
    run.write_summary(RunSummary(metrics={"Final test loss": float("nan")}, epochs=1))
    assert cli.main(["runs", "register", "latest", "digits"]) == 1
    assert "the model is not registered as 'digits': its final test loss is nan" in capsys.readouterr().err
    assert cli.main(["runs", "register", "latest", "digits", "--register-anyway"]) == 0


@pytest.mark.parametrize("name", ["", "../x", "a b", "-x"])
def test_a_name_that_is_none_is_refused_before_the_run_is_looked_at(
    run: RunDirectory, capsys: pytest.CaptureFixture[str], name: str
):
    assert cli.main(["runs", "register", "nosuch", "--", name]) == 2
    assert "the name to register" in capsys.readouterr().err

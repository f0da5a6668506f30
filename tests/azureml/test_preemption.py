"""A node is taken away in the middle of a training: the run continues from its last epoch, whoever restarts it."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from stoker.engine.rundir import RunDirectory
from stoker.engine.runs.find import list_runs
from stoker.plugins.azureml_emulator import Emulator

from .. import tiny
from ..patience import PATIENCE_S
from ..stoker_process import stoker

EPOCHS = 9
WAITS = """
import os, time
from stoker.engine.hookspecs import hookimpl


def wait(epoch, logs):
    if epoch == 2 and not os.path.exists({reached!r}):
        open({reached!r}, "w").close()
        time.sleep(600)


@hookimpl
def stoker_callbacks():
    import keras

    return [keras.callbacks.LambdaCallback(on_epoch_end=wait)]
"""
OPTIONS = ("--data-folder", "data", "--batch-size", 20, "--epochs", EPOCHS)
JOB = ("-p", "waits.py", "train", "--backend", "azureml", *OPTIONS)


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    settings = {"scale_up_s": 0.02, "prepare_s": 0.0, "requeue_s": 0.05, "grace_s": 0.1}
    with Emulator(tmp_path_factory.mktemp("azure"), **settings) as running:
        yield running


@pytest.fixture
def place(emulator: Emulator, tmp_path: Path) -> Path:
    """A folder with data, `config.json`, and a plugin that lets the first attempt wait in its third epoch."""
    (tmp_path / "waits.py").write_text(WAITS.format(reached=str(tmp_path / "reached")))
    emulator.write_config(tmp_path)
    tiny.write(tmp_path / "data")
    return tmp_path


def preempted(emulator: Emulator, place: Path, *, fails: bool) -> RunDirectory:
    """A run whose node was taken away in its third epoch."""
    environment = emulator.client_environment()
    done = stoker(*JOB, "--detach", cwd=place, **environment)
    assert done.returncode == 0, done.stderr
    (run,) = list_runs(place / "runs")
    deadline = time.monotonic() + PATIENCE_S
    while not (place / "reached").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    emulator.preempt(run.run_id, fails=fails)
    return run


def check_figures(run: RunDirectory) -> None:
    """Each epoch has its figures once."""
    assert [line["epoch"] for line in run.metrics() if line["name"] == "Loss"] == list(range(1, EPOCHS + 1))


def test_the_service_starts_it_again_and_the_display_continues(emulator: Emulator, place: Path):
    run = preempted(emulator, place, fails=False)
    done = stoker("runs", "attach", cwd=place, **emulator.client_environment())
    assert done.returncode == 0, done.stderr
    assert int(re.findall(r"resumed after epoch (\d+)", done.stdout)[0]) >= 1
    check_figures(run)
    shown = stoker("runs", "show", "--json", cwd=place, **emulator.client_environment()).stdout
    assert '"attempt": 2' in shown


def test_where_the_service_gives_up_a_resume_submits_it_again(emulator: Emulator, place: Path):
    run, environment = preempted(emulator, place, fails=True), emulator.client_environment()
    done = stoker("runs", "attach", cwd=place, **environment)
    assert done.returncode == 1
    assert f"error: the run {run.run_id} has failed: " in done.stderr
    assert "pre-empted" in done.stderr
    assert f" train --resume {run.run_id}" in done.stderr
    done = stoker("train", "--resume", "latest", cwd=place, **environment)
    assert done.returncode == 0, done.stderr
    assert int(re.findall(r"resumed after epoch (\d+)", done.stdout)[0]) >= 1
    check_figures(run)
    ids = sorted(one["runId"] for one in emulator.service.runs.all() if one["runId"].startswith(run.run_id))
    assert ids == [run.run_id, f"{run.run_id}-2"]

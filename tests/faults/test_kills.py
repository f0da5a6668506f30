"""SIGKILL at any moment loses at most the epoch in progress, and the resumed run ends with the same bits.

`make test` tries a few moments, `make faults` every single one that the enumeration finds, and random ones.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from stoker.engine.job import TrainJob
from stoker.engine.rundir import RunDirectory
from stoker.engine.status import RunState
from stoker.engine.training.checkpoint import Checkpoints

from .. import tiny
from ..patience import PATIENCE_S
from ..stoker_process import command

FAULT = Path(__file__).with_name("fault.py")
EPOCHS = 3
MODEL = """
import keras


def build(config):
    layers = keras.layers
    model = keras.Sequential([
        keras.Input(config.input_shape, dtype=config.input_dtype),
        layers.Rescaling(1 / 255),
        layers.Flatten(),
        layers.Dense(8, activation="relu"),
        layers.Dropout(0.2),
        layers.Dense(config.classes, activation="softmax"),
    ])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model
"""


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> TrainJob:
    """A job with a model that has a state of its own: dropout's seed."""
    folder = tmp_path_factory.mktemp("job")
    (folder / "model.py").write_text(MODEL)
    return TrainJob(
        dataset="",
        data_folder=str(tiny.write(folder / "data")),
        model=str(folder / "model.py"),
        epochs=EPOCHS,
        batch_size=20,
        plugins=(str(FAULT),),
    )


@pytest.fixture(scope="module")
def whole(job: TrainJob, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, bytes], int]:
    """The bits of a run in one piece, and how many moments it has."""
    folder = tmp_path_factory.mktemp("whole")
    run = RunDirectory.create(folder, job)
    assert train(run, f"record:{folder / 'moments'}") == 0
    return bits(run), len((folder / "moments").read_text().splitlines())


def train(run: RunDirectory, fault: str = "") -> int:
    """Executes a run in a process of its own, as every backend does; its exit code."""
    return start(run, fault).wait(timeout=PATIENCE_S)


def start(run: RunDirectory, fault: str = "") -> subprocess.Popen[bytes]:
    """Begins to execute a run."""
    with run.log.open("ab") as log:
        environment = os.environ | {"STOKER_TEST_FAULT": fault}
        return subprocess.Popen(command("exec", run.path), stdout=log, stderr=log, env=environment)


def bits(run: RunDirectory) -> dict[str, bytes]:
    """Every variable of the model and the optimizer at the end."""
    with np.load(run.checkpoints / f"{EPOCHS:06}" / "variables.npz") as arrays:
        return {name: arrays[name].tobytes() for name in arrays}


def done(run: RunDirectory) -> int:
    """Epochs that a checkpoint has behind it."""
    newest = Checkpoints(run.checkpoints).latest()
    return int(newest.name) if newest else 0


def claimed(run: RunDirectory) -> int:
    """The last epoch whose checkpoint the run has called durable."""
    return max((event.data["epoch"] for event in run.events() if event.kind == "checkpointed"), default=0)


def check_resume(run: RunDirectory, expected: dict[str, bytes]) -> None:
    """The killed run has what it claimed, and resumes to the bits of a run in one piece."""
    assert done(run) >= claimed(run)
    assert train(run) == 0, run.log.read_text()
    assert bits(run) == expected
    record = run.status_record()
    assert record is not None
    assert record.status.state is RunState.COMPLETED
    assert [line["epoch"] for line in run.metrics() if line["name"] == "Loss"] == [1, 2, 3]
    assert (run.model / "model.keras").is_file()


def moments(count: int, share: float) -> Iterator[int]:
    """Every moment, or a share of them, evenly and always the same."""
    wanted = max(1, round(count * share))
    yield from sorted({1 + round(index * (count - 1) / max(wanted - 1, 1)) for index in range(wanted)})


def kill_at_moments(job: TrainJob, whole: tuple[dict[str, bytes], int], folder: Path, share: float) -> int:
    """Kills a run at moments of file operations and resumes each; how many there were.

    One heartbeat less makes a run with fewer moments, which may end before the last of them.
    """
    expected, count = whole
    kills = 0
    for moment in moments(count, share):
        run = RunDirectory.create(folder / str(moment), job)
        code = train(run, f"kill:{moment}")
        if code == 0:
            assert moment > 0.9 * count
            continue
        assert code == -signal.SIGKILL, run.log.read_text()
        check_resume(run, expected)
        kills += 1
    return kills


def kill_at_random(job: TrainJob, whole: tuple[dict[str, bytes], int], folder: Path, kills: int) -> None:
    """Kills a run at random times and resumes each."""
    times = random.Random(0)
    for number in range(kills):
        run = RunDirectory.create(folder / str(number), job)
        process = start(run)
        time.sleep(times.uniform(0.1, 4.0))
        process.kill()
        process.wait(timeout=PATIENCE_S)
        check_resume(run, whole[0])


def test_a_few_kills_at_file_operations_lose_nothing(
    job: TrainJob, whole: tuple[dict[str, bytes], int], tmp_path: Path
):
    assert kill_at_moments(job, whole, tmp_path, share=0.03) >= 3


@pytest.mark.faults
def test_kills_at_every_file_operation_lose_nothing(job: TrainJob, whole: tuple[dict[str, bytes], int], tmp_path: Path):
    assert kill_at_moments(job, whole, tmp_path, share=1) >= 60


@pytest.mark.faults
def test_thirty_kills_at_random_times_lose_nothing(job: TrainJob, whole: tuple[dict[str, bytes], int], tmp_path: Path):
    kill_at_random(job, whole, tmp_path, 30)

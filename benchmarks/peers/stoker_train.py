"""stoker: what `stoker train` runs in its training process, from the job to the finished folder of the run."""

from __future__ import annotations

import tempfile
import threading
from itertools import pairwise
from pathlib import Path

from ...engine.event import EventKind
from ...engine.job import TrainJob
from ...engine.plugin.plugins import Plugins
from ...engine.rundir import RunDirectory
from ...engine.status import RunState
from ...engine.training import train as training
from ..contest import ContenderError
from ..task import LEARNING_RATE, SEED, Task
from . import networks

TITLE = "stoker"
NEEDS: tuple[str, ...] = ("tensorflow", "keras")
DIFFERS = (
    "the whole of `stoker train`: a checkpoint, events and figures on the disk after each epoch; bytes as the files "
    "hold them, scaled by a layer of the model; validates in batches of 1,000"
)


def train(task: Task) -> None:
    """Trains; the laps are the times between the events of the run, and so hold all that lies between two epochs."""
    with tempfile.TemporaryDirectory() as folder:
        job = _job(task)
        run = RunDirectory.create(Path(folder), job)
        state = training.run(job, run, Plugins.load([]), threading.Event())
        if state is not RunState.COMPLETED:
            raise ContenderError(f"the run has {state}: {run.log.read_text(encoding='utf-8')}")
        events = list(run.events())
    started = next(event.time_s for event in events if event.kind is EventKind.STARTED)
    epochs = [event for event in events if event.kind is EventKind.EPOCH]
    times = [started, *(event.time_s for event in epochs)]
    task.laps_s = [after - before for before, after in pairwise(times)]
    task.accuracy = epochs[-1].data["metrics"]["val_accuracy"]


def _job(task: Task) -> TrainJob:
    return TrainJob(
        dataset="",
        data_folder=str(task.data.resolve()),
        model="dnn" if task.network == "dnn" else f"{networks.__file__}:{task.network}",
        batch_size=task.batch_size,
        epochs=task.epochs,
        learning_rate=LEARNING_RATE,
        seed=SEED,
        offline=True,
    )

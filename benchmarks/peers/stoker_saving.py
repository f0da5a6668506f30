"""stoker's `engine.fit.Fit` with a checkpoint after every other epoch, to see what one costs."""

from __future__ import annotations

import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...engine.checkpoint import Checkpoints, TrainingState
from ...engine.tensorflow import import_keras
from ...engine.way import choose
from ...models import dnn
from ..task import LEARNING_RATE, SEED, Task

if TYPE_CHECKING:
    from ...engine.fit import Fit, Part

TITLE = "stoker, a checkpoint after every other epoch"
NEEDS = ("tensorflow", "keras")
DIFFERS = "an epoch of even number is followed by a checkpoint, which is written beside the next one"


def train(task: Task) -> None:
    """Trains; the laps of the epochs 3, 5, 7, … hold the price of a checkpoint."""
    _, keras = import_keras()
    keras.utils.set_random_seed(SEED)
    fit = _fit(task)
    with tempfile.TemporaryDirectory() as folder:
        checkpoints = Checkpoints(Path(folder))

        def on_epoch(report: Any) -> None:
            checkpoints.wait()
            task.lap(report.metrics["val_accuracy"])
            if report.epoch % 2 == 0:
                state = TrainingState(run_id="saving", epoch=report.epoch, history=fit.history, time_s=0.0)
                checkpoints.save(fit.model, state)

        fit.run([], on_epoch)
        checkpoints.wait()


def _fit(task: Task) -> Fit:
    from ...engine.fit import Fit
    from ...engine.model import ModelConfig

    config = ModelConfig(input_shape=(28, 28), input_dtype="uint8", classes=10, learning_rate=LEARNING_RATE)
    model = dnn.build(config)
    return Fit(
        model=model,
        train=_part(task, "train"),
        validation=_part(task, "t10k"),
        batch_size=task.batch_size,
        epochs=task.epochs,
        seed=SEED,
        stop=threading.Event(),
        way=choose(model, 1)[0],
        on_progress=lambda progress: None,
    )


def _part(task: Task, name: str) -> Part:
    import numpy as np

    from ...engine.fit import Part

    labels = task.labels(name)
    return Part(data=(task.images(name), labels.astype(np.int32)), rows=np.arange(len(labels)))

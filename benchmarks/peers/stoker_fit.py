"""stoker's `engine.training.fit.Fit` alone: the epochs of `stoker train`, without what it writes after each."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...engine.model import ModelConfig
from ...engine.training.checkpoint import Checkpoints, TrainingState
from ...engine.training.execution_mode import choose_mode
from ...engine.training.runtime import import_keras
from ...models import dnn
from ..task import LEARNING_RATE, SEED, Task
from . import networks

if TYPE_CHECKING:
    from ...engine.training.fit import Fit, Subset

TITLE = "stoker, without checkpoints"
NEEDS: tuple[str, ...] = ("tensorflow", "keras")
DIFFERS = "nothing is written between the epochs"


def train(task: Task) -> None:
    """Trains."""
    run(task, saved=lambda epoch: False)


def run(task: Task, saved: Callable[[int], bool]) -> None:
    """Trains; after the epochs (from 1) that `saved` names, a checkpoint is written beside the next one."""
    tf, keras = import_keras()
    keras.utils.set_random_seed(SEED)
    fit = _fit(task, tf.distribute.get_strategy())
    with tempfile.TemporaryDirectory() as folder:
        checkpoints = Checkpoints(Path(folder))

        def on_epoch(report: Any) -> None:
            checkpoints.wait()
            task.lap(report.metrics["val_accuracy"])
            if saved(report.epoch):
                state = TrainingState(run_id="fit", epoch=report.epoch, history=fit.history, time_s=0.0)
                checkpoints.save(fit.model, state)

        fit.run([], on_epoch)
        checkpoints.wait()


def _fit(task: Task, strategy: Any) -> Fit:
    from ...engine.training.fit import Fit

    builders: dict[str, Callable[[Any], Any]] = {"dnn": dnn.build, "wide": networks.wide, "conv": networks.conv}
    config = ModelConfig(input_shape=(28, 28), input_dtype="uint8", classes=10, learning_rate=LEARNING_RATE)
    model = builders[task.network](config)
    return Fit(
        model=model,
        train=_part(task, "train"),
        validation=_part(task, "t10k"),
        batch_size=task.batch_size,
        epochs=task.epochs,
        seed=SEED,
        stop=threading.Event(),
        mode=choose_mode(model, strategy)[0],
        strategy=strategy,
    )


def _part(task: Task, name: str) -> Subset:
    import numpy as np

    from ...engine.training.fit import Subset

    labels = task.labels(name)
    return Subset(data=(task.images(name), labels.astype(np.int32)), rows=np.arange(len(labels)))

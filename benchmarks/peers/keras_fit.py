"""The tutorial's `model.fit`, ported to Keras 3, with nothing but defaults."""

from __future__ import annotations

from typing import Any

from ..task import LEARNING_RATE, SEED, Task
from .networks import for_scaled

TITLE = "Keras fit, as in the tutorial"
NEEDS: tuple[str, ...] = ("tensorflow", "keras")
DIFFERS = "float32 pixels, one-hot labels, categorical cross-entropy; validates in batches of the training's size"


def train(task: Task) -> None:
    """Trains."""
    fit(task)


def fit(task: Task, **compiled: Any) -> None:
    """Trains with `model.fit`; `compiled` goes to `model.compile`."""
    import keras

    keras.utils.set_random_seed(SEED)
    model = for_scaled(keras, task.network, LEARNING_RATE, **compiled)
    model.fit(
        task.scaled("train"),
        task.one_hot("train"),
        batch_size=task.batch_size,
        epochs=task.epochs,
        verbose=2,
        validation_data=(task.scaled("t10k"), task.one_hot("t10k")),
        callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=lambda _, figures: task.lap(figures["val_accuracy"]))],
    )

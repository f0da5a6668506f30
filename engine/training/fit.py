"""Trains a model for some epochs: the order of things in Keras' `fit`, with epochs that run in compiled loops."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..errors import OptionError
from ..metrics import LEARNING_RATE, VALIDATION, EpochReport
from ..status import Progress
from . import callback_state
from .batches import chunk_capacity, chunks, epoch_order, prefetch
from .checkpoint import TrainingState
from .execution_mode import ExecutionMode, Fallback
from .loop import Loop

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

TEST_BATCH = 1000
"""Examples of one step of an evaluation; the figures don't depend on it."""


class Stopped(Exception):  # noqa: N818 - it reports no error
    """The training was asked to stop."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Subset:
    """Examples of some arrays.

    Attributes:
        data: Any structure of arrays [N, ...]: (images, labels).
        rows: int64 [n], which of them.
    """

    data: Any
    rows: NDArray[np.int64]


@dataclass(kw_only=True, slots=True)
class Fit:
    """The training of one model.

    Attributes:
        model: A compiled `keras.Model`.
        train: The examples to train on.
        validation: The examples for the figures after each epoch.
        batch_size: Examples of one step.
        epochs: How many epochs there are in all.
        seed: Decides the order of the examples in each epoch.
        stop: Set by whoever wants the training to end.
        mode: The mode to begin with; see `engine.training.execution_mode`.
        strategy: The `tf.distribute.Strategy` that the model was built for.
        history: The figures of the finished epochs by Keras' names; those before a resume included.
    """

    model: Any
    train: Subset
    validation: Subset
    batch_size: int
    epochs: int
    seed: int
    stop: threading.Event
    mode: ExecutionMode
    strategy: Any
    history: dict[str, list[float]] = field(default_factory=dict)
    _train_loop: Loop = field(init=False)
    _test_loop: Loop = field(init=False)
    _replicas: int = field(init=False)

    def __post_init__(self) -> None:
        self._replicas = self.strategy.num_replicas_in_sync
        if self.batch_size % self._replicas:
            raise OptionError(
                f"a batch can't be shared by {self._replicas} devices",
                received=f"--batch-size {self.batch_size}",
                expected=f"a multiple of {self._replicas}",
            )
        build(self.model, self.train.data)
        self._train_loop = Loop(self.model.train_step, self.mode, self.strategy)
        self._test_loop = Loop(self.model.test_step, self.mode, self.strategy)

    @property
    def steps(self) -> int:
        """Batches of an epoch."""
        return -(-len(self.train.rows) // self.batch_size)

    @property
    def fallback(self) -> Fallback | None:
        """The mode that the training fell back to at its first chunk, and why; None if it did not."""
        return self._train_loop.fallback

    def run(
        self,
        callbacks: Sequence[Any],
        on_epoch: Callable[[EpochReport], None],
        resumed: TrainingState | None = None,
        *,
        on_progress: Callable[[Progress], None] = lambda progress: None,
    ) -> None:
        """Trains all epochs, or those after a checkpoint.

        Args:
            callbacks: Keras callbacks; batch callbacks see one call for each chunk.
            on_epoch: Called after each epoch, when its callbacks have run.
            resumed: The state of the checkpoint that the model has the variables of.
            on_progress: Called after each chunk.

        Raises:
            Stopped: `stop` was set; the epoch that ran is lost.
        """
        watchers = self._watchers(callbacks)
        self.model.stop_training = False
        watchers.on_train_begin()
        done = self._resume(callbacks, resumed) if resumed else 0
        figures: dict[str, float] = {}
        for epoch in range(done, 0 if self.model.stop_training else self.epochs):
            started = time.perf_counter()
            watchers.on_epoch_begin(epoch)
            figures = self._epoch(epoch, watchers, on_progress)
            rate = learning_rate(self.model.optimizer)  # of this epoch: a callback may change it for the next one
            watchers.on_epoch_end(epoch, figures)
            for name, value in figures.items():
                self.history.setdefault(name, []).append(value)
            seconds = time.perf_counter() - started
            # Callbacks and the history have the model's own figures, as in Keras; the rate goes into the report alone.
            reported = figures | ({} if rate is None else {LEARNING_RATE: rate})
            on_epoch(EpochReport(epoch=epoch + 1, epochs=self.epochs, metrics=reported, seconds=seconds))
            if self.model.stop_training:
                break
        watchers.on_train_end(figures)

    def _resume(self, callbacks: Sequence[Any], state: TrainingState) -> int:
        """Continues history and callbacks where a checkpoint was made; the epochs that are done."""
        self.history = {name: list(values) for name, values in state.history.items()}
        self.model.history.history = {name: list(values) for name, values in state.history.items()}
        self.model.history.epoch = list(range(state.epoch))
        callback_state.restore(callbacks, state.callbacks, state.arrays)
        self.model.stop_training = state.stopped
        return state.epoch

    def evaluate(self, part: Subset) -> dict[str, float]:
        """Evaluates the model.

        Args:
            part: The examples.

        Returns:
            The figures on them, by Keras' names.

        Raises:
            Stopped: `stop` was set.
        """
        self.model.reset_metrics()
        for _ in self._over(self._test_loop, part, part.rows, TEST_BATCH * self._replicas):
            self._check_stop()
        return self._figures()

    def _epoch(self, epoch: int, watchers: Any, on_progress: Callable[[Progress], None]) -> dict[str, float]:
        self.model.reset_metrics()
        order = self.train.rows[epoch_order(self.seed, epoch, len(self.train.rows))]
        step, started = 0, time.perf_counter()
        watchers.on_train_batch_begin(step)
        for steps in self._over(self._train_loop, self.train, order, self.batch_size):
            step += steps
            figures = self._figures()
            watchers.on_train_batch_end(step - 1, figures)
            on_progress(self._progress(epoch, step, figures, time.perf_counter() - started))
            self._check_stop()
            if step < self.steps:
                watchers.on_train_batch_begin(step)
        watchers.on_test_begin()
        validation = self.evaluate(self.validation)
        watchers.on_test_end(validation)
        return figures | {VALIDATION + name: value for name, value in validation.items()}

    def _over(self, loop: Loop, part: Subset, order: NDArray[np.int64], batch_size: int) -> Iterator[int]:
        """Runs a loop over examples; gives the number of steps after each chunk."""
        order = order[: len(order) - len(order) % self._replicas]
        batch_size = min(batch_size, len(order))
        capacity = chunk_capacity(part.data, batch_size, len(order))
        # The gathering thread calls the lambda while `loop(chunk)` runs here; see `Loop.target_steps`.
        for chunk in prefetch(chunks(part.data, order, batch_size, capacity, lambda: loop.target_steps)):
            loop(chunk)
            yield chunk.steps

    def _progress(self, epoch: int, step: int, figures: Mapping[str, float], seconds: float) -> Progress:
        return Progress(
            epoch=epoch + 1, epochs=self.epochs, step=step, steps=self.steps, metrics=figures, step_rate=step / seconds
        )

    def _figures(self) -> dict[str, float]:
        return {name: float(value) for name, value in self.model.get_metrics_result().items()}

    def _check_stop(self) -> None:
        if self.stop.is_set():
            raise Stopped

    def _watchers(self, callbacks: Sequence[Any]) -> Any:
        import keras

        return keras.callbacks.CallbackList(
            list(callbacks), add_history=True, model=self.model, epochs=self.epochs, steps=self.steps, verbose=0
        )


def build(model: Any, data: Any) -> None:
    """Builds what Keras would build at the first batch: weights, metrics and the optimizer's variables."""
    import keras

    batch = keras.tree.map_structure(lambda array: array[:2], data)
    # Private in Keras 3.15 (keras/src/trainers/trainer.py), where `fit` calls it under a distribution strategy: no
    # public call also builds the metrics and the loss.
    model._symbolic_build(data_batch=batch)
    model.optimizer.build(model.trainable_variables)


def learning_rate(optimizer: Any) -> float | None:
    """Reads the learning rate that an optimizer uses now: a variable's value, or that of a schedule at this step.

    Args:
        optimizer: A Keras optimizer; a `LossScaleOptimizer` gives the rate of the one inside.

    Returns:
        The rate; None for Keras' `MultiOptimizer`, which has several.
    """
    import keras

    rate = getattr(optimizer, "learning_rate", None)
    return None if rate is None else float(keras.ops.convert_to_numpy(rate))  # a mirrored variable has no float()

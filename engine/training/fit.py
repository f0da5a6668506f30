"""Trains a model for some epochs: the order of things in Keras' `fit`, with epochs that run in compiled loops."""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..errors import InputError, OptionError
from ..metrics import LEARNING_RATE, VALIDATION, EpochReport
from ..status import Progress
from .batches import chunk_capacity, chunk_like, chunks, epoch_order, prefetch
from .callback_state import CallbackStates, continue_files, finish_averages, keep_raw_weights, overrides
from .checkpoint import TrainingState, variables_of
from .execution_mode import ExecutionMode, Fallback, why_not_xla, xla_pays
from .keras_model import (
    averages,
    build_by_a_step,
    build_untraced,
    compilation,
    evaluates_alike,
    finalize_weights,
    fixed_batch_size,
    global_seed,
    has_unbuilt_optimizers,
    held_variables,
    trained_elsewhere,
    trained_optimizer,
    untracked,
)
from .loop import Loop
from .step_figures import figures_of, learning_rate, logs_of, returns_logs
from .stop import check_stop

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

TEST_BATCH = 1000
"""Examples of one step of an evaluation, where the figures can't depend on it."""


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
        epochs: How many epochs there are in all; `keras.config.set_max_epochs` may have set fewer.
        seed: Decides the order of the examples in each epoch.
        stop: Set by whoever wants the training to end.
        mode: The mode to begin with; see `engine.training.execution_mode`.
        may_choose: Run as a graph, though the mode is XLA, where the training is too short for XLA to pay.
        strategy: The `tf.distribute.Strategy` that the model was built for.
        history: The figures of the finished epochs by Keras' names; those before a resume included.
        more_variables: The TensorFlow variables that a step uses beside those of the model and its optimizer, such as
            those of an optimizer that is an attribute of the model.
        epochs_done: How many epochs were finished, those before a resume included.
        callback_states: What the callbacks of `run`, and Keras' own history, have learned.
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
    may_choose: bool = False
    history: dict[str, list[float]] = field(default_factory=dict)
    more_variables: list[Any] = field(default_factory=list)
    epochs_done: int = 0
    callback_states: CallbackStates = field(init=False)
    _train_loop: Loop = field(init=False)
    _test_loop: Loop = field(init=False)
    _at_begin: list[tuple[Any, Any]] = field(init=False)
    _replicas: int = field(init=False)
    _elsewhere: dict[int, Any] | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self.epochs = min(self.epochs, _most_epochs() or self.epochs)
        self._replicas = self.strategy.num_replicas_in_sync
        if self.batch_size % self._replicas:
            raise OptionError(
                f"a batch can't be shared by {self._replicas} devices",
                received=f"--batch-size {self.batch_size}",
                expected=f"a multiple of {self._replicas}",
            )
        self.check_batches(self.train, "training")
        self.check_batches(self.validation, "validation")
        model, mode, strategy = self.model, self.mode, self.strategy
        self._train_loop = Loop(model.train_step, mode, strategy, keeps_logs=returns_logs(model, "train_step"))
        self._test_loop = Loop(model.test_step, mode, strategy, keeps_logs=returns_logs(model, "test_step"))
        self._build()
        numbers = model.optimizer.variables if model.optimizer is not None else ()
        self._at_begin = [(variable, variable.numpy()) for variable in numbers if math.prod(variable.shape) == 1]

    def check_batches(self, subset: Subset, name: str) -> None:
        """Refuses before the first step what would fail at the last, smaller batch.

        Args:
            subset: Examples that the model will see.
            name: What they are for: "training".

        Raises:
            OptionError: The model takes batches of one size, which these examples don't fill.
        """
        fixed = fixed_batch_size(self.model)
        if not fixed:
            return
        if self.batch_size != fixed:
            raise OptionError(
                "the model takes batches of one size only",
                received=f"--batch-size {self.batch_size}",
                expected=f"--batch-size {fixed}, as its input says",
            )
        rest = len(subset.rows) % fixed
        if rest:
            raise OptionError(
                f"the model takes batches of {fixed} only, and the last one would have {rest}",
                received=f"{len(subset.rows):,} {name} examples",
                expected=f"a multiple of {fixed}",
                hint="let the model's input take batches of any size, or take another --batch-size for both",
            )

    def _build(self) -> None:
        """Creates all variables that the training uses, as Keras' `fit` does at its first batch."""
        size = min(self.batch_size, len(self.train.rows))
        # Nothing is traced in the mode EAGER, and a trace can't make variables of several devices.
        if self.mode is ExecutionMode.EAGER or self._replicas > 1:
            build_untraced(self.model, self.train.data)
            if self._replicas == 1 and has_unbuilt_optimizers(self.model):
                first = next(chunks(self.train.data, self.train.rows[:size], size, 1))
                build_by_a_step(self.model, lambda: self._train_loop(first))
            self.more_variables = untracked(self.model, held_variables(self.model))
            if self._replicas == 1:
                more = [*global_seed(), *(variable.value for variable in self.model.metrics_variables)]
                self.more_variables += untracked(self.model, more)
                self._elsewhere = trained_elsewhere(self.model)
            return
        used = self._trace(self._train_loop, self.train, size)
        if self.may_choose and self.mode is ExecutionMode.XLA:
            self._choose()
        used += self._trace(self._test_loop, self.validation, min(self._test_batch, len(self.validation.rows)))
        self.more_variables = untracked(self.model, used)

    def _choose(self) -> None:
        """Leaves XLA out where the training is too short for it to pay; both loops run in one mode."""
        import tensorflow as tf

        graph = self._train_loop.graph.as_graph_def(add_shapes=True)
        steps, gpu = self.epochs * self.steps, bool(tf.config.list_logical_devices("GPU"))
        if not why_not_xla(graph, gpu=gpu) and not xla_pays(graph, steps, gpu=gpu):
            reason = f"XLA would take longer to compile than it saves in {steps:,} steps"
            for loop in (self._train_loop, self._test_loop):
                loop.fall_back(reason, is_usual=True)

    def _trace(self, loop: Loop, part: Subset, batch_size: int) -> list[Any]:
        """Traces a step on whole chunks; the variables that it uses."""
        return loop.trace(chunk_like(part.data, batch_size, chunk_capacity(part.data, batch_size, len(part.rows))))

    @property
    def steps(self) -> int:
        """Batches of an epoch."""
        return -(-len(self.train.rows[: _most_rows(self.batch_size)]) // self.batch_size)

    @property
    def changes_at_end(self) -> bool:
        """Whether the finished model has other weights than the last validation: the optimizer averages them."""
        return averages(self.model)

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
        compiled = compilation(self.model)
        keep_raw_weights(watchers.callbacks)
        self.epochs_done = self._begin(watchers, resumed)
        logs: dict[str, Any] = {}
        for epoch in range(self.epochs_done, 0 if resumed and resumed.stopped else self.epochs):
            started = time.perf_counter()
            self.model.reset_metrics()
            watchers.on_epoch_begin(epoch)
            if compilation(self.model) != compiled:
                what = "a callback compiled the model again, which Keras' fit can't train any further either"
                raise InputError(what, hint="change variables of the optimizer, or train a second run from the first")
            logs = self._epoch(epoch, watchers, on_progress)
            # Of this epoch: a callback may change it for the next one.
            rate = learning_rate(trained_optimizer(self.model))
            watchers.on_epoch_end(epoch, logs)
            figures = figures_of(logs)
            for name, value in figures.items():
                self.history.setdefault(name, []).append(value)
            self.epochs_done = epoch + 1
            self._check_elsewhere()
            seconds = time.perf_counter() - started
            # Callbacks and the history have the model's own figures, as in Keras; the rate goes into the report alone.
            reported = figures | ({} if rate is None else {LEARNING_RATE: rate})
            on_epoch(EpochReport(epoch=epoch + 1, epochs=self.epochs, metrics=reported, seconds=seconds))
            if self.model.stop_training:
                break
        if self.epochs_done == self.epochs:
            finish_averages(watchers.callbacks)
        finalize_weights(self.model)
        watchers.on_train_end(logs)

    def _check_elsewhere(self) -> None:
        """Refuses after the first epoch what the checkpoint would lack; a traced step has shown all that it uses."""
        before, self._elsewhere = self._elsewhere, None
        if before is None:
            return
        after = trained_elsewhere(self.model)
        unknown = [name for key, (name, _, now) in after.items() if key in before and before[key][2] != now]
        # A new optimizer was made for a step; a new variable may be of a model that a callback has made and dropped.
        unknown += [name for key, (name, _, now) in after.items() if key not in before and isinstance(now, int) and now]
        late = {id(variable): variable for variable in untracked(self.model, held_variables(self.model))}
        late = {key: late[key] for key in late.keys() - {id(variable) for variable in self.more_variables}}
        unknown += [f"the variable {variable.name}" for variable in late.values()]
        if unknown:
            raise InputError(
                "a checkpoint would not hold all that this model trains",
                received=f"{unknown[0]}, which was no attribute of the model when the training began",
                expected="optimizers and variables that the model, or a layer, has as attributes from the start",
                hint="make it an attribute in the model's __init__, or compile without run_eagerly=True",
            )

    def _begin(self, watchers: Any, resumed: TrainingState | None) -> int:
        """Begins the training, or continues it; the epochs that are done."""
        self.callback_states = CallbackStates(watchers.callbacks)
        if not resumed:
            watchers.on_train_begin()
            self.callback_states.begin()
            return self.model._initial_epoch or 0  # where Keras' BackupAndRestore writes how far its backup is
        continue_files(watchers.callbacks, resumed.epoch)
        with self._as_at_begin():
            watchers.on_train_begin()
        self.callback_states.begin()
        self.model._initial_epoch = resumed.epoch
        self.model.stop_training = resumed.stopped
        self.history = {name: list(values) for name, values in resumed.history.items()}
        self.model.history.history |= {name: list(values) for name, values in resumed.history.items()}
        self.model.history.epoch = list(range(resumed.epoch))
        self.callback_states.restore(resumed.callbacks, resumed.arrays)
        return resumed.epoch

    @contextlib.contextmanager
    def _as_at_begin(self) -> Iterator[None]:
        """Shows callbacks the learning rate and the other numbers as they are when a training begins.

        What they change of the variables is undone: the checkpoint is newer, be it than a backup of Keras.
        """
        variables = variables_of(self.model, self.more_variables)
        restored = [variable.numpy() for variable in variables]
        for variable, value in self._at_begin:
            variable.assign(value)
        yield
        for variable, value in zip(variables, restored, strict=True):
            variable.assign(value)

    def evaluate(self, part: Subset) -> dict[str, float]:
        """Evaluates the model.

        Args:
            part: The examples.

        Returns:
            The figures on them, by Keras' names.

        Raises:
            Stopped: `stop` was set.
        """
        return figures_of(self._evaluate(part))

    def _evaluate(self, part: Subset, watchers: Any = None) -> dict[str, Any]:
        """Evaluates the model; the logs, as callbacks see them, which cost time where no callback asks for them."""
        model, loop, size, step = self.model, self._test_loop, self._test_batch, 0
        model.stop_evaluating = False
        if watchers:
            watchers.on_test_begin()
        model.reset_metrics()
        rows = part.rows[: _most_rows(self.batch_size)]
        listens = watchers is not None and overrides(watchers.callbacks, "on_test_batch_end")
        if watchers:
            watchers.on_test_batch_begin(step)
        with contextlib.closing(self._over(loop, part, rows, size)) as chunks_run:
            for steps in chunks_run:
                step += steps
                if listens:
                    watchers.on_test_batch_end(step - 1, logs_of(model, loop.logs))
                check_stop(self.stop)
                if model.stop_evaluating:
                    break
                if watchers and step * size < len(rows):
                    watchers.on_test_batch_begin(step)
        logs = logs_of(model, loop.logs)
        if watchers:
            watchers.on_test_end(logs)
        return logs

    @property
    def _test_batch(self) -> int:
        """Examples of one step of an evaluation: those of a training step, as in Keras, where it can matter."""
        return TEST_BATCH * self._replicas if evaluates_alike(self.model) else self.batch_size

    def _epoch(self, epoch: int, watchers: Any, on_progress: Callable[[Progress], None]) -> dict[str, Any]:
        """Trains and validates; the logs of the epoch, as callbacks see them."""
        order = self.train.rows[epoch_order(self.seed, epoch, len(self.train.rows))][: _most_rows(self.batch_size)]
        step, started, logs = 0, time.perf_counter(), dict[str, Any]()
        watchers.on_train_batch_begin(step)
        with contextlib.closing(self._over(self._train_loop, self.train, order, self.batch_size)) as chunks_run:
            for steps in chunks_run:
                step += steps
                logs = logs_of(self.model, self._train_loop.logs)
                watchers.on_train_batch_end(step - 1, logs)
                on_progress(self._progress(epoch, step, figures_of(logs), time.perf_counter() - started))
                check_stop(self.stop)
                if self.model.stop_training:
                    break
                if step < self.steps:
                    watchers.on_train_batch_begin(step)
        validation = self._evaluate(self.validation, watchers)
        return logs | {VALIDATION + name: value for name, value in validation.items()}

    def _over(self, loop: Loop, part: Subset, order: NDArray[np.int64], batch_size: int) -> Generator[int, None, None]:
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

    def _watchers(self, callbacks: Sequence[Any]) -> Any:
        import keras

        return keras.callbacks.CallbackList(
            list(callbacks), add_history=True, model=self.model, epochs=self.epochs, steps=self.steps, verbose=0
        )


def _most_epochs() -> int | None:
    """The most epochs that Keras' configuration allows; None without a limit."""
    import keras

    most: int | None = getattr(keras.config, "max_epochs", lambda: None)()  # older versions of Keras have none
    return most


def _most_rows(batch_size: int) -> int | None:
    """The examples of an epoch that Keras' configuration allows; None without a limit."""
    import keras

    most: int | None = getattr(keras.config, "max_steps_per_epoch", lambda: None)()
    return most and most * batch_size

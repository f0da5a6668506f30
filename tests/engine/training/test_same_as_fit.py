"""What Keras' `fit` does besides its steps, with `fit` as the judge: one epoch of the same batches, in float64."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stoker.engine.data import Dataset, Split
from stoker.engine.errors import InputError, OptionError
from stoker.engine.job import TrainJob
from stoker.engine.training.batches import epoch_order
from stoker.engine.training.checkpoint import Checkpoints, TrainingState, best_epoch, restore
from stoker.engine.training.example_weights import training_weights
from stoker.engine.training.execution_mode import ExecutionMode, choose_mode, compile_watched
from stoker.engine.training.fit import Fit, Subset
from stoker.engine.training.model_check import ignored_methods
from stoker.engine.training.prepare import split

from ... import tiny
from . import test_keras_callbacks

pytestmark = pytest.mark.usefixtures("float64")
BATCH, SEED = 30, 5


def data() -> tuple[Any, Any]:
    images, labels = tiny.arrays(330, 1)
    return images.astype(np.float64) / 255, labels


def ours(model: Any, *, epochs: int = 1, mode: ExecutionMode = ExecutionMode.GRAPH, **changed: Any) -> Fit:
    import tensorflow as tf

    part = Subset(data=data(), rows=np.arange(330))
    settings: dict[str, Any] = {"train": part, "validation": part, "batch_size": BATCH, "seed": SEED}
    more = {"epochs": epochs, "stop": threading.Event(), "mode": mode, "strategy": tf.distribute.get_strategy()}
    return Fit(model=model, **settings | more | changed)


def theirs(keras: Any, model: Any, callbacks: Any = ()) -> dict[str, list[Any]]:
    """The history of Keras' `fit` over the batches of our first epoch."""
    images, labels = data()
    order = epoch_order(SEED, 0, len(labels))
    history: dict[str, list[Any]] = model.fit(
        images[order], labels[order], batch_size=BATCH, shuffle=False, verbose=0, callbacks=list(callbacks)
    ).history
    return history


def twins(keras: Any, make: Callable[[Any], Any]) -> tuple[Any, Any]:
    """Two models of the same initial weights."""
    models = []
    for _ in range(2):
        keras.utils.set_random_seed(1)
        models.append(make(keras))
    return models[0], models[1]


def dense(keras: Any, optimizer: Any = "adam", **compiled: Any) -> Any:
    model = keras.Sequential(
        [keras.Input(tiny.SHAPE), keras.layers.Flatten(), keras.layers.Dense(tiny.CLASSES, activation="softmax")]
    )
    model.compile(optimizer, **{"loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"]} | compiled)
    return model


def agree(mine: Any, other: Any) -> None:
    for one, two in zip(mine.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(one, two, atol=1e-9)


def in_two_pieces(make: Callable[[], Any], folder: Path, mode: ExecutionMode, keras: Any) -> tuple[Fit, Fit]:
    """A training of two epochs, and the same with a stop after the first one."""
    keras.utils.set_random_seed(1)
    whole = ours(make(), epochs=2, mode=mode)
    whole.run([], lambda report: None)
    keras.utils.set_random_seed(1)
    first, checkpoints = ours(make(), mode=mode), Checkpoints(folder)

    def save(report: Any) -> None:
        state = TrainingState(run_id="run", epoch=report.epoch, history=first.history, time_s=0.0)
        checkpoints.save(first.model, state, first.more_variables)

    first.run([], save)
    checkpoints.wait()
    keras.utils.set_random_seed(7)
    second = ours(make(), epochs=2, mode=mode)
    second.run([], lambda report: None, restore(folder / "000001", second.model, "run", second.more_variables))
    return whole, second


AVERAGED: dict[str, Callable[[Any], Any]] = {
    "ema": lambda keras: keras.optimizers.SGD(0.5, use_ema=True, ema_momentum=0.9),
    "ema, overwritten every third step": lambda keras: keras.optimizers.Adam(
        use_ema=True, ema_momentum=0.9, ema_overwrite_frequency=3
    ),
    "ema in a loss scale": lambda keras: keras.optimizers.LossScaleOptimizer(
        keras.optimizers.SGD(0.5, use_ema=True, ema_momentum=0.9)
    ),
}


@pytest.mark.parametrize("kind", AVERAGED)
def test_the_finished_model_has_the_averages_of_its_optimizer(keras: Any, kind: str):
    mine, other = twins(keras, lambda keras: dense(keras, AVERAGED[kind](keras)))
    fit = ours(mine)
    fit.run([], lambda report: None)
    theirs(keras, other)
    agree(mine, other)
    assert fit.changes_at_end


def test_a_checkpoint_has_the_weights_from_before_the_averages(keras: Any, tmp_path: Path):
    """A resume with more epochs continues from these."""
    fit, checkpoints = ours(dense(keras, keras.optimizers.SGD(0.5, use_ema=True))), Checkpoints(tmp_path)
    raw: list[Any] = []

    def save(report: Any) -> None:
        raw.extend(fit.model.get_weights())
        checkpoints.save(fit.model, TrainingState(run_id="run", epoch=1, history={}, time_s=0.0))

    fit.run([], save)
    checkpoints.wait()
    again = ours(dense(keras, keras.optimizers.SGD(0.5, use_ema=True)))
    restore(tmp_path / "000001", again.model, "run")
    for one, two in zip(again.model.get_weights(), raw, strict=True):
        np.testing.assert_array_equal(one, two)
    assert any(not np.array_equal(one, two) for one, two in zip(fit.model.get_weights(), raw, strict=True))


def own_step(keras: Any) -> Any:
    """A model whose step returns more than its metrics know."""
    import tensorflow as tf

    class Own(keras.Sequential):  # type: ignore[misc]
        def train_step(self, data: Any) -> Any:
            images, labels = data
            with tf.GradientTape() as tape:
                loss = self.compute_loss(x=images, y=labels, y_pred=self(images, training=True))
            gradients = tape.gradient(loss, self.trainable_variables)
            self.optimizer.apply(gradients, self.trainable_variables)
            norm = tf.linalg.global_norm(gradients)
            return {"loss": loss, "norms": {"whole": norm, "half": norm / 2}, "each": tf.stack([loss, norm])}

    model = Own([keras.Input(tiny.SHAPE), keras.layers.Flatten(), keras.layers.Dense(3, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    return model


@pytest.mark.parametrize("mode", ExecutionMode)
def test_figures_are_what_the_models_own_step_returned(keras: Any, mode: ExecutionMode):
    mine, other = twins(keras, own_step)
    fit = ours(mine, mode=mode)
    fit.run([], lambda report: None)
    expected = theirs(keras, other)
    assert fit.history["loss"] == pytest.approx(expected["loss"], abs=1e-9)
    assert fit.history["whole"] == pytest.approx(expected["whole"], abs=1e-9)
    assert [fit.history["each_0"][0], fit.history["each_1"][0]] == pytest.approx(expected["each"][0], abs=1e-9)
    agree(mine, other)


def test_callbacks_see_the_logs_that_they_see_in_fit(keras: Any):
    seen: list[set[str]] = []

    class Watcher(keras.callbacks.Callback):  # type: ignore[misc]
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            seen.append({name for name in logs if not name.startswith("val_")})

    mine, other = twins(keras, own_step)
    ours(mine).run([Watcher()], lambda report: None)
    theirs(keras, other, [Watcher()])
    assert seen[0] == seen[1] == {"loss", "whole", "half", "each"}


def test_a_metric_of_several_numbers_is_several_figures(keras: Any):
    class PerClass(keras.metrics.Metric):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(name="seen")
            self.counts = self.add_weight(shape=(3,), initializer="zeros", name="counts")

        def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
            one_hot = keras.ops.one_hot(keras.ops.cast(keras.ops.reshape(y_true, (-1,)), "int32"), 3)
            self.counts.assign_add(keras.ops.cast(keras.ops.sum(one_hot, axis=0), self.counts.dtype))

        def result(self) -> Any:
            return self.counts / 1

    fit = ours(dense(keras, metrics=[PerClass()]))
    fit.run([], lambda report: None)
    assert [fit.history[f"seen_{index}"] for index in range(3)] == [[110.0]] * 3
    assert fit.history["val_seen_2"] == [110.0]


def test_a_batch_callback_ends_the_epoch_after_its_chunk(keras: Any):
    class Ends(keras.callbacks.Callback):  # type: ignore[misc]
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            self.model.stop_training = True

    model = dense(keras)
    ended: list[int] = []
    fit = ours(model, batch_size=1, epochs=5)
    fit.run([Ends()], lambda report: ended.append(report.epoch))
    assert ended == [1]
    assert int(model.optimizer.iterations) < 330


def test_training_that_is_stopped_before_it_begins_runs_for_one_chunk(keras: Any):
    class Stops(keras.callbacks.Callback):  # type: ignore[misc]
        def on_train_begin(self, logs: Any = None) -> None:
            self.model.stop_training = True

    mine, other = twins(keras, dense)
    ours(mine, epochs=3).run([Stops()], lambda report: None)
    theirs(keras, other, [Stops()])
    assert mine.history.epoch == other.history.epoch == [0]


def test_callbacks_see_the_same_calls_in_the_same_order(keras: Any):
    """With one chunk for each epoch and one for each evaluation, there is one call for each step of `fit` too."""
    seen: list[Any] = []

    def watcher() -> Any:
        names = [name for name in dir(keras.callbacks.Callback) if name.startswith("on_") and "predict" not in name]

        def saw(self: Any, name: str, arguments: Any) -> None:
            numbers = [value for value in arguments if isinstance(value, int)]
            logs = next((sorted(value) for value in arguments if isinstance(value, dict)), [])
            # what metrics hold at this moment shows whether they were reset before the call
            seen.append((name, numbers, logs, float(self.model._loss_tracker.result()) == 0.0))

        def method(name: str) -> Any:
            return lambda self, *arguments, logs=None: saw(self, name, (*arguments, logs))

        return type("Watcher", (keras.callbacks.Callback,), {name: method(name) for name in names})()

    mine, other = twins(keras, dense)
    ours(mine, batch_size=330, epochs=2).run([watcher()], lambda report: None)
    calls = seen.copy()
    seen.clear()
    other.fit(*data(), batch_size=330, epochs=2, verbose=0, validation_data=data(), callbacks=[watcher()])
    assert calls == seen


def test_an_evaluation_can_be_ended_before_it_begins(keras: Any):
    class Ends(keras.callbacks.Callback):  # type: ignore[misc]
        def on_test_begin(self, logs: Any = None) -> None:
            self.model.stop_evaluating = True

    fit = ours(dense(keras, loss=keras.losses.SparseCategoricalCrossentropy(reduction="sum")))  # in batches of 30
    fit.run([Ends()], lambda report: None)
    expected = fit.model.evaluate(*data(), batch_size=330, verbose=0, return_dict=True)["loss"]
    assert fit.history["val_loss"][0] < expected / 2


def test_an_evaluation_ends_where_a_callback_says_so(keras: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("stoker.engine.training.fit.TEST_BATCH", 10)
    seen: list[Any] = []

    class Ends(keras.callbacks.Callback):  # type: ignore[misc]
        def on_test_batch_begin(self, batch: int, logs: Any = None) -> None:
            seen.append(batch)

        def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
            seen.append((batch, sorted(logs)))
            self.model.stop_evaluating = True

    fit = ours(dense(keras))
    fit.run([Ends()], lambda report: None)
    assert seen == [0, (15, ["accuracy", "loss"])]
    assert len(fit.history["val_loss"]) == 1


def test_figures_of_an_evaluation_are_computed_once_unless_a_callback_asks(keras: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("stoker.engine.training.fit.TEST_BATCH", 10)
    asked: list[int] = []
    fit = ours(dense(keras))
    fit.evaluate(fit.validation)  # its trace asks as well
    result = fit.model.get_metrics_result
    monkeypatch.setattr(fit.model, "get_metrics_result", lambda: asked.append(1) or result())
    fit.evaluate(fit.validation)
    assert len(asked) == 1


def test_limits_of_keras_configuration_are_respected(keras: Any):
    keras.config.set_max_epochs(1)
    keras.config.set_max_steps_per_epoch(3)
    try:
        mine, other = twins(keras, dense)
        fit = ours(mine, epochs=9)
        fit.run([], lambda report: None)
        with pytest.warns(UserWarning, match="Limiting"):
            expected = theirs(keras, other)
        assert (fit.epochs_done, int(mine.optimizer.iterations)) == (1, 3)
        with pytest.warns(UserWarning, match="Limiting"):
            evaluated = other.evaluate(*data(), batch_size=BATCH, verbose=0)
    finally:
        keras.config.set_max_epochs(None)
        keras.config.set_max_steps_per_epoch(None)
    agree(mine, other)
    assert fit.history["loss"] == pytest.approx(expected["loss"], abs=1e-12)
    assert [fit.history["val_loss"][0], fit.history["val_accuracy"][0]] == pytest.approx(evaluated, abs=1e-12)


def test_losses_of_several_outputs_weigh_each_example_alike(keras: Any):
    """The last of the batches has 10 examples; the outputs' losses add up to the loss, which in `fit` they don't."""

    def make(keras: Any) -> Any:
        inputs = keras.Input(tiny.SHAPE)
        flat = keras.layers.Flatten()(inputs)
        outputs = [keras.layers.Dense(3, activation="softmax", name=name)(flat) for name in ("one", "two")]
        model = keras.Model(inputs, outputs)
        model.compile("adam", ["sparse_categorical_crossentropy"] * 2)
        return model

    images, labels = data()
    arrays, order = (images[:70], (labels[:70], labels[:70])), epoch_order(SEED, 0, 70)
    mine, other = twins(keras, make)
    part = Subset(data=arrays, rows=np.arange(70))
    fit = ours(mine, train=part, validation=part)
    fit.run([], lambda report: None)
    given = keras.tree.map_structure(lambda array: array[order], arrays)
    expected = other.fit(*given, batch_size=BATCH, shuffle=False, verbose=0).history
    agree(mine, other)
    assert fit.history["loss"] == pytest.approx(expected["loss"], abs=1e-12)
    assert fit.history["one_loss"][0] + fit.history["two_loss"][0] == pytest.approx(fit.history["loss"][0], abs=1e-12)
    assert expected["one_loss"][0] + expected["two_loss"][0] != pytest.approx(expected["loss"][0], abs=1e-4)


def without_call(keras: Any) -> Any:
    """A model in the manner of a GAN: no `call`, two optimizers of its own, a variable that nobody tracks."""
    import tensorflow as tf

    class Pair(keras.Model):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.first = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(4), keras.layers.Dropout(0.2)])
            self.second = keras.Sequential([keras.layers.Dense(1)])
            self.optimizers = {"a": keras.optimizers.Adam(0.01), "b": keras.optimizers.SGD(0.01, momentum=0.9)}
            self.steps = tf.Variable(0, dtype=tf.int64)

        def train_step(self, data: Any) -> Any:
            with tf.GradientTape(persistent=True) as tape:
                loss = tf.reduce_mean(tf.square(self.second(self.first(data[0], training=True)) - 1.0))
            for name, part in (("a", self.first), ("b", self.second)):
                gradients = tape.gradient(loss, part.trainable_variables)
                self.optimizers[name].apply(gradients, part.trainable_variables)
            self.steps.assign_add(1)
            return {"loss": loss, "steps": self.steps}

        def test_step(self, data: Any) -> Any:
            return {"loss": tf.reduce_mean(tf.square(self.second(self.first(data[0])) - 1.0))}

    model = Pair()
    model.compile(optimizer=None)
    return model


@pytest.mark.parametrize("mode", ExecutionMode)
def test_a_model_without_call_trains_and_resumes_to_the_same_bits(keras: Any, tmp_path: Path, mode: ExecutionMode):
    whole, second = in_two_pieces(lambda: without_call(keras), tmp_path, mode, keras)
    assert whole.history["steps"] == [11.0, 22.0]
    assert second.history == whole.history
    for mine, other in zip(second.model.get_weights(), whole.model.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, other)


def test_a_loss_scale_optimizer_has_the_variables_that_it_has_in_fit(keras: Any):
    mine, other = twins(keras, lambda keras: dense(keras, keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam())))
    ours(mine).run([], lambda report: None)
    theirs(keras, other)
    shapes = [[tuple(variable.shape) for variable in model.optimizer.variables] for model in (mine, other)]
    assert shapes[0] == shapes[1]
    agree(mine, other)


def fixed(keras: Any) -> Any:
    model = keras.Sequential([keras.Input(batch_shape=(BATCH, *tiny.SHAPE)), keras.layers.LSTM(4, stateful=True)])
    model.add(keras.layers.Dense(tiny.CLASSES, activation="softmax"))
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


def test_a_model_with_a_fixed_batch_size_trains(keras: Any):
    mine, other = twins(keras, fixed)
    fit = ours(mine)
    fit.run([], lambda report: None)
    assert fit.history["loss"] == pytest.approx(theirs(keras, other)["loss"], abs=1e-9)


@pytest.mark.parametrize(("size", "rows", "said"), [(10, 330, "--batch-size 30"), (30, 320, "a multiple of 30")])
def test_batches_that_do_not_fit_are_refused_before_the_first_step(keras: Any, size: int, rows: int, said: str):
    with pytest.raises(OptionError) as caught:
        ours(fixed(keras), batch_size=size, validation=Subset(data=data(), rows=np.arange(rows)))
    assert said in caught.value.expected
    assert "batch" in str(caught.value)


def test_test_examples_that_do_not_fit_are_refused_too(keras: Any):
    with pytest.raises(OptionError, match="the last one would have 20"):
        ours(fixed(keras)).check_batches(Subset(data=data(), rows=np.arange(320)), "test")


@pytest.mark.parametrize(
    ("compiled", "mode"),
    [({}, "xla"), ({"jit_compile": "auto"}, "xla"), ({"jit_compile": True}, "xla"), ({"jit_compile": False}, "graph")],
)
def test_what_the_user_asked_of_xla_is_respected(keras: Any, compiled: dict[str, Any], mode: str):
    import tensorflow as tf

    with compile_watched() as asked:
        model = dense(keras, **compiled)
    found, reason = choose_mode(model, tf.distribute.get_strategy(), asked[id(model)])
    assert found == mode
    assert ("jit_compile=False" in reason) == (mode == "graph")


def test_a_layer_says_that_xla_is_not_for_it(keras: Any):
    import tensorflow as tf

    model, strategy = dense(keras), tf.distribute.get_strategy()
    model.layers[0].supports_jit = False
    reason = f"XLA can't compile the layer {model.layers[0].name}"
    assert choose_mode(model, strategy, "auto") == ("graph", reason)
    assert choose_mode(model, strategy, jit_compile=True)[0] == "xla"


def test_a_model_from_a_file_asks_for_nothing(keras: Any, tmp_path: Path):
    dense(keras, "sgd").save(tmp_path / "model.keras")
    with compile_watched() as asked:
        model = keras.models.load_model(tmp_path / "model.keras")
    assert asked[id(model)] == "auto"


def test_floats_reach_the_model_as_floatx(keras: Any):
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")
    seen: list[str] = []

    class Watched(keras.layers.Layer):  # type: ignore[misc]
        def call(self, inputs: Any) -> Any:
            seen.append(str(inputs.dtype))
            return inputs

        def compute_output_shape(self, shape: Any) -> Any:
            return shape

    class Whole(keras.Model):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(autocast=False)
            self.watched = Watched(autocast=False)
            self.rest = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(3, activation="softmax")])

        def call(self, inputs: Any) -> Any:
            return self.rest(self.watched(inputs))

    model = Whole()
    model.compile("sgd", "sparse_categorical_crossentropy")
    ours(model).run([], lambda report: None)
    assert len(seen) > 0
    assert all("float32" in one for one in seen)


def test_a_callback_that_compiles_is_refused_with_a_reason(keras: Any):
    class Compiles(keras.callbacks.Callback):  # type: ignore[misc]
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            if epoch == 1:
                self.model.compile(self.model.optimizer, "sparse_categorical_crossentropy")

    with pytest.raises(InputError, match="a callback compiled the model again"):
        ours(dense(keras), epochs=2).run([Compiles()], lambda report: None)
    mine = dense(keras)
    with pytest.raises(TypeError):
        mine.fit(*data(), epochs=2, verbose=0, callbacks=[Compiles()])


def interrupted(keras: Any, folder: Path) -> Any:
    """A callback that leaves a backup of two epochs."""
    model = dense(keras)

    class Leaves(keras.callbacks.Callback):  # type: ignore[misc]
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            if epoch == 2:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        model.fit(*data(), epochs=5, verbose=0, callbacks=[Leaves(), keras.callbacks.BackupAndRestore(folder)])


def test_a_backup_of_keras_is_continued_and_its_epochs_are_counted(keras: Any, tmp_path: Path):
    interrupted(keras, tmp_path / "backup")
    epochs: list[int] = []
    fit = ours(dense(keras), epochs=4)
    fit.run([keras.callbacks.BackupAndRestore(tmp_path / "backup")], lambda report: epochs.append(report.epoch))
    assert epochs == [3, 4]
    assert (fit.epochs_done, best_epoch(fit.history, fit.epochs_done)) == (4, 4)


def test_a_resume_wins_over_a_backup_of_keras(keras: Any, tmp_path: Path):
    interrupted(keras, tmp_path / "backup")
    fit = ours(dense(keras), epochs=1)
    before = fit.model.get_weights()
    state = TrainingState(run_id="run", epoch=1, history={"loss": [1.0]}, time_s=0.0)
    fit.run([keras.callbacks.BackupAndRestore(tmp_path / "backup")], lambda report: None, state)
    for one, two in zip(fit.model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(one, two)


def test_the_order_depends_on_seed_and_epoch_alone():
    orders = [epoch_order(seed, epoch, 50).tolist() for seed in (0, 1) for epoch in (0, 1)]
    assert orders == [epoch_order(seed, epoch, 50).tolist() for seed in (0, 1) for epoch in (0, 1)]
    assert len({tuple(order) for order in orders}) == 4


def test_callbacks_for_batches_are_called_once_a_chunk(keras: Any):
    seen: list[int] = []

    class Watcher(keras.callbacks.Callback):  # type: ignore[misc]
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            seen.append(batch)

    ours(dense(keras), batch_size=1).run([Watcher()], lambda report: None)
    assert seen == sorted(set(seen))
    assert (len(seen) < 330, seen[-1]) == (True, 329)


def test_figures_of_an_evaluation_do_not_depend_on_its_batches(keras: Any):
    fit = ours(dense(keras))
    images, labels = data()
    expected = fit.model.evaluate(images, labels, batch_size=7, verbose=0, return_dict=True)
    assert fit.evaluate(fit.validation) == pytest.approx(expected, abs=1e-9)


def test_random_numbers_change_with_the_execution_mode(keras: Any):
    def make(keras: Any) -> Any:
        layers = [keras.Input(tiny.SHAPE), keras.layers.Flatten(), keras.layers.Dropout(0.5)]
        model = keras.Sequential([*layers, keras.layers.Dense(3, activation="softmax")])
        model.compile("sgd", "sparse_categorical_crossentropy")
        return model

    losses = []
    for mode in (ExecutionMode.XLA, ExecutionMode.GRAPH):
        keras.utils.set_random_seed(1)
        fit = ours(make(keras), mode=mode)
        fit.run([], lambda report: None)
        losses.append(fit.history["loss"][0])
    assert losses[0] != pytest.approx(losses[1], rel=1e-4)


def dataset_of(weights: Any = None) -> Dataset:
    images, labels = data()
    train = Split(images=images, labels=labels, weights=weights)
    return Dataset(name="tiny", train=train, test=Split(images=images, labels=labels), classes=tiny.CLASSES)


def weighted(keras: Any) -> Any:
    return dense(keras, "sgd", weighted_metrics=["accuracy"])


@pytest.mark.parametrize("kind", ["balanced", '{"0": 0.25, "2": 3}', "of the data set"])
def test_weights_count_as_in_fit(keras: Any, kind: str):
    images, labels = data()
    own = np.random.default_rng(3).random(330) if kind == "of the data set" else None
    job, dataset = TrainJob(class_weight="" if own is not None else kind), dataset_of(own)
    mine, other = twins(keras, weighted)
    train, _, _ = split(dataset, 0.0, 0, training_weights(job, dataset))
    fit = ours(mine, train=train)
    fit.run([], lambda report: None)
    order = epoch_order(SEED, 0, 330)
    counts = np.bincount(labels)
    by_class = (
        {label: 330 / (3 * count) for label, count in enumerate(counts)} if kind == "balanced" else {0: 0.25, 2: 3.0}
    )
    more = {"class_weight": by_class} if own is None else {"sample_weight": own[order]}
    history = other.fit(images[order], labels[order], batch_size=BATCH, shuffle=False, verbose=0, **more).history
    agree(mine, other)
    for name, values in history.items():
        assert fit.history[name] == pytest.approx(values, rel=1e-12), name


def test_weights_by_class_do_not_count_in_a_validation_and_those_of_the_data_do(keras: Any):
    own = np.random.default_rng(3).random(330)
    for weights, members in ((None, 2), (own, 3)):
        dataset = dataset_of(weights)
        train, validation, test = split(dataset, 0.25, 0, own)
        assert (len(train.data), len(validation.data), len(test.data)) == (3, members, 2)


@pytest.mark.parametrize("method", ["fit", "evaluate", "make_train_function", "make_test_function"])
def test_methods_of_the_models_own_that_are_not_called_are_known(keras: Any, method: str):
    def own(self: Any, *arguments: Any, **more: Any) -> None:
        raise AssertionError("it was called")

    model = dense(keras)
    assert ignored_methods(model) == []
    model.__class__ = type("Own", (keras.Sequential,), {method: own})
    assert ignored_methods(model) == [method]
    ours(model).run([], lambda report: None)


HELD = {
    "the weights at the end": test_the_finished_model_has_the_averages_of_its_optimizer,
    "figures": test_figures_are_what_the_models_own_step_returned,
    "a metric with several numbers": test_a_metric_of_several_numbers_is_several_figures,
    "`class_weight`, `sample_weight`": test_weights_count_as_in_fit,
    "variables": test_a_model_without_call_trains_and_resumes_to_the_same_bits,
    "a model with additional optimizers": test_a_model_without_call_trains_and_resumes_to_the_same_bits,
    "a model with a fixed batch size": test_a_model_with_a_fixed_batch_size_trains,
    "`jit_compile=False`": test_what_the_user_asked_of_xla_is_respected,
    "floating-point data": test_floats_reach_the_model_as_floatx,
    "Keras' `BackupAndRestore`": test_a_backup_of_keras_is_continued_and_its_epochs_are_counted,
    "callbacks at a resume": test_keras_callbacks.test_a_callback_of_keras_does_the_same_with_an_interruption,
    "what callbacks find": test_keras_callbacks.test_callbacks_find_in_params_and_model_what_they_find_in_fit,
    "`stop_evaluating`": test_an_evaluation_ends_where_a_callback_says_so,
    "`keras.config.set_max_epochs`": test_limits_of_keras_configuration_are_respected,
    "the order of the examples": test_the_order_depends_on_seed_and_epoch_alone,
    "callbacks for batches": test_callbacks_for_batches_are_called_once_a_chunk,
    "`stop_training` set during an epoch": test_a_batch_callback_ends_the_epoch_after_its_chunk,
    "the batches of an evaluation": test_figures_of_an_evaluation_do_not_depend_on_its_batches,
    "the losses of several outputs": test_losses_of_several_outputs_weigh_each_example_alike,
    "a model with additional optimizers, in the mode `eager`": (
        test_a_model_without_call_trains_and_resumes_to_the_same_bits
    ),
    "a last batch that does not fit a fixed batch size": (
        test_batches_that_do_not_fit_are_refused_before_the_first_step
    ),
    "a model's own `fit`, `evaluate`, `make_train_function` or `make_test_function`": (
        test_methods_of_the_models_own_that_are_not_called_are_known
    ),
    "a callback that compiles the model": test_a_callback_that_compiles_is_refused_with_a_reason,
    "dropout and other random numbers with `xla`": test_random_numbers_change_with_the_execution_mode,
}
"""For each row of the tables in docs/training.md, the test that holds it."""


def test_each_row_of_the_tables_is_held_by_a_test():
    page = (Path(__file__).resolve().parents[3] / "docs" / "training.md").read_text(encoding="utf-8")
    section = page.partition("## The same as `fit`")[2].partition("\n## ")[0]
    rows = [line.split(" | ")[0].removeprefix("| ") for line in section.splitlines() if line.startswith("| ")]
    assert [row for row in rows if not row.startswith(("the same as", "differs from", "---"))] == list(HELD)

"""The training loop against plain Keras on the same batches, for models of many kinds; callbacks; stopping."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stoker.engine.metrics import EpochReport
from stoker.engine.training.batches import epoch_order
from stoker.engine.training.execution_mode import ExecutionMode
from stoker.engine.training.fit import Fit, Subset
from stoker.engine.training.step_figures import learning_rate
from stoker.engine.training.stop import Stopped

from ... import tiny
from ...sample import sample

EPOCHS, BATCH, SEED = 2, 32, 5


def _data() -> tuple[Any, Any]:
    images, labels = tiny.arrays(330, 1)
    return images.astype(np.float64) / 255, labels


def _dense(keras: Any, *middle: Any, optimizer: Any = "rmsprop", **compiled: Any) -> Any:
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input(tiny.SHAPE),
            layers.Flatten(),
            layers.Dense(16, activation="relu"),
            *middle,
            layers.Dense(tiny.CLASSES, activation="softmax"),
        ]
    )
    model.compile(optimizer=optimizer, loss="sparse_categorical_crossentropy", metrics=["accuracy"], **compiled)
    return model


def _convolutional(keras: Any) -> Any:
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((*tiny.SHAPE, 1)),
            layers.Conv2D(4, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dense(tiny.CLASSES, activation="softmax"),
        ]
    )
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def _two_inputs(keras: Any) -> Any:
    layers = keras.layers
    left, right = keras.Input(tiny.SHAPE, name="left"), keras.Input((4,), name="right")
    joined = layers.Concatenate()([layers.Flatten()(left), layers.Dense(4)(right)])
    model = keras.Model([left, right], layers.Dense(tiny.CLASSES, activation="softmax")(joined))
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def _own_step(keras: Any) -> Any:
    import tensorflow as tf

    class Own(keras.Model):
        """A model with a step of its own: the loss is squared."""

        def __init__(self) -> None:
            super().__init__()
            self.dense = keras.layers.Dense(tiny.CLASSES, activation="softmax")
            self.flat = keras.layers.Flatten()

        def call(self, inputs: Any, training: bool = False) -> Any:
            return self.dense(self.flat(inputs))

        def train_step(self, data: Any) -> Any:
            x, y = data
            with tf.GradientTape() as tape:
                loss = self.compute_loss(y=y, y_pred=self(x, training=True)) ** 2
            self.optimizer.apply(tape.gradient(loss, self.trainable_weights), self.trainable_weights)
            self._loss_tracker.update_state(loss, sample_weight=tf.shape(x)[0])
            return self.compute_metrics(x, y, self(x), None)

    model = Own()
    model.compile(optimizer="sgd", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def _several_metrics(keras: Any) -> Any:
    model = _dense(keras)
    model.compile(
        optimizer="rmsprop",
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy", "sparse_categorical_crossentropy"],
        weighted_metrics=["accuracy"],
    )
    return model


def _schedule(keras: Any) -> Any:
    schedule = keras.optimizers.schedules.ExponentialDecay(0.01, decay_steps=5, decay_rate=0.9)
    return _dense(keras, optimizer=keras.optimizers.SGD(schedule, momentum=0.9))


def _plain(data: Any) -> Any:
    return data


def _with_channel(data: Any) -> Any:
    return data[0][..., None], data[1]


def _with_two(data: Any) -> Any:
    return {"left": data[0], "right": data[0][:, 0, :4]}, data[1]


def _with_weights(data: Any) -> Any:
    return data[0], data[1], np.linspace(0.1, 2, len(data[1]))


MODELS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "dense": (_dense, _plain),
    "adam": (lambda keras: _dense(keras, optimizer="adam"), _plain),
    "sgd with a schedule": (_schedule, _plain),
    "lion": (lambda keras: _dense(keras, optimizer="lion"), _plain),
    # XLA has random numbers of its own: a model that draws some is compared with Keras' own XLA.
    "dropout": (lambda keras: _dense(keras, keras.layers.Dropout(0.3, seed=1), jit_compile=True), _plain),
    "batch normalization": (lambda keras: _dense(keras, keras.layers.BatchNormalization()), _plain),
    "regularizer": (lambda keras: _dense(keras, keras.layers.Dense(8, kernel_regularizer="l2")), _plain),
    "several metrics": (_several_metrics, _plain),
    "sample weights": (_several_metrics, _with_weights),
    "convolution": (_convolutional, _with_channel),
    "two inputs": (_two_inputs, _with_two),
    "own train_step": (_own_step, _plain),
}


def _fit(model: Any, data: Any, **changed: Any) -> Fit:
    import tensorflow as tf

    part = Subset(data=data, rows=np.arange(len(data[1])))
    settings: dict[str, Any] = {
        "model": model,
        "train": part,
        "validation": part,
        "batch_size": BATCH,
        "epochs": EPOCHS,
        "seed": SEED,
        "stop": threading.Event(),
        "mode": ExecutionMode.GRAPH,  # which starts sooner; the comparison with Keras names its mode
        "strategy": tf.distribute.get_strategy(),
    }
    return Fit(**settings | changed)


def _plain_keras(keras: Any, model: Any, data: Any) -> dict[str, list[float]]:
    """The history of Keras' own training function over the same batches."""
    history: dict[str, list[float]] = {}
    step = model.make_train_function() or model.train_function
    for epoch in range(EPOCHS):
        model.reset_metrics()
        order = epoch_order(SEED, epoch, len(data[1]))
        for first in range(0, len(order), BATCH):
            rows = order[first : first + BATCH]
            step(iter([keras.tree.map_structure(lambda array, rows=rows: array[rows], data)]))
        for name, value in model.get_metrics_result().items():
            history.setdefault(name, []).append(float(value))
    return history


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("kind", sample(MODELS, {"dense", "dropout", "batch normalization", "own train_step"}))
def test_an_epoch_of_xla_equals_plain_keras_on_the_same_batches(keras: Any, kind: str):
    an_epoch_equals_plain_keras(keras, kind, ExecutionMode.XLA)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("mode", [ExecutionMode.GRAPH, ExecutionMode.EAGER])
def test_an_epoch_equals_plain_keras_on_the_same_batches(keras: Any, mode: ExecutionMode):
    an_epoch_equals_plain_keras(keras, "dense", mode)


def an_epoch_equals_plain_keras(keras: Any, kind: str, mode: ExecutionMode) -> None:
    make, shape = MODELS[kind]
    data = shape(_data())
    keras.utils.set_random_seed(1)
    ours = make(keras)
    fit = _fit(ours, data, mode=mode)
    keras.utils.set_random_seed(1)
    theirs = make(keras)
    theirs(keras.tree.map_structure(lambda array: array[:2], data[0]))
    theirs.set_weights(ours.get_weights())
    fit.run([], lambda report: None)
    expected = _plain_keras(keras, theirs, data)
    for name, values in expected.items():
        assert fit.history[name] == pytest.approx(values, abs=1e-9), name
    for mine, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(mine, other, atol=1e-9)


def test_callbacks_see_the_epochs_as_in_keras(keras: Any):
    seen: list[tuple[str, int]] = []

    class Watcher(keras.callbacks.Callback):
        def on_train_begin(self, logs: Any = None) -> None:
            seen.append(("train begin", self.params["epochs"]))

        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            seen.append(("begin", epoch))

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            assert set(logs) == {"loss", "accuracy", "val_loss", "val_accuracy"}
            seen.append(("end", epoch))

        def on_train_end(self, logs: Any = None) -> None:
            seen.append(("train end", 0))

    fit = _fit(_dense(keras), _data())
    fit.run([Watcher()], lambda report: None)
    assert seen == [("train begin", 2), ("begin", 0), ("end", 0), ("begin", 1), ("end", 1), ("train end", 0)]
    assert fit.model.history.epoch == [0, 1]
    assert fit.model.history.history == fit.history


def test_early_stopping_ends_the_training(keras: Any):
    fit = _fit(_dense(keras), _data(), epochs=9)
    fit.run([keras.callbacks.EarlyStopping(monitor="val_loss", mode="max", patience=1)], lambda report: None)
    assert len(fit.history["loss"]) < 9


def test_reducing_the_learning_rate_on_a_plateau_works(keras: Any):
    fit = _fit(_dense(keras), _data(), epochs=4)
    callback = keras.callbacks.ReduceLROnPlateau(monitor="loss", mode="max", factor=0.1, patience=1, min_delta=1)
    before = float(fit.model.optimizer.learning_rate)
    fit.run([callback], lambda report: None)
    assert float(fit.model.optimizer.learning_rate) < before


def _rates(fit: Fit, *callbacks: Any) -> list[float]:
    """The learning rates of a training's epochs."""
    reports: list[EpochReport] = []
    fit.run(list(callbacks), reports.append)
    assert all(name in {"loss", "accuracy", "val_loss", "val_accuracy"} for name in fit.history)
    return [report.metrics["learning_rate"] for report in reports]


def test_each_epoch_reports_its_learning_rate(keras: Any):
    fit = _fit(_dense(keras), _data())
    assert _rates(fit) == pytest.approx([0.001] * EPOCHS)
    assert set(fit.model.history.history) == {"loss", "accuracy", "val_loss", "val_accuracy"}


def test_the_learning_rate_of_a_schedule_is_that_of_the_epochs_end(keras: Any):
    fit = _fit(_schedule(keras), _data())
    assert _rates(fit) == pytest.approx([0.01 * 0.9 ** (fit.steps * epoch / 5) for epoch in (1, 2)])


def test_a_learning_rate_that_a_callback_reduces_is_reported_from_the_next_epoch_on(keras: Any):
    fit = _fit(_dense(keras), _data(), epochs=4)
    callback = keras.callbacks.ReduceLROnPlateau(monitor="loss", mode="max", factor=0.1, patience=1, min_delta=1)
    assert _rates(fit, callback) == pytest.approx([1e-3, 1e-3, 1e-4, 1e-5])
    assert float(fit.model.optimizer.learning_rate) == pytest.approx(1e-6)


def test_the_learning_rate_of_an_optimizer_that_scales_the_loss_is_that_of_the_one_inside(keras: Any):
    optimizers = keras.optimizers
    assert learning_rate(optimizers.LossScaleOptimizer(optimizers.SGD(0.25))) == 0.25


def test_several_optimizers_have_no_one_learning_rate(keras: Any):
    from keras.src.optimizers.multi_optimizer import MultiOptimizer

    assert learning_rate(MultiOptimizer(lambda variable: keras.optimizers.SGD(0.25))) is None


def test_model_checkpoints_are_ordinary_models_of_their_epochs(keras: Any, tmp_path: Path):
    fit = _fit(_dense(keras), _data())
    best = keras.callbacks.ModelCheckpoint(tmp_path / "best.keras", monitor="val_loss", save_best_only=True)
    each = keras.callbacks.ModelCheckpoint(tmp_path / "{epoch}.keras")
    fit.run([best, each], lambda report: None)
    images, labels = _data()
    for epoch, loss in enumerate(fit.history["val_loss"], start=1):
        loaded = keras.saving.load_model(tmp_path / f"{epoch}.keras")
        assert loaded.evaluate(images, labels, verbose=0)[0] == pytest.approx(loss, abs=1e-5)
    loaded = keras.saving.load_model(tmp_path / "best.keras")
    assert loaded.evaluate(images, labels, verbose=0)[0] == pytest.approx(min(fit.history["val_loss"]), abs=1e-5)


def test_tensorboard_shows_the_figures_of_each_epoch(keras: Any, tmp_path: Path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.util.tensor_util import make_ndarray

    fit = _fit(_dense(keras), _data())
    fit.run([keras.callbacks.TensorBoard(tmp_path)], lambda report: None)
    for folder, prefix in (("train", ""), ("validation", "val_")):
        shown = EventAccumulator(str(tmp_path / folder), size_guidance={"tensors": 0}).Reload()
        for name in ("loss", "accuracy"):
            values = [float(make_ndarray(event.tensor_proto)) for event in shown.Tensors(f"epoch_{name}")]
            assert values == pytest.approx(fit.history[prefix + name], abs=1e-6)


def test_progress_grows_to_the_last_step_of_each_epoch(keras: Any):
    seen = []
    fit = _fit(_dense(keras), _data())
    fit.run([], lambda report: None, on_progress=seen.append)
    assert [(one.epoch, one.step) for one in seen if one.step == one.steps] == [(1, 11), (2, 11)]
    assert all(one.step_rate > 0 for one in seen)
    assert {"loss", "accuracy"} == set(seen[-1].metrics)


def test_stopping_ends_within_a_chunk_and_says_so(keras: Any):
    stop = threading.Event()
    fit = _fit(_dense(keras), _data(), stop=stop)
    with pytest.raises(Stopped):
        fit.run([], lambda report: None, on_progress=lambda progress: stop.set())
    assert fit.history == {}


def test_evaluation_does_not_depend_on_its_batches(keras: Any):
    fit = _fit(_dense(keras), _data())
    whole = fit.evaluate(fit.validation)
    images, labels = _data()
    expected = fit.model.evaluate(images, labels, verbose=0, return_dict=True)
    assert whole == pytest.approx(expected, abs=1e-6)


def test_a_batch_larger_than_the_data_is_the_whole_data(keras: Any):
    fit = _fit(_dense(keras), _data(), batch_size=10_000)
    fit.run([], lambda report: None)
    assert fit.steps == 1
    assert int(fit.model.optimizer.iterations) == EPOCHS


def test_what_is_saved_is_an_ordinary_keras_model(keras: Any, tmp_path: Any):
    fit = _fit(_dense(keras), _data())
    fit.run([], lambda report: None)
    fit.model.save(tmp_path / "model.keras")
    images = _data()[0]
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded.predict(images, verbose=0), fit.model.predict(images, verbose=0), atol=1e-6)

"""What a training leaves behind and must find again: every variable, wherever it is kept; with `fit` as the judge."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stoker.engine.errors import InputError
from stoker.engine.training.callback_state import CallbackStates, hold_averages
from stoker.engine.training.execution_mode import ExecutionMode
from stoker.engine.training.keras_model import evaluates_alike

from ... import tiny
from .test_same_as_fit import BATCH, data, dense, in_two_pieces, ours, theirs, twins

pytestmark = pytest.mark.usefixtures("float64")


def counting_step(keras: Any, *, eager: bool = False) -> Any:
    """Its evaluation counts, in a variable that no other step uses."""
    import tensorflow as tf

    class Counts(keras.Sequential):  # type: ignore[misc]
        def test_step(self, data: Any) -> Any:
            if not hasattr(self, "count"):  # in the mode EAGER it has been made before
                self.count = [tf.Variable(0.0)]
            self.count[0].assign_add(1.0)
            return super().test_step(data) | {"count": self.count[0]}

    model = Counts([keras.Input(tiny.SHAPE), keras.layers.Flatten(), keras.layers.Dense(3, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy", run_eagerly=eager)
    if eager:
        model.count = [tf.Variable(0.0)]
    return model


def metric_of_all_epochs(keras: Any) -> Any:
    """A metric that no epoch sets back."""

    class Total(keras.metrics.Sum):  # type: ignore[misc]
        def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
            return super().update_state(keras.ops.ones_like(y_true))

        def reset_state(self) -> None:
            pass

    return dense(keras, metrics=[Total(name="count")])


def random_without_seed(keras: Any) -> Any:
    """A layer that draws from Keras' own generator."""

    class Noise(keras.layers.Layer):  # type: ignore[misc]
        def call(self, inputs: Any, training: bool = False) -> Any:
            return inputs + keras.random.normal((1,)) if training else inputs

    layers = [keras.Input(tiny.SHAPE), keras.layers.Flatten(), Noise(), keras.layers.Dense(3, activation="softmax")]
    model = keras.Sequential(layers)
    model.compile("sgd", "sparse_categorical_crossentropy")
    return model


@pytest.mark.parametrize(
    ("make", "mode"),
    [
        (counting_step, ExecutionMode.GRAPH),
        (partial(counting_step, eager=True), ExecutionMode.EAGER),
        (metric_of_all_epochs, ExecutionMode.XLA),
        (metric_of_all_epochs, ExecutionMode.EAGER),
        (random_without_seed, ExecutionMode.GRAPH),
        (random_without_seed, ExecutionMode.EAGER),
    ],
)
def test_a_resume_finds_every_variable_again(keras: Any, tmp_path: Path, make: Any, mode: ExecutionMode):
    whole, second = in_two_pieces(lambda: make(keras), tmp_path, mode, keras)
    assert second.history == whole.history
    for mine, other in zip(second.model.get_weights(), whole.model.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, other)


class Helper:
    """An object of the user's own, which trains something in a step."""

    def __init__(self, **held: Any) -> None:
        vars(self).update(held)


def with_helper(keras: Any, **held: Any) -> Any:
    helper = Helper(**held)

    class Helped(keras.Sequential):  # type: ignore[misc]
        def train_step(self, data: Any) -> Any:
            if hasattr(helper, "variable"):
                helper.variable.assign_add([1.0, 2.0])
            if hasattr(helper, "optimizer"):
                weights = self.trainable_variables
                helper.optimizer.apply([keras.ops.ones_like(weight) for weight in weights], weights)
            return super().train_step(data)

    model = Helped([keras.Input(tiny.SHAPE), keras.layers.Flatten(), keras.layers.Dense(3, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy", run_eagerly=True)
    return model


def test_what_no_checkpoint_would_hold_is_refused_by_name(keras: Any):
    import tensorflow as tf

    for held, said in (
        ({"optimizer": keras.optimizers.SGD(0.1, momentum=0.9, name="hidden")}, "the optimizer hidden"),
        ({"variable": tf.Variable([1.0, 2.0], name="lost")}, "the variable lost"),
    ):
        with pytest.raises(InputError) as caught:
            ours(with_helper(keras, **held), mode=ExecutionMode.EAGER).run([], lambda report: None)
        assert said in str(caught.value.received)
    with pytest.raises(InputError, match="not hold all"):
        ours(counting_step(keras), mode=ExecutionMode.EAGER).run([], lambda report: None)
    unused = tf.Variable([1.0, 2.0])
    ours(with_helper(keras, unused=unused), mode=ExecutionMode.EAGER).run([], lambda report: None)


def own_loss(keras: Any) -> Any:
    return dense(keras, loss=lambda y_true, y_pred: keras.ops.sum(keras.ops.square(y_pred)))


def own_metric(keras: Any) -> Any:
    def spread(y_true: Any, y_pred: Any) -> Any:
        return keras.ops.max(y_pred) - keras.ops.min(y_pred)

    return dense(keras, metrics=[spread])


def added_up(keras: Any) -> Any:
    return dense(keras, loss=keras.losses.SparseCategoricalCrossentropy(reduction="sum"))


def lambda_layer(keras: Any) -> Any:
    body = [keras.layers.Flatten(), keras.layers.Lambda(lambda x: x - keras.ops.mean(x, axis=0, keepdims=True))]
    model = keras.Sequential([keras.Input(tiny.SHAPE), *body, keras.layers.Dense(3, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    return model


def stateful_inside(keras: Any) -> Any:
    """A layer inside takes batches of one size, which the model's own inputs don't say."""

    class Inside(keras.Model):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.rows, self.out = keras.layers.LSTM(4, stateful=True), keras.layers.Dense(3, activation="softmax")

        def call(self, inputs: Any) -> Any:
            return self.out(self.rows(inputs))

    model = Inside()
    model.compile("sgd", "sparse_categorical_crossentropy")
    model(np.zeros((BATCH, *tiny.SHAPE)))
    return model


def across(keras: Any, *layers: Any, function: Any = None, **compiled: Any) -> Any:
    """A model with something in it that may look at the whole batch."""
    inputs = keras.Input(tiny.SHAPE)
    x = keras.layers.Flatten()(inputs)
    for layer in layers:
        x = layer(x)
    x = function(x) if function else x
    model = keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(x))
    model.compile(**{"optimizer": "sgd", "loss": "sparse_categorical_crossentropy", "run_eagerly": True, **compiled})
    return model


LOOK_AT_THE_BATCH: dict[str, Callable[[Any], Any]] = {
    "own regularizer of activities": lambda keras: across(
        keras, keras.layers.Dense(3, activity_regularizer=lambda x: keras.ops.square(keras.ops.mean(x)))
    ),
    "own activation": lambda keras: across(
        keras, keras.layers.Dense(3, activation=lambda x: x - keras.ops.mean(x, axis=0))
    ),
    "operation": lambda keras: across(keras, function=lambda x: x - keras.ops.mean(x, axis=0)),
    "operation inside": lambda keras: across(
        keras, keras.layers.Reshape(tiny.SHAPE), across(keras, function=lambda x: keras.ops.cumsum(x, axis=0))
    ),
    "softmax": lambda keras: across(keras, keras.layers.Softmax(axis=0)),
    "unit normalization": lambda keras: across(keras, keras.layers.UnitNormalization(axis=0)),
    "called to train": lambda keras: across(
        keras, function=lambda x: keras.layers.BatchNormalization()(x, training=True)
    ),
    "axis of a loss": lambda keras: across(keras, loss=keras.losses.CosineSimilarity(axis=0)),
    "weights of a loss": lambda keras: across(
        keras, loss=keras.losses.SparseCategoricalCrossentropy(reduction="mean_with_sample_weight")
    ),
    "Dice": lambda keras: across(keras, loss=keras.losses.Dice()),
    "dice as a metric": lambda keras: across(keras, loss="mse", metrics=[keras.losses.dice]),
    "Dice as a metric": lambda keras: across(keras, loss="mse", metrics=[keras.losses.Dice()]),
    "axis of a metric": lambda keras: across(keras, loss="mse", metrics=[keras.metrics.CosineSimilarity(axis=0)]),
    "correlation": lambda keras: across(keras, loss="mse", metrics=[keras.metrics.PearsonCorrelation(axis=0)]),
}


@pytest.mark.parametrize("kind", LOOK_AT_THE_BATCH)
def test_what_looks_at_the_whole_batch_is_known(keras: Any, kind: str):
    model = LOOK_AT_THE_BATCH[kind](keras)
    images, labels = data()
    model.test_on_batch(images[:4], np.eye(3)[labels[:4]] if "sparse" not in str(model.loss) else labels[:4])
    assert not evaluates_alike(model)


@pytest.mark.parametrize("make", [own_loss, own_metric, added_up, lambda_layer, stateful_inside])
def test_an_evaluation_takes_the_batches_of_fit_where_its_figures_depend_on_them(keras: Any, make: Any):
    mine, other = twins(keras, make)
    fit = ours(mine)
    fit.run([], lambda report: None)
    images, labels = data()
    theirs(keras, other)
    expected = other.evaluate(images, labels, batch_size=BATCH, verbose=0, return_dict=True)
    for name, value in expected.items():
        assert fit.history[f"val_{name}"][0] == pytest.approx(value, rel=1e-9)


def test_an_evaluation_takes_large_batches_where_its_figures_can_not_depend_on_them(keras: Any):
    for compiled in ({}, {"metrics": [keras.metrics.SparseCategoricalCrossentropy()]}, {"weighted_metrics": ["acc"]}):
        model = dense(keras, **compiled)
        ours(model).run([], lambda report: None)
        assert evaluates_alike(model)


def test_most_layers_of_keras_look_at_one_example(keras: Any):
    layers = keras.layers
    blocks = [
        layers.Reshape((*tiny.SHAPE, 1)),
        layers.Conv2D(2, 3, padding="same", activation="relu"),
        layers.BatchNormalization(),
        layers.MaxPooling2D(),
        layers.SpatialDropout2D(0.1),
        layers.Reshape((-1, 2)),
        layers.LSTM(4, return_sequences=True),
        layers.Bidirectional(layers.GRU(3, return_sequences=True)),
        layers.LayerNormalization(),
        layers.Dense(6, activation="gelu", activity_regularizer="l2"),
        layers.Softmax(),
        layers.GlobalAveragePooling1D(),
        layers.Dropout(0.2),
    ]
    model = keras.Sequential([keras.Input(tiny.SHAPE), *blocks, layers.Dense(3, activation="softmax")])
    loss = keras.losses.CategoricalCrossentropy(label_smoothing=0.1)
    metrics = ["accuracy", keras.metrics.AUC(), keras.losses.kl_divergence]
    model.compile("sgd", loss, metrics=metrics, run_eagerly=True)
    images, labels = data()
    model.test_on_batch(images[:4], np.eye(3)[labels[:4]])
    assert evaluates_alike(model)


@pytest.mark.parametrize("each_epoch", [True, False])
def test_states_say_where_the_moving_averages_are(keras: Any, each_epoch: bool):
    """`--keep best` then leaves them in the model."""
    swap = keras.callbacks.SwapEMAWeights(swap_on_epoch=each_epoch)
    fit = ours(dense(keras, keras.optimizers.SGD(0.5, use_ema=True)), epochs=2)
    fit.run([swap], lambda report: None)
    assert isinstance(fit.callback_states, CallbackStates)
    assert hold_averages(fit.callback_states.capture()[0]) == each_epoch

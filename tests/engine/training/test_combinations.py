"""Models of 87 kinds, with Keras' `fit` as the judge: the same batches, in float64.

Most run as a graph; a sample runs in each mode. `make test` tries every sixth, `make faults` the others.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from stoker.engine.training.batches import epoch_order
from stoker.engine.training.execution_mode import ExecutionMode
from stoker.engine.training.fit import Fit, Subset

from ... import tiny
from ...sample import sample

pytestmark = pytest.mark.usefixtures("float64")
EPOCHS, BATCH, ROWS, SEED = 2, 30, 70, 5
"""70 examples are two whole batches and a ragged one."""

Make = Callable[[Any], Any]
Shape = Callable[[Any, Any], Any]


def net(keras: Any, *middle: Any, optimizer: Any = "sgd", **compiled: Any) -> Any:
    layers = [keras.Input(tiny.SHAPE), keras.layers.Flatten(), keras.layers.Dense(4, activation="tanh"), *middle]
    model = keras.Sequential([*layers, keras.layers.Dense(tiny.CLASSES, activation="softmax")])
    model.compile(optimizer, **{"loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"]} | compiled)
    return model


def plain(images: Any, labels: Any) -> Any:
    return images, labels


def one_hot(images: Any, labels: Any) -> Any:
    return images, np.eye(tiny.CLASSES)[labels]


def weighted(images: Any, labels: Any) -> Any:
    return images, labels, np.linspace(0.1, 2, len(labels))


def numbers(images: Any, labels: Any) -> Any:
    return images, np.stack([labels, labels**2], axis=1).astype(np.float64)


def steps_of(images: Any, labels: Any) -> Any:
    return images[:60], labels[:60]


def bytes_(images: Any, labels: Any) -> Any:
    return (images * 255).astype(np.uint8), labels


def tokens(images: Any, labels: Any) -> Any:
    return (images[:, 0] * 20).astype(np.int32), labels


def channel(images: Any, labels: Any) -> Any:
    return images[..., None], labels


def two_inputs(images: Any, labels: Any) -> Any:
    return {"left": images, "right": images[:, 0, :4]}, labels


def listed_inputs(images: Any, labels: Any) -> Any:
    return (images, images[:, 0, :4]), labels


def two_targets(images: Any, labels: Any) -> Any:
    return images, {"kind": labels, "size": labels[:, None].astype(np.float64)}


def listed_targets(images: Any, labels: Any) -> Any:
    return images, (labels, labels[:, None].astype(np.float64))


def weighted_targets(images: Any, labels: Any) -> Any:
    weights = np.linspace(0.1, 2, len(labels))
    return images, (labels, labels[:, None].astype(np.float64)), (weights, weights[::-1].copy())


def itself(images: Any, labels: Any) -> Any:
    return images, images


OPTIMIZERS: dict[str, Callable[[Any], Any]] = {
    "SGD": lambda o: o.SGD(0.1),
    "SGD, momentum": lambda o: o.SGD(0.1, momentum=0.9),
    "SGD, nesterov": lambda o: o.SGD(0.1, momentum=0.9, nesterov=True),
    "RMSprop": lambda o: o.RMSprop(0.01),
    "RMSprop, centered": lambda o: o.RMSprop(0.01, momentum=0.9, centered=True),
    "Adam": lambda o: o.Adam(0.01),
    "Adam, amsgrad": lambda o: o.Adam(0.01, amsgrad=True),
    "AdamW": lambda o: o.AdamW(0.01, weight_decay=0.1),
    "Adadelta": lambda o: o.Adadelta(1.0),
    "Adagrad": lambda o: o.Adagrad(0.1),
    "Adamax": lambda o: o.Adamax(0.01),
    "Adafactor": lambda o: o.Adafactor(0.01),
    "Adafactor, with a scale": lambda o: o.Adafactor(0.01, relative_step=False, beta_2_decay=-0.5),
    "Nadam": lambda o: o.Nadam(0.01),
    "Ftrl": lambda o: o.Ftrl(0.1, l1_regularization_strength=0.01, l2_regularization_strength=0.01),
    "Lion": lambda o: o.Lion(0.01),
    "Lamb": lambda o: o.Lamb(0.01),
    "Muon": lambda o: o.Muon(0.01),
    "ScheduleFreeAdamW": lambda o: o.ScheduleFreeAdamW(0.01, warmup_steps=3),
    "LossScaleOptimizer": lambda o: o.LossScaleOptimizer(o.SGD(0.1, momentum=0.9)),
    "LossScaleOptimizer, growing": lambda o: o.LossScaleOptimizer(o.Adam(0.01), dynamic_growth_steps=2),
    "MultiOptimizer": lambda o: o.MultiOptimizer(
        lambda variable: o.Adam(0.01) if "kernel" in variable.path else o.SGD(0.1)
    ),
    "clipnorm": lambda o: o.SGD(0.1, clipnorm=0.05),
    "clipvalue": lambda o: o.SGD(0.1, clipvalue=0.01),
    "global_clipnorm": lambda o: o.SGD(0.1, global_clipnorm=0.05),
    "gradient accumulation": lambda o: o.SGD(0.1, momentum=0.9, gradient_accumulation_steps=2),
    "gradient accumulation over epochs": lambda o: o.Adam(0.1, gradient_accumulation_steps=4),
    "loss_scale_factor": lambda o: o.SGD(0.1, loss_scale_factor=8.0),
    "use_ema": lambda o: o.SGD(0.1, use_ema=True, ema_momentum=0.8),
    "use_ema, overwritten": lambda o: o.Adam(0.01, use_ema=True, ema_momentum=0.8, ema_overwrite_frequency=2),
    "weight_decay": lambda o: o.SGD(0.1, weight_decay=0.1),
    "clipping, accumulation, averages": lambda o: o.Adam(
        0.1, global_clipnorm=0.1, gradient_accumulation_steps=2, use_ema=True, ema_momentum=0.5, weight_decay=0.01
    ),
    "ExponentialDecay": lambda o: o.SGD(o.schedules.ExponentialDecay(0.1, 2, 0.5)),
    "ExponentialDecay, staircase": lambda o: o.SGD(o.schedules.ExponentialDecay(0.1, 2, 0.5, staircase=True)),
    "CosineDecay": lambda o: o.Adam(o.schedules.CosineDecay(0.0, 4, warmup_target=0.1, warmup_steps=2)),
    "CosineDecayRestarts": lambda o: o.SGD(o.schedules.CosineDecayRestarts(0.1, 2)),
    "PiecewiseConstantDecay": lambda o: o.SGD(o.schedules.PiecewiseConstantDecay([1, 3], [0.5, 0.1, 0.01])),
    "PolynomialDecay": lambda o: o.SGD(o.schedules.PolynomialDecay(0.1, 4, power=2.0, cycle=True)),
    "InverseTimeDecay": lambda o: o.AdamW(o.schedules.InverseTimeDecay(0.1, 2, 0.5)),
}


def two_outputs(*, named: bool, **compiled: Any) -> Make:
    """A model of two outputs, in a list or by their names."""

    def make(keras: Any) -> Any:
        inputs = keras.Input(tiny.SHAPE)
        middle = keras.layers.Dense(4, activation="tanh")(keras.layers.Flatten()(inputs))
        kind = keras.layers.Dense(tiny.CLASSES, activation="softmax", name="kind")(middle)
        size = keras.layers.Dense(1, name="size")(middle)
        model = keras.Model(inputs, {"kind": kind, "size": size} if named else [kind, size])
        model.compile("sgd", **compiled)
        return model

    return make


KIND, SIZE = "sparse_categorical_crossentropy", "mse"
OUTPUTS: dict[str, tuple[Make, Shape]] = {
    "outputs in a list": (two_outputs(named=False, loss=[KIND, SIZE]), listed_targets),
    "outputs in a list, weights": (
        two_outputs(named=False, loss=[KIND, SIZE], loss_weights=[0.3, 0.7], metrics=[["accuracy"], ["mae"]]),
        listed_targets,
    ),
    "outputs in a list, sample weights": (
        two_outputs(named=False, loss=[KIND, SIZE], weighted_metrics=[["accuracy"], ["mae"]]),
        weighted_targets,
    ),
    "outputs by name": (two_outputs(named=True, loss={"kind": KIND, "size": SIZE}), two_targets),
    "outputs by name, weights": (
        two_outputs(
            named=True,
            loss={"kind": KIND, "size": SIZE},
            loss_weights={"kind": 0.3, "size": 2.0},
            metrics={"kind": ["accuracy"], "size": ["mae", "mse"]},
        ),
        two_targets,
    ),
    "an output without a loss": (
        two_outputs(named=True, loss={"kind": KIND, "size": None}, metrics={"size": ["mae"]}),
        two_targets,
    ),
}


def with_methods(keras: Any, **methods: Any) -> Any:
    """A Sequential model with methods of its own."""
    kind = type("Own", (keras.Sequential,), methods)
    dense = keras.layers.Dense(tiny.CLASSES, activation="softmax")
    model = kind([keras.Input(tiny.SHAPE), keras.layers.Flatten(), dense])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def own_train_step(keras: Any) -> Any:
    import tensorflow as tf

    def train_step(self: Any, data: Any) -> Any:
        images, labels = data
        with tf.GradientTape() as tape:
            predicted = self(images, training=True)
            loss = self.compute_loss(x=images, y=labels, y_pred=predicted) ** 2
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply([gradient * 2.0 for gradient in gradients], self.trainable_variables)
        for metric in self.metrics:
            if metric.name == "loss":
                metric.update_state(loss)
            else:
                metric.update_state(labels, predicted)
        return {metric.name: metric.result() for metric in self.metrics}

    return with_methods(keras, train_step=train_step)


def own_metrics(keras: Any) -> Any:
    """A step with trackers of its own, as in Keras' guide."""
    import tensorflow as tf

    class Own(keras.Model):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.rest = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(3, activation="softmax")])
            self.tracker = keras.metrics.Mean(name="own")
            self.right = keras.metrics.SparseCategoricalAccuracy(name="right")

        @property
        def metrics(self) -> Any:
            return [self.tracker, self.right]

        def call(self, inputs: Any) -> Any:
            return self.rest(inputs)

        def both(self, data: Any, *, train: bool) -> Any:
            images, labels = data
            with tf.GradientTape() as tape:
                predicted = self(images)
                loss = keras.ops.mean(keras.losses.sparse_categorical_crossentropy(labels, predicted))
            if train:
                self.optimizer.apply(tape.gradient(loss, self.trainable_variables), self.trainable_variables)
            self.tracker.update_state(loss, sample_weight=tf.shape(images)[0])
            self.right.update_state(labels, predicted)
            return {"own": self.tracker.result(), "right": self.right.result()}

        def train_step(self, data: Any) -> Any:
            return self.both(data, train=True)

        def test_step(self, data: Any) -> Any:
            return self.both(data, train=False)

    model = Own()
    model.compile("sgd")
    return model


def own_loss(keras: Any) -> Any:
    def compute_loss(self: Any, x: Any, y: Any, y_pred: Any, sample_weight: Any = None, training: bool = True) -> Any:
        usual = super(type(self), self).compute_loss(x, y, y_pred, sample_weight, training)
        return usual + 0.1 * keras.ops.mean(keras.ops.square(y_pred))

    return with_methods(keras, compute_loss=compute_loss)


def own_compute_metrics(keras: Any) -> Any:
    def compute_metrics(self: Any, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        return super(type(self), self).compute_metrics(x, y, y_pred, sample_weight) | {"sum": keras.ops.sum(y_pred[0])}

    return with_methods(keras, compute_metrics=compute_metrics)


def wraps_the_step(keras: Any) -> Any:
    def train_step(self: Any, data: Any) -> Any:
        images, labels = data
        return super(type(self), self).train_step((images * 0.5, labels))

    return with_methods(keras, train_step=train_step)


def two_optimizers(keras: Any) -> Any:
    """A step that trains its parts by optimizers of their own."""
    import tensorflow as tf

    class Own(keras.Model):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.first = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(4, activation="tanh")])
            self.second = keras.layers.Dense(3, activation="softmax")
            self.optimizers = [keras.optimizers.Adam(0.01), keras.optimizers.SGD(0.1, momentum=0.9)]

        def call(self, inputs: Any) -> Any:
            return self.second(self.first(inputs))

        def train_step(self, data: Any) -> Any:
            images, labels = data
            with tf.GradientTape(persistent=True) as tape:
                loss = self.compute_loss(x=images, y=labels, y_pred=self(images))
            for optimizer, part in zip(self.optimizers, (self.first, self.second), strict=True):
                gradients = tape.gradient(loss, part.trainable_variables)
                optimizer.apply(gradients, part.trainable_variables)
            self._loss_tracker.update_state(loss, sample_weight=tf.shape(images)[0])
            return {"loss": self._loss_tracker.result()}

    model = Own()
    model.compile(loss="sparse_categorical_crossentropy", optimizer="sgd")
    return model


def frozen(keras: Any) -> Any:
    model = net(keras)
    model.layers[1].trainable = False
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


def lora(keras: Any) -> Any:
    model = net(keras)
    model.layers[1].enable_lora(2)
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


def recurrent(layer: str, **settings: Any) -> Make:
    def make(keras: Any) -> Any:
        shape = (BATCH, *tiny.SHAPE) if settings.get("stateful") else (None, *tiny.SHAPE)
        layers = [keras.Input(batch_shape=shape), getattr(keras.layers, layer)(4, **settings)]
        model = keras.Sequential([*layers, keras.layers.Dense(tiny.CLASSES, activation="softmax")])
        model.compile("adam", "sparse_categorical_crossentropy")
        return model

    return make


def lazily(keras: Any) -> Any:
    """A subclass whose layers are built at the first batch."""

    class Lazy(keras.Model):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.parts = [keras.layers.Flatten(), keras.layers.Dense(4, activation="tanh"), keras.layers.Dense(3)]

        def call(self, inputs: Any, training: bool = False) -> Any:
            for part in self.parts:
                inputs = part(inputs)
            return keras.ops.softmax(inputs)

    model = Lazy()
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def of_two_inputs(keras: Any) -> Any:
    left, right = keras.Input(tiny.SHAPE, name="left"), keras.Input((4,), name="right")
    joined = keras.layers.Concatenate()([keras.layers.Flatten()(left), keras.layers.Dense(4)(right)])
    model = keras.Model([left, right], keras.layers.Dense(tiny.CLASSES, activation="softmax")(joined))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def frozen_normalization(keras: Any) -> Any:
    model = net(keras, keras.layers.BatchNormalization())
    model.layers[2].trainable = False
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


def adds_a_loss(keras: Any) -> Any:
    class Adds(keras.layers.Layer):  # type: ignore[misc]
        def call(self, inputs: Any) -> Any:
            self.add_loss(0.1 * keras.ops.mean(keras.ops.square(inputs)))
            return inputs

    return net(keras, Adds())


def layer_metric(keras: Any) -> Any:
    class Measures(keras.layers.Layer):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.norm = keras.metrics.Mean(name="norm")

        def call(self, inputs: Any) -> Any:
            self.norm.update_state(keras.ops.abs(inputs))
            return inputs

    return net(keras, Measures())


def shared(keras: Any) -> Any:
    inputs, dense = keras.Input(tiny.SHAPE), keras.layers.Dense(5, activation="tanh")
    once = dense(inputs)
    flat = keras.layers.Flatten()(keras.layers.Add()([once, dense(once)]))
    model = keras.Model(inputs, keras.layers.Dense(tiny.CLASSES, activation="softmax")(flat))
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


def attention(keras: Any) -> Any:
    inputs = keras.Input(tiny.SHAPE)
    seen = keras.layers.MultiHeadAttention(2, 2)(inputs, inputs)
    pooled = keras.layers.GlobalAveragePooling1D()(keras.layers.LayerNormalization()(seen + inputs))
    model = keras.Model(inputs, keras.layers.Dense(tiny.CLASSES, activation="softmax")(pooled))
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


def of_tokens(keras: Any) -> Any:
    layers = [keras.Input((5,), dtype="int32"), keras.layers.Embedding(21, 4, mask_zero=True), keras.layers.GRU(3)]
    model = keras.Sequential([*layers, keras.layers.Dense(tiny.CLASSES, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


def convolution(keras: Any) -> Any:
    layers = keras.layers
    parts = [layers.Conv2D(2, 3), layers.BatchNormalization(), layers.ReLU(), layers.DepthwiseConv2D(2)]
    model = keras.Sequential([keras.Input((*tiny.SHAPE, 1)), *parts, layers.GlobalAveragePooling2D()])
    model.add(layers.Dense(tiny.CLASSES, activation="softmax"))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def autoencoder(keras: Any) -> Any:
    layers = [keras.layers.Flatten(), keras.layers.Dense(4, activation="tanh"), keras.layers.Dense(30)]
    model = keras.Sequential([keras.Input(tiny.SHAPE), *layers, keras.layers.Reshape(tiny.SHAPE)])
    model.compile("adam", "mse", metrics=["mae"])
    return model


def nested(keras: Any) -> Any:
    inner = keras.Sequential([keras.Input((4,)), keras.layers.Dense(4, activation="tanh"), keras.layers.Dense(4)])
    inner.compile("sgd", "mse", metrics=["mae"])
    return net(keras, inner)


def regression(keras: Any) -> Any:
    model = keras.Sequential([keras.Input(tiny.SHAPE), keras.layers.Flatten(), keras.layers.Dense(2)])
    model.compile("adam", "huber", metrics=["mae", keras.metrics.R2Score(class_aggregation=None)])
    return model


def measured(*names: str) -> Make:
    """A model with metrics of Keras on one-hot labels."""

    def make(keras: Any) -> Any:
        known = {
            "F1Score": {},
            "Precision": {"class_id": 1},
            "Recall": {"thresholds": [0.2, 0.5]},
            "AUC": {"num_thresholds": 20},
            "OneHotMeanIoU": {"num_classes": 3},
        }
        metrics = [getattr(keras.metrics, name)(**known.get(name, {})) for name in names]
        return net(keras, loss="categorical_crossentropy", metrics=metrics)

    return make


def mixed(keras: Any) -> Any:
    optimizer = keras.optimizers.AdamW(
        keras.optimizers.schedules.CosineDecay(0.1, 4), global_clipnorm=0.1, gradient_accumulation_steps=2, use_ema=True
    )
    middle = [keras.layers.BatchNormalization(), keras.layers.Dense(4, kernel_regularizer="l2")]
    metrics = ["accuracy", "sparse_categorical_crossentropy"]
    return net(keras, *middle, optimizer=optimizer, metrics=metrics, weighted_metrics=["accuracy"])


def within(name: str, *arguments: Any, **settings: Any) -> Make:
    """A model with one more layer in its middle."""
    return lambda keras: net(keras, getattr(keras.layers, name)(*arguments, **settings), optimizer="adam")


MODELS: dict[str, tuple[Make, Shape]] = {
    **{
        name: ((lambda keras, of=of: net(keras, optimizer=of(keras.optimizers))), plain)
        for name, of in OPTIMIZERS.items()
    },
    **OUTPUTS,
    "own train_step": (own_train_step, plain),
    "own metrics in own steps": (own_metrics, plain),
    "own compute_loss": (own_loss, plain),
    "own compute_metrics": (own_compute_metrics, plain),
    "a step around the usual one": (wraps_the_step, plain),
    "two optimizers of the model's own": (two_optimizers, plain),
    "frozen layer": (frozen, plain),
    "LoRA": (lora, plain),
    "LSTM": (recurrent("LSTM"), plain),
    "LSTM, stateful": (recurrent("LSTM", stateful=True), steps_of),
    "GRU, dropout": (recurrent("GRU", dropout=0.2, seed=3), plain),
    "SimpleRNN, unrolled": (recurrent("SimpleRNN", unroll=True), plain),
    "tokens with a mask": (of_tokens, tokens),
    "lazily built": (lazily, plain),
    "inputs by name": (of_two_inputs, two_inputs),
    "inputs in a list": (of_two_inputs, listed_inputs),
    "BatchNormalization": (within("BatchNormalization", momentum=0.8), plain),
    "BatchNormalization, frozen": (frozen_normalization, plain),
    "GroupNormalization": (within("GroupNormalization", 2), plain),
    "SpectralNormalization": (
        lambda keras: net(keras, keras.layers.SpectralNormalization(keras.layers.Dense(4))),
        plain,
    ),
    "Dropout": (within("Dropout", 0.3, seed=1), plain),
    "GaussianNoise": (within("GaussianNoise", 0.1, seed=1), plain),
    "kernel regularizer": (within("Dense", 4, kernel_regularizer="l2", bias_regularizer="l1"), plain),
    "activity regularizer": (within("Dense", 4, activity_regularizer="l2"), plain),
    "constraint": (within("Dense", 4, kernel_constraint="max_norm"), plain),
    "add_loss": (adds_a_loss, plain),
    "a metric of a layer": (layer_metric, plain),
    "shared weights": (shared, plain),
    "attention": (attention, plain),
    "convolution": (convolution, channel),
    "autoencoder": (autoencoder, itself),
    "a compiled model within": (nested, plain),
    "bytes": (within("Dense", 4), bytes_),
    "regression, a figure for each number": (regression, numbers),
    "F1Score": (measured("F1Score", "Precision"), one_hot),
    "Recall at thresholds": (measured("Recall"), one_hot),
    "AUC": (measured("AUC", "OneHotMeanIoU"), one_hot),
    "several metrics": (measured("CategoricalAccuracy", "CosineSimilarity", "KLDivergence"), one_hot),
    "a function as a metric": (
        lambda keras: net(keras, metrics=[lambda y, p: keras.ops.max(p, axis=-1), "accuracy"]),
        plain,
    ),
    "sample weights": (
        lambda keras: net(keras, weighted_metrics=["accuracy", "sparse_categorical_crossentropy"]),
        weighted,
    ),
    "mixed": (mixed, weighted),
    "mixed, plain": (mixed, plain),
}

EAGER_TOO = (
    "Adam",
    "use_ema",
    "outputs by name, weights",
    "own train_step",
    "two optimizers of the model's own",
    "frozen layer",
)
"""A sample that runs in each mode."""


AS_A_GRAPH = ("ScheduleFreeAdamW",)
"""What Keras trains differently if it runs eagerly: the optimizer reads a variable before, or after, it is written."""


DRAWS_IN_EVALUATIONS = ("GRU, dropout",)
"""What draws random numbers in each batch of an evaluation too: as in `fit` if the batches are those of `fit`."""


def data(shape: Shape) -> Any:
    images, labels = tiny.arrays(ROWS, 1)
    return shape(images.astype(np.float64) / 255, labels)


def ours(model: Any, arrays: Any, mode: ExecutionMode = ExecutionMode.GRAPH, **changed: Any) -> Fit:
    import tensorflow as tf

    part = Subset(data=arrays, rows=np.arange(len(next(iter(_leaves(arrays))))))
    settings: dict[str, Any] = {"train": part, "validation": part, "batch_size": BATCH, "seed": SEED, "mode": mode}
    more = {"epochs": EPOCHS, "stop": threading.Event(), "strategy": tf.distribute.get_strategy()}
    return Fit(model=model, **settings | more | changed)


def _leaves(arrays: Any) -> Iterator[Any]:
    for part in arrays.values() if isinstance(arrays, dict) else arrays:
        yield from _leaves(part) if isinstance(part, dict | tuple) else [part]


def theirs(keras: Any, model: Any, arrays: Any, callbacks: Any = ()) -> Any:
    """The history of one `fit` over the batches of all our epochs."""
    count = len(next(_leaves(arrays)))

    def batches() -> Iterator[Any]:
        for epoch in range(EPOCHS):
            order = epoch_order(SEED, epoch, count)
            for first in range(0, count, BATCH):
                rows = order[first : first + BATCH]
                yield keras.tree.map_structure(lambda array, rows=rows: array[rows], arrays)

    settings: dict[str, Any] = {"epochs": EPOCHS, "steps_per_epoch": -(-count // BATCH), "verbose": 0}
    more = {"validation_data": arrays, "validation_batch_size": BATCH, "shuffle": False, "callbacks": list(callbacks)}
    return model.fit(batches(), **settings | more).history


def twins(keras: Any, make: Make) -> tuple[Any, Any]:
    """Two models of the same initial weights."""
    models = []
    for _ in range(2):
        keras.backend.clear_session()  # the same names
        keras.utils.set_random_seed(1)
        models.append(make(keras))
    return models[0], models[1]


def agree(keras: Any, kind: str, mode: ExecutionMode) -> None:
    """Compares weights, the variables of the optimizer and the figures of each epoch."""
    make, shape = MODELS[kind]
    mine, other = twins(keras, make)
    other.run_eagerly = kind not in AS_A_GRAPH  # which takes no time to compile
    arrays = data(shape)
    keras.utils.set_random_seed(2)  # for what is built at the first batch
    fit = ours(mine, arrays, mode)
    fit.run([], lambda report: None)
    keras.utils.set_random_seed(2)
    expected = theirs(keras, other, arrays)
    near = 1e-10 if mode is ExecutionMode.XLA else 1e-12  # XLA adds in another order
    assert mine.history.history.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_allclose(mine.history.history[name], values, rtol=near, atol=near, err_msg=name)
    assert len(mine.weights) == len(other.weights)
    for one, two in zip(mine.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(one, two, rtol=near, atol=near)
    for one, two in zip(mine.optimizer.variables, other.optimizer.variables, strict=True):
        np.testing.assert_allclose(one.numpy(), two.numpy(), rtol=1e-10, atol=near)


@pytest.mark.filterwarnings("ignore:Gradients do not exist for variables:UserWarning")  # of an output without a loss
@pytest.mark.parametrize("kind", sample(MODELS, {*list(MODELS)[::6], *EAGER_TOO}))
def test_a_model_is_trained_as_by_fit(keras: Any, kind: str, monkeypatch: pytest.MonkeyPatch):
    if kind in DRAWS_IN_EVALUATIONS:
        monkeypatch.setattr("stoker.engine.training.fit.TEST_BATCH", BATCH)
    agree(keras, kind, ExecutionMode.GRAPH)


@pytest.mark.parametrize("mode", [ExecutionMode.XLA, ExecutionMode.EAGER])
@pytest.mark.parametrize("kind", EAGER_TOO)
def test_a_model_is_trained_as_by_fit_in_each_mode(keras: Any, kind: str, mode: ExecutionMode):
    agree(keras, kind, mode)

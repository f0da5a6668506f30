"""Models that each break one thing of the contract; test_models.py runs the contract on them."""

from __future__ import annotations

from functools import cache
from typing import Any

from stoker.engine.model import ModelBuilder, ModelConfig
from stoker.engine.testing import ModelContract


def layers(config: ModelConfig, *more: Any) -> Any:
    """Returns a small network, not compiled."""
    import keras

    kinds = keras.layers
    shape = keras.Input(config.input_shape, dtype=config.input_dtype)
    return keras.Sequential([shape, kinds.Flatten(), kinds.Rescaling(1 / 255), *more])


def dense(config: ModelConfig, **options: Any) -> Any:
    import keras

    return keras.layers.Dense(options.pop("units", config.classes), activation="softmax", **options)


def compiled(model: Any, loss: str = "sparse_categorical_crossentropy") -> Any:
    model.compile("sgd", loss)
    return model


def nothing(config: ModelConfig) -> Any:
    compiled(layers(config, dense(config)))


def not_compiled(config: ModelConfig) -> Any:
    return layers(config, dense(config))


def too_few_outputs(config: ModelConfig) -> Any:
    return compiled(layers(config, dense(config, units=10)))


def one_hot(config: ModelConfig) -> Any:
    return compiled(layers(config, dense(config)), loss="categorical_crossentropy")


def fixed_batch(config: ModelConfig) -> Any:
    import keras

    examples = keras.Input(config.input_shape, dtype=config.input_dtype)
    flat = keras.ops.reshape(keras.ops.cast(examples, "float32"), (6, -1))
    return compiled(keras.Model(examples, dense(config)(flat)))


def nothing_to_train(config: ModelConfig) -> Any:
    return compiled(layers(config, dense(config, trainable=False)))


def not_saved(config: ModelConfig) -> Any:
    import keras

    class Scaled(keras.layers.Dense):  # type: ignore[misc]
        def get_config(self) -> Any:
            raise NotImplementedError("nobody has written it")

    return compiled(layers(config, Scaled(config.classes, activation="softmax")))


def knows_its_options(config: ModelConfig) -> Any:
    if config.options:
        raise ValueError(f"unknown options: {', '.join(config.options)}")
    return compiled(layers(config, dense(config)))


@cache
def _the_one(shape: tuple[int, ...], dtype: str, classes: int) -> Any:
    config = ModelConfig(input_shape=shape, input_dtype=dtype, classes=classes, learning_rate=0.1)
    return compiled(layers(config, dense(config)))


def one_for_all(config: ModelConfig) -> Any:
    return _the_one(config.input_shape, config.input_dtype, config.classes)


class Broken(ModelContract):
    input_shape = (4, 3)
    builder: ModelBuilder

    def make_builder(self) -> ModelBuilder:
        return type(self).builder


class TestReturnsNothing(Broken):
    builder = staticmethod(nothing)


class TestNotCompiled(Broken):
    builder = staticmethod(not_compiled)


class TestTooFewOutputs(Broken):
    builder = staticmethod(too_few_outputs)


class TestWantsOneHot(Broken):
    builder = staticmethod(one_hot)


class TestFixedBatch(Broken):
    builder = staticmethod(fixed_batch)


class TestNothingToTrain(Broken):
    builder = staticmethod(nothing_to_train)


class TestCanNotBeSaved(Broken):
    builder = staticmethod(not_saved)


class TestKnowsItsOptions(Broken):
    builder = staticmethod(knows_its_options)


class TestOneModelForAll(Broken):
    builder = staticmethod(one_for_all)

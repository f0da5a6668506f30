"""The tutorial's network: two hidden layers of relu units and a softmax, for examples of any shape and any classes."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..engine.command import positive_int
from ..engine.hookspecs import hookimpl
from ..engine.model import ModelBuilder, ModelConfig

NAME = "dnn"


@hookimpl
def stoker_models() -> Mapping[str, str]:
    """Offers the model `dnn`."""
    return {NAME: "two hidden layers (784-300-100-10 for MNIST), RMSprop, cross-entropy"}


@hookimpl
def stoker_get_model(name: str) -> ModelBuilder | None:
    """Returns the builder of `dnn`."""
    return build if name == NAME else None


@hookimpl
def stoker_add_options(parser: argparse.ArgumentParser, command: str) -> None:
    """Adds the sizes of the hidden layers, under the tutorial's names."""
    if command != "train":
        return
    group = parser.add_argument_group("model dnn")
    for name, neurons in (("first", 300), ("second", 100)):
        option = f"--{name}-layer-neurons"
        text = f"units of the {name} hidden layer (default: {neurons})"
        group.add_argument(option, type=positive_int, default=neurons, metavar="N", help=text)


@hookimpl
def stoker_export_model(model: Any, folder: Path) -> str:
    """Writes the tutorial's pair of files, also for a model of the user's that begins as this one does."""
    from . import tutorial_pair

    return tutorial_pair.write(model, folder)


def build(config: ModelConfig) -> Any:
    """Builds the compiled network.

    The input is an example as the files hold it. For integers, the network divides by 255 first, as the tutorial does.
    """
    import keras

    layers = keras.layers
    integers = config.input_dtype.startswith(("int", "uint"))
    model = keras.Sequential(
        [
            keras.Input(config.input_shape, dtype=config.input_dtype, name="pixels"),
            layers.Flatten(),
            layers.Rescaling(1 / 255 if integers else 1.0),
            layers.Dense(config.options.get("first_layer_neurons", 300), activation="relu", name="hidden1"),
            layers.Dense(config.options.get("second_layer_neurons", 100), activation="relu", name="hidden2"),
            layers.Dense(config.classes, activation="softmax", name="output"),
        ],
        name=NAME,
    )
    model.compile(
        optimizer=keras.optimizers.RMSprop(config.learning_rate),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    return model

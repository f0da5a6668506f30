"""The networks in Keras: for scaled pixels and one-hot labels, and as stoker takes them: `--model networks.py:wide`.

It stands alone, because stoker loads it as a user's file.
"""

from __future__ import annotations

from typing import Any


def for_scaled(keras: Any, network: str, learning_rate: float, **compiled: Any) -> Any:
    """The compiled model for float32 [N, 784] and one-hot labels, as the tutorial has it."""
    model = keras.Sequential([keras.Input((784,)), *_layers(keras, network)])
    model.compile(
        optimizer=keras.optimizers.RMSprop(learning_rate),
        loss="categorical_crossentropy",
        metrics=["accuracy"],
        **compiled,
    )
    return model


def wide(config: Any) -> Any:
    """Three layers of 2,048."""
    return _for_bytes(config, "wide")


def conv(config: Any) -> Any:
    """Two convolutions, each with its pooling, and a layer of 128."""
    return _for_bytes(config, "conv")


def _for_bytes(config: Any, network: str) -> Any:
    import keras

    shape, dtype = config.input_shape, config.input_dtype
    first = [keras.Input(shape, dtype=dtype), keras.layers.Flatten(), keras.layers.Rescaling(1 / 255)]
    model = keras.Sequential([*first, *_layers(keras, network)])
    model.compile(
        optimizer=keras.optimizers.RMSprop(config.learning_rate),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    return model


def _layers(keras: Any, network: str) -> list[Any]:
    layers = keras.layers
    widths = {"dnn": (300, 100), "wide": (2048, 2048, 2048), "conv": (128,)}[network]
    convolutions = [
        layers.Reshape((28, 28, 1)),
        layers.Conv2D(32, 3, activation="relu"),
        layers.MaxPooling2D(),
        layers.Conv2D(64, 3, activation="relu"),
        layers.MaxPooling2D(),
        layers.Flatten(),
    ]
    dense = [layers.Dense(width, activation="relu") for width in widths]
    return [*(convolutions if network == "conv" else []), *dense, layers.Dense(10, activation="softmax")]

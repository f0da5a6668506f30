"""Your own small convolutional network: `stoker train --model examples/own_model.py:build`.

It takes images of one channel [height, width] or of several [height, width, channels].
"""

from __future__ import annotations

from typing import Any

from stoker.engine.model import ModelConfig


def build(config: ModelConfig) -> Any:
    """Builds the compiled network; it scales pixels itself, so it predicts from images as the files hold them."""
    import keras

    layers = keras.layers
    channels = config.input_shape[2:] or (1,)
    model = keras.Sequential(
        [
            keras.Input(config.input_shape, dtype=config.input_dtype),
            layers.Reshape((*config.input_shape[:2], *channels)),
            layers.Rescaling(1 / 255),
            layers.Conv2D(16, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.GlobalMaxPooling2D(),
            layers.Dropout(0.2),
            layers.Dense(config.classes, activation="softmax"),
        ],
        name="small_cnn",
    )
    model.compile(
        optimizer=keras.optimizers.Adam(config.learning_rate),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    return model

"""Twelve kinds of model for images of digits: `stoker train --model kinds.py:lstm`, and `plain_fit.py lstm`.

It stands alone, because stoker loads it as a user's file.
"""

from __future__ import annotations

from functools import reduce
from typing import Any

NAMES = (
    *("dense", "wide", "conv", "resnet", "mobilenet", "lstm", "gru", "attention", "embedding"),
    *("autoencoder", "custom_step", "two_branches"),
)


def dense(config: Any) -> Any:
    """The tutorial's: two hidden layers."""
    layers = _keras().layers
    return _classifier(config, [layers.Flatten(), layers.Dense(300, "relu"), layers.Dense(100, "relu")])


def wide(config: Any) -> Any:
    """Eight hidden layers of 512."""
    layers = _keras().layers
    return _classifier(config, [layers.Flatten(), *(layers.Dense(512, "relu") for _ in range(8))])


def conv(config: Any) -> Any:
    """Two convolutions, each with its pooling."""
    layers = _keras().layers
    first = [layers.Reshape((*config.input_shape, 1)), layers.Conv2D(32, 3, activation="relu"), layers.MaxPooling2D()]
    return _classifier(
        config, [*first, layers.Conv2D(64, 3, activation="relu"), layers.MaxPooling2D(), layers.Flatten()]
    )


def resnet(config: Any) -> Any:
    """Three blocks of two convolutions with a shortcut."""
    layers = _keras().layers

    def body(pixels: Any) -> Any:
        x = layers.Conv2D(16, 3, padding="same", activation="relu")(layers.Reshape((*config.input_shape, 1))(pixels))
        for filters, stride in ((16, 1), (32, 2), (64, 2)):
            y = layers.Conv2D(filters, 3, strides=stride, padding="same", use_bias=False)(x)
            y = layers.Activation("relu")(layers.BatchNormalization()(y))
            y = layers.BatchNormalization()(layers.Conv2D(filters, 3, padding="same", use_bias=False)(y))
            x = layers.Activation("relu")(layers.Add()([y, layers.Conv2D(filters, 1, strides=stride)(x)]))
        return layers.GlobalAveragePooling2D()(x)

    return _functional(config, body)


def mobilenet(config: Any) -> Any:
    """MobileNetV2 of Keras' own, a third as wide, on 32 by 32 pixels."""
    keras = _keras()
    layers = keras.layers
    net = keras.applications.MobileNetV2((32, 32, 3), alpha=0.35, include_top=False, weights=None, pooling="avg")

    def body(pixels: Any) -> Any:
        x = layers.ZeroPadding2D(2)(layers.Reshape((*config.input_shape, 1))(pixels))
        return net(layers.Concatenate()([x, x, x]))

    return _functional(config, body)


def lstm(config: Any) -> Any:
    """An LSTM that reads the rows."""
    return _classifier(config, [_keras().layers.LSTM(64)])


def gru(config: Any) -> Any:
    """A GRU that reads the rows."""
    return _classifier(config, [_keras().layers.GRU(64)])


def attention(config: Any) -> Any:
    """Two blocks of attention over the rows."""
    layers = _keras().layers

    def body(pixels: Any) -> Any:
        x = layers.Dense(64)(pixels)
        for _ in range(2):
            x = layers.LayerNormalization()(layers.Add()([x, layers.MultiHeadAttention(4, 16)(x, x)]))
            x = layers.LayerNormalization()(layers.Add()([x, layers.Dense(64)(layers.Dense(128, "relu")(x))]))
        return layers.GlobalAveragePooling1D()(x)

    return _functional(config, body)


def embedding(config: Any) -> Any:
    """Each pixel is a word of 256."""
    keras = _keras()
    layers = keras.layers
    pixels = keras.Input(config.input_shape, dtype=config.input_dtype)
    words = layers.Embedding(256, 16)(layers.Flatten()(pixels))
    return _compiled(config, pixels, layers.Dense(64, "relu")(layers.GlobalAveragePooling1D()(words)))


def autoencoder(config: Any) -> Any:
    """Learns the images and not their labels: its own loss."""
    import keras

    @keras.saving.register_keras_serializable("kinds")
    class Autoencoder(keras.Model):  # type: ignore[misc] # keras has no types
        def compute_loss(self, x: Any = None, y: Any = None, y_pred: Any = None, **_: Any) -> Any:
            return keras.ops.mean(keras.ops.square(keras.ops.cast(x, "float32") / 255 - y_pred))

    layers, shape = keras.layers, config.input_shape
    pixels = keras.Input(shape, dtype=config.input_dtype)
    code = layers.Dense(32, "relu")(layers.Dense(128, "relu")(layers.Rescaling(1 / 255)(layers.Flatten()(pixels))))
    image = layers.Dense(shape[0] * shape[1], "sigmoid")(layers.Dense(128, "relu")(code))
    model = Autoencoder(pixels, layers.Reshape(shape)(image))
    model.compile("adam")
    return model


def custom_step(config: Any) -> Any:
    """A dense net with its own `train_step`."""
    import keras
    import tensorflow as tf

    @keras.saving.register_keras_serializable("kinds")
    class Own(keras.Model):  # type: ignore[misc] # keras has no types
        def train_step(self, data: Any) -> Any:
            images, labels = data
            with tf.GradientTape() as tape:
                loss = self.compute_loss(images, labels, self(images, training=True))
            gradients = tape.gradient(loss, self.trainable_variables)
            self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
            return {"loss": loss}

        def test_step(self, data: Any) -> Any:
            return {"loss": self.compute_loss(data[0], data[1], self(data[0]))}

    layers = keras.layers
    pixels = keras.Input(config.input_shape, dtype=config.input_dtype)
    x = layers.Dense(300, "relu")(layers.Rescaling(1 / 255)(layers.Flatten()(pixels)))
    model = Own(pixels, layers.Dense(config.classes, "softmax")(x))
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


def two_branches(config: Any) -> Any:
    """Rows and columns go two ways."""
    layers = _keras().layers

    def body(pixels: Any) -> Any:
        rows = layers.Conv1D(32, 3, activation="relu")(pixels)
        columns = layers.Conv1D(32, 3, activation="relu")(layers.Permute((2, 1))(pixels))
        return layers.Concatenate()([layers.GlobalMaxPooling1D()(rows), layers.GlobalMaxPooling1D()(columns)])

    return _functional(config, body)


def _keras() -> Any:
    import keras

    return keras


def _classifier(config: Any, body: list[Any]) -> Any:
    return _functional(config, lambda pixels: reduce(lambda x, layer: layer(x), body, pixels))


def _functional(config: Any, body: Any) -> Any:
    keras = _keras()
    pixels = keras.Input(config.input_shape, dtype=config.input_dtype)
    return _compiled(config, pixels, body(keras.layers.Rescaling(1 / 255)(pixels)))


def _compiled(config: Any, pixels: Any, features: Any) -> Any:
    keras = _keras()
    model = keras.Model(pixels, keras.layers.Dense(config.classes, activation="softmax")(features))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model

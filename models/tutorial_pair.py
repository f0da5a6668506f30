"""Writes a model as two more files, architecture and weights, for programs made for the Azure ML tutorial."""

from __future__ import annotations

from pathlib import Path
from typing import Any

_ARCHITECTURE, _WEIGHTS = "model.json", "model.weights.h5"
_NAMES = {"architecture": _ARCHITECTURE, "weights": _WEIGHTS}

_PAIR = """
{architecture} and {weights}
    Architecture and weights apart, as the Azure ML tutorial writes them, under names that Keras 3 accepts:
        model = keras.models.model_from_json(open("{architecture}").read())
        model.load_weights("{weights}")
    They take what the tutorial's programs give: float32 [N, {width}], pixels divided by 255.
"""
_NO_PAIR = """
There is no {architecture} with {weights}: that pair is only written for a model that begins with flattening and
Rescaling(1/255), for it takes scaled pixels.
"""


def write(model: Any, folder: Path) -> str:
    """Writes the pair, if the model is one that it can be made of.

    Args:
        model: A `keras.Model`.
        folder: Where to.

    Returns:
        A paragraph about the pair, or about why there is none.
    """
    pair = unscaled(model)
    if pair is None:
        return _NO_PAIR.format(**_NAMES)
    (folder / _ARCHITECTURE).write_text(pair.to_json(), encoding="utf-8")
    pair.save_weights(folder / _WEIGHTS)
    return _PAIR.format(width=pair.input_shape[1], **_NAMES)


def unscaled(model: Any) -> Any | None:
    """Makes the model for flat pixels / 255, with the same weights; None if it does not begin as `dnn` does."""
    layers = getattr(model, "layers", [])
    if [type(layer).__name__ for layer in layers[:2]] != ["Flatten", "Rescaling"]:
        return None
    import keras

    if not isinstance(model, keras.Sequential) or layers[1].scale != 1 / 255 or layers[1].offset:
        return None
    width = layers[0].output.shape[1]
    return keras.Sequential([keras.Input((width,), name="pixels"), *layers[2:]], name=model.name)

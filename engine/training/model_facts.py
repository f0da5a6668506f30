"""What is trained, asked of the model itself and not of the options: `trained.json` of a run."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterable, Mapping
from typing import Any

from .keras_model import held, trained_optimizer

_WIDTH = 100
"""Characters of a line of the layers' table."""


def model_facts(model: Any, unused: Iterable[str] = ()) -> dict[str, Any]:
    """Describes a compiled model that is built, as JSON values.

    Args:
        model: The model.
        unused: Options that the user gave, and that the function which built the model never read.

    Returns:
        `name`, `class`; `optimizer`: its class, and its configuration with the learning rate as it is now, None if no
        step uses it;
        `optimizers` that the model has as other attributes; `loss`, `metrics`; how many `parameters` are trainable and
        how many are not; `unused_options`; and `layers`, Keras' table of them.
    """
    compiled = _compilation(model)
    metrics = [*_as_list(compiled.get("metrics")), *_as_list(compiled.get("weighted_metrics"))]
    return {
        "name": str(model.name),
        "class": type(model).__name__,
        "optimizer": _optimizer(trained_optimizer(model)),
        "optimizers": _own_optimizers(model),
        "loss": _plain(compiled.get("loss")),
        "metrics": [_plain(metric) for metric in metrics],
        "parameters": {
            "trainable": count_parameters(model.trainable_weights),
            "not_trainable": count_parameters(model.non_trainable_weights),
        },
        "unused_options": sorted(unused),
        "layers": _layers(model),
    }


def count_parameters(weights: Iterable[Any]) -> int:
    """Counts the numbers in some variables; `count_params` of Keras refuses a model without `call`, as a GAN may be."""
    return sum(math.prod(weight.shape) for weight in weights)


def count_not_finite_weights(model: Any) -> int:
    """Counts the weights of a model that are NaN, and the trainable ones that are infinite, which others may be.

    Figures need not show them: a ReLU may turn NaN into 0, as oneDNN's does on processors with AVX-512.
    """
    import keras
    import numpy as np

    count = 0
    trainable = {id(variable) for variable in model.trainable_weights}
    for variable in model.weights:
        if keras.backend.is_float_dtype(variable.dtype):
            values = variable.numpy()
            wide = values if values.dtype.kind == "f" else values.astype(np.float32)  # bfloat16 and float8
            count += int((~np.isfinite(wide) if id(variable) in trainable else np.isnan(wide)).sum())
    return count


def _compilation(model: Any) -> Mapping[str, Any]:
    """The arguments of `compile`, as Keras saves them; only the name of the loss if it can't save them."""
    with contextlib.suppress(Exception):
        return model.get_compile_config() or {}
    loss = getattr(model, "loss", None)
    name = str(getattr(loss, "__name__", type(loss).__name__))
    return {} if loss is None else {"loss": "a lambda" if name == "<lambda>" else name}


def _optimizer(optimizer: Any) -> dict[str, Any] | None:
    if optimizer is None:
        return None
    config: Any = {}
    with contextlib.suppress(Exception):  # an optimizer of the user's own may have none
        config = _plain(optimizer.get_config())
    return {"class": type(optimizer).__name__, **(config if isinstance(config, dict) else {})}


def _own_optimizers(model: Any) -> dict[str, Any]:
    """The optimizers that a model has under other names than `optimizer`, as a GAN does."""
    import keras

    return {
        name: _optimizer(value)
        for name, value in held(model)
        # What begins with "_" are Keras' own books, which name them again.
        if isinstance(value, keras.optimizers.Optimizer) and value is not model.optimizer and not name.startswith("_")
    }


def _layers(model: Any) -> str:
    lines: list[str] = []
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = str(_WIDTH)  # Keras cuts off what a terminal of this width would not show
    try:
        with contextlib.suppress(Exception):  # it is only a table
            model.summary(print_fn=lambda text, **_: lines.append(text), line_length=_WIDTH)
    finally:
        os.environ.pop("COLUMNS") if before is None else os.environ.update(COLUMNS=before)
    return "\n".join(lines)


def _as_list(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]


def _plain(value: Any) -> Any:
    """JSON values for a configuration of Keras; an object is its class and configuration, a function is its name."""
    if isinstance(value, Mapping):
        if "class_name" not in value:
            return {str(name): _plain(entry) for name, entry in value.items()}
        if value["class_name"] == "__lambda__":
            return "a lambda"
        config = _plain(value.get("config"))
        return {"class": value["class_name"], **config} if isinstance(config, dict) else config
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    if isinstance(value, float):
        return _short(value)
    return value if isinstance(value, str | int | bool | None) else str(value)


def _short(value: float) -> float:
    """The shortest number that float32 holds as this one: Keras reads 0.001 back as 0.0010000000474974513."""
    import numpy as np

    with np.errstate(over="ignore"):
        single = np.float32(value)
    return float(str(single)) if float(single) == value else value

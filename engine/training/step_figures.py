"""The figures of a step: what callbacks are given, and one number for each figure of a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def logs_of(model: Any, returned: Mapping[str, Any] | None) -> dict[str, Any]:
    """Returns what Keras gives to callbacks: the model's metrics, or what the user's own step has returned.

    The rule is that of Keras (`Trainer._get_metrics_result_or_logs`): the metrics, if the step returns the same names.

    Args:
        model: The model.
        returned: What its last step returned; None if the step is Keras' own.
    """
    metrics: dict[str, Any] = model.get_metrics_result()
    return _plain(metrics if returned is None or returned.keys() == metrics.keys() else returned)


def returns_logs(model: Any, step: str) -> bool:
    """Returns whether a step of a model may return other figures than the model's metrics: it is the user's own."""
    import keras

    methods = [(getattr(model, name), getattr(keras.Model, name)) for name in (step, "compute_metrics")]
    return any(getattr(own, "__func__", own) is not theirs for own, theirs in methods)


def figures_of(logs: Mapping[str, Any]) -> dict[str, float]:
    """Returns one figure for each number in the logs of a step: `recall` with two numbers is `recall_0`, `recall_1`.

    Args:
        logs: What callbacks are given: {name: number or array}.
    """
    import numpy as np

    figures = {}
    for name, value in logs.items():
        numbers = np.asarray(value)
        for index, number in enumerate(numbers.ravel()):
            figures[name if not numbers.ndim else f"{name}_{index}"] = float(number)
    return figures


def _plain(logs: Mapping[str, Any]) -> dict[str, Any]:
    """Converts logs as Keras does for callbacks: dictionaries laid flat, numbers as float, the rest as arrays."""
    import keras

    plain: dict[str, Any] = {}
    for name, value in logs.items():
        if isinstance(value, Mapping):
            plain |= _plain(value)
        else:
            array = keras.ops.convert_to_numpy(value)
            plain[name] = float(array) if array.size == 1 else array
    return plain


def learning_rate(optimizer: Any) -> float | None:
    """Reads the learning rate that an optimizer uses now: a variable's value, or that of a schedule at this step.

    Args:
        optimizer: A Keras optimizer; a `LossScaleOptimizer` gives the rate of the one inside.

    Returns:
        The rate; None for Keras' `MultiOptimizer`, which has several.
    """
    import keras

    rate = getattr(optimizer, "learning_rate", None)
    return None if rate is None else float(keras.ops.convert_to_numpy(rate))  # a mirrored variable has no float()

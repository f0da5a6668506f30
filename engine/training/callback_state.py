"""The state of callbacks from epoch to epoch, so that a resumed training continues as if it was never interrupted.

Keras' callbacks keep it in plain attributes: `wait` and `best` of EarlyStopping and ReduceLROnPlateau, `best_weights`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def capture(callbacks: Sequence[Any]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Copies the plain attributes of callbacks.

    Returns:
        For each callback, its numbers, texts and booleans; and its lists of arrays, by "CALLBACK.ATTRIBUTE.INDEX".
    """
    import numpy as np

    plain: list[dict[str, Any]] = []
    arrays: dict[str, Any] = {}
    for number, callback in enumerate(callbacks):
        plain.append({})
        for name, value in vars(callback).items():
            if isinstance(value, np.generic):
                value = value.item()  # noqa: PLW2901 - the same value, as JSON knows it
            if value is None or isinstance(value, bool | int | float | str):
                plain[-1][name] = value
            elif isinstance(value, list) and value and all(isinstance(item, np.ndarray) for item in value):
                arrays |= {f"{number}.{name}.{index:04}": item for index, item in enumerate(value)}
    return plain, arrays


def restore(callbacks: Sequence[Any], plain: Sequence[Mapping[str, Any]], arrays: Mapping[str, Any]) -> None:
    """Gives callbacks back what `capture` copied; call it after `on_train_begin`, which resets them.

    Args:
        callbacks: Callbacks of the same kinds, in the same order.
        plain: For each, its numbers, texts and booleans.
        arrays: Their lists of arrays, by "CALLBACK.ATTRIBUTE.INDEX".
    """
    for number, (callback, values) in enumerate(zip(callbacks, plain, strict=False)):
        for name, value in values.items():
            setattr(callback, name, value)
        lists: dict[str, list[Any]] = {}
        for key in sorted(arrays):
            owner, name, _ = key.split(".")
            if owner == str(number):
                lists.setdefault(name, []).append(arrays[key])
        for name, items in lists.items():
            setattr(callback, name, items)

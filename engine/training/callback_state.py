"""The state of callbacks from epoch to epoch, so that a resumed training continues as if it was never interrupted.

Keras' callbacks have no call that says what their state is; they keep it in attributes: `wait` and `best` of
EarlyStopping and ReduceLROnPlateau, `best_weights`, the lists of a user's own. State is what a callback has changed
since its `on_train_begin` returned. What it was made with, and what `on_train_begin` finds out, such as the path of a
file or the time, belongs to one process: a resumed training has found it out again.
"""

from __future__ import annotations

import collections
import csv
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from .. import files

_DEPTH = 8
"""Lists in lists that are state."""
_MOST = 20_000
"""Entries of one attribute's lists and dictionaries; copying more after each epoch would take longer than it."""

_NO_STATE: dict[str, set[str]] = {
    # The direction of the metric: found at the first epoch of each training, which then gives `min_delta` its sign.
    "MonitorCallback": {"monitor_op", "min_delta"},
    # A profile is of one process.
    "TensorBoard": {"_is_tracing", "_profiler_started", "_batch_start_time", "_epoch_start_time"},
}
"""What Keras' callbacks change during the epochs, and is no state: by the name of their class."""


class CallbackStates:
    """What the callbacks of one training have learned since it began."""

    def __init__(self, callbacks: Sequence[Any]) -> None:
        """Takes the callbacks, before they are used.

        Args:
            callbacks: Keras callbacks, in the order in which each training of the run has them.
        """
        self._callbacks = list(callbacks)
        self._at_begin: list[dict[str, Any]] = [{} for _ in self._callbacks]

    def begin(self) -> None:
        """Looks at the callbacks when `on_train_begin` has run: what they have now is not state."""
        self._at_begin = [
            {name: fingerprint for name, _, _, fingerprint in _encoded(number, callback)}
            for number, callback in enumerate(self._callbacks)
        ]

    def capture(self) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """Copies what has changed since `begin`.

        Returns:
            For each callback, {"kind": its class, "state": {attribute: what JSON knows}}; and the arrays that the
            states refer to, by name.
        """
        states: list[dict[str, Any]] = []
        arrays: dict[str, Any] = {}
        for number, (callback, before) in enumerate(zip(self._callbacks, self._at_begin, strict=True)):
            state = {}
            for name, value, held, fingerprint in _encoded(number, callback):
                if before.get(name) != fingerprint:
                    state[name] = value
                    arrays |= {key: array.copy() for key, array in held.items()}
            states.append({"kind": _kind(callback), "state": state})
        return states, arrays

    def restore(self, states: Sequence[Mapping[str, Any]], arrays: Mapping[str, Any]) -> None:
        """Gives callbacks back what `capture` copied; call it after `on_train_begin`, which resets them.

        Args:
            states: What `capture` returned, for callbacks of the same kinds in the same order.
            arrays: The arrays that it returned.
        """
        for callback, found in zip(self._callbacks, states, strict=False):
            if found.get("kind") != _kind(callback):
                continue
            for name, value in found["state"].items():
                filled = isinstance(value, dict) and value["$"] == _FILLED
                if filled and not isinstance(getattr(callback, name, None), dict):
                    continue
                _set(callback, name, _decode(value, arrays))


def continue_files(callbacks: Sequence[Any], epochs_done: int) -> None:
    """Has CSVLogger continue its file at a resume, where it would start over, or write an epoch twice.

    Args:
        callbacks: Keras callbacks, before their `on_train_begin`.
        epochs_done: How many epochs the training has behind it.
    """
    import keras

    for callback in callbacks:
        if isinstance(callback, keras.callbacks.CSVLogger) and (path := Path(callback.filename)).is_file():
            callback.append = True
            _cut(path, callback.sep, epochs_done)


def hold_averages(states: Sequence[Mapping[str, Any]]) -> bool:
    """Returns whether Keras' SwapEMAWeights had the moving averages in the model when these states were captured.

    Args:
        states: What `CallbackStates.capture` returned.
    """
    return any(found["state"].get("_ema_weights_in_model") is True for found in states)


def keep_raw_weights(callbacks: Sequence[Any]) -> None:
    """Has SwapEMAWeights keep the weights that the steps have made, from which a run goes on if it gets more epochs.

    In the last epoch that it knows of, it would overwrite them with the averages; `finish_averages` does it instead.

    Args:
        callbacks: Keras callbacks, which know the number of epochs.
    """
    for callback in _swapping(callbacks):
        callback.params = {**callback.params, "epochs": 0}


def finish_averages(callbacks: Sequence[Any]) -> None:
    """Does at the end of all epochs what `keep_raw_weights` has put off: Keras' `fit` then keeps the averages."""
    for callback in _swapping(callbacks):
        callback._finalize_ema_values()


def _swapping(callbacks: Sequence[Any]) -> list[Any]:
    import keras

    kind = keras.callbacks.SwapEMAWeights
    return [callback for callback in callbacks if isinstance(callback, kind) and callback.swap_on_epoch]


def overrides(callbacks: Sequence[Any], method: str) -> bool:
    """Returns whether one of some callbacks has a method of its own, as a class or as an attribute."""
    import keras

    usual = getattr(keras.callbacks.Callback, method)
    return any(getattr(getattr(callback, method), "__func__", None) is not usual for callback in callbacks)


def _cut(path: Path, separator: str, epochs_done: int) -> None:
    """Removes the rows at the end of a CSV file that are of epochs which are trained again."""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    reader = csv.reader(lines, delimiter=separator)
    ends = [(row[0] if row else "", reader.line_num) for row in reader]

    def again(first: str) -> bool:
        return first != "epoch" and not (first.isdecimal() and int(first) < epochs_done)

    while ends and again(ends[-1][0]):
        ends.pop()
    kept = ends[-1][1] if ends else 0
    if kept < len(lines):
        files.write_bytes(path, "".join(lines[:kept]).encode())


def _kind(callback: Any) -> str:
    return f"{type(callback).__module__}.{type(callback).__qualname__}"


def _encoded(number: int, callback: Any) -> Iterator[tuple[str, Any, dict[str, Any], Any]]:
    """Yields of each attribute that may be state: its name, its value for JSON, the arrays of that, a fingerprint."""
    never = set[str]().union(*(_NO_STATE.get(kind.__name__, ()) for kind in type(callback).__mro__))
    for name, value in list(vars(callback).items()):
        encoder = _Encoder(f"{number}.{name}")
        encoded = _UNKNOWN if name in never else encoder.encode(value)
        if encoded != _UNKNOWN:
            yield name, encoded, encoder.arrays, _fingerprint(encoded, encoder.arrays)


def _fingerprint(encoded: Any, arrays: Mapping[str, Any]) -> Any:
    """What tells one value from another without a copy of its arrays."""
    facts = [(array.shape, str(array.dtype), _checksum(array)) for array in arrays.values()]
    return repr(encoded), facts


def _checksum(array: Any) -> int:
    import numpy as np

    return zlib.crc32(np.ascontiguousarray(array).view(np.uint8).data) if array.size else 0


_UNKNOWN: dict[str, Any] = {"$": "unknown"}


class _Encoder:
    """Makes a value what JSON knows, with its arrays beside; a dictionary with the key "$" says what JSON does not."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._within: set[int] = set()
        self._count = 0
        self.arrays: dict[str, Any] = {}

    def encode(self, value: Any, depth: int = 0) -> Any:
        """Returns the value for JSON, or `_UNKNOWN` for one that is no state: a model, a file, a function."""
        import numpy as np

        if isinstance(value, np.generic):
            value = value.item()
        if isinstance(value, float) and not np.isfinite(value):
            return {"$": "float", "of": repr(float(value))}
        if type(value) in _SIMPLE:  # and not an enumeration, which is a number or a text with a name
            return value
        if isinstance(value, Path):
            return {"$": "path", "of": str(value)}
        return self._encode_whole(value, depth)

    def _encode_whole(self, value: Any, depth: int) -> Any:
        """Encodes arrays, variables, and what holds other values."""
        import numpy as np

        if type(value) is np.ndarray and value.dtype.kind in "biufc":
            return self._array("array", value)
        if _is_variable(value):
            return self._array("variable", value.numpy()) if not depth else _UNKNOWN
        kind = next((name for name, known in _KINDS.items() if type(value) is known), None)
        if kind is None and isinstance(value, dict) and not depth:
            kind = _FILLED
        if kind is None or depth == _DEPTH or id(value) in self._within:
            return _UNKNOWN
        self._within.add(id(value))
        items: list[Any] = []
        for item in value.items() if isinstance(value, dict) else value:
            self._count += 1
            items.append(_UNKNOWN if self._count > _MOST else self.encode(item, depth + 1))
            if items[-1] == _UNKNOWN:
                return _UNKNOWN
        self._within.remove(id(value))
        return {"$": kind, "of": items}

    def _array(self, kind: str, array: Any) -> dict[str, Any]:
        key = f"{self._name}.{len(self.arrays):06}"
        self.arrays[key] = array
        return {"$": kind, "of": key}


_KINDS: dict[str, Any] = {
    "list": list,
    "tuple": tuple,
    "dict": dict,
    "set": set,
    "frozenset": frozenset,
    "deque": collections.deque,
    "Counter": collections.Counter,
    "OrderedDict": collections.OrderedDict,
}
_OF_PAIRS = {"dict", "Counter", "OrderedDict"}
_SIMPLE = {type(None), bool, int, float, str}
_FILLED = "another dictionary"
"""A dictionary of another class, which is filled where the callback has made it, and else is no state."""


def _is_variable(value: Any) -> bool:
    import keras
    import tensorflow as tf

    return isinstance(value, keras.Variable | tf.Variable)


def _is_like(now: Any, value: Any) -> bool:
    """Returns whether an array can take the numbers of another, so that views of it see them too."""
    import numpy as np

    both = isinstance(now, np.ndarray) and isinstance(value, np.ndarray)
    return both and now.flags.writeable and (now.shape, now.dtype) == (value.shape, value.dtype)


def _decode(value: Any, arrays: Mapping[str, Any]) -> Any:
    if not isinstance(value, dict):
        return value
    kind, of = value["$"], value["of"]
    simple: dict[str, Callable[[Any], Any]] = {
        "float": float,
        "path": Path,
        "array": arrays.get,
        "variable": arrays.get,
    }
    if kind in simple:
        return simple[kind](of)
    items = [_decode(item, arrays) for item in of]
    return _KINDS[kind](dict(items)) if kind in _OF_PAIRS else _KINDS.get(kind, dict)(items)


def _set(callback: Any, name: str, value: Any) -> None:
    """Sets an attribute; a list, dictionary or variable that the callback has stays that object with other content."""
    now: Any = getattr(callback, name, None)
    if _is_variable(now):
        now.assign(value)
    elif isinstance(now, list) and isinstance(value, list):
        now[:] = value
    elif isinstance(now, collections.deque) and isinstance(value, collections.deque):
        now.clear()
        now.extend(value)
    elif _is_like(now, value):
        now[...] = value
    elif (isinstance(now, dict) and isinstance(value, dict)) or (isinstance(now, set) and isinstance(value, set)):
        now.clear()
        now.update(value)
    else:
        setattr(callback, name, value)

"""Imports TensorFlow and Keras: quietly, and without what they would drag in for nothing."""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import sys
import tempfile
from collections.abc import Iterator
from types import ModuleType
from typing import Any

_QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3"}
# Keras imports matplotlib and TensorFlow Lite imports JAX wherever they are installed: 0.9 s for nothing.
_NOT_NEEDED = ("matplotlib", "matplotlib.pyplot", "jax")
_SELDOM_NEEDED = ("tensorflow._api.v2.compat.v1", "tensorflow._api.v2.compat.v2")
"""Other forms of TensorFlow's interface, of 300 modules: 0.13 s for those who don't use them."""


def import_keras() -> tuple[Any, Any]:
    """The modules `tensorflow` and `keras`, ready for use.

    Environment variables that the user set win; the garbage collector rests during the import, for it finds nothing
    among a hundred thousand new objects that all stay.

    Raises:
        ModuleNotFoundError: One of them is not installed.
    """
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    os.environ["KERAS_BACKEND"] = (
        "tensorflow"  # the engine's loops are TensorFlow's, whatever the user's own scripts take
    )
    collecting = gc.isenabled()
    gc.disable()
    try:
        with _muted_stderr(), _hidden(*_NOT_NEEDED):
            for name in _SELDOM_NEEDED:
                _defer(name)
            import keras
            import tensorflow as tf

            tf.config.list_physical_devices()
    finally:
        if collecting:
            gc.enable()
    gc.freeze()
    return tf, keras


@contextlib.contextmanager
def _hidden(*names: str) -> Iterator[None]:
    """Lets the import of some modules fail, unless they are imported already; afterwards it works as ever."""
    hidden = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]  # None is Python's own mark for this
    try:
        yield
    finally:
        for name in hidden:
            sys.modules.pop(name, None)


def _defer(name: str) -> None:
    """Puts something in the place of a module that imports it as soon as somebody uses it."""
    stand_in = ModuleType(name)

    def look_up(attribute: str) -> Any:
        if sys.modules.get(name) is stand_in:
            del sys.modules[name]
        return getattr(importlib.import_module(name), attribute)

    stand_in.__getattr__ = look_up  # type: ignore[method-assign]
    sys.modules.setdefault(name, stand_in)


@contextlib.contextmanager
def _muted_stderr() -> Iterator[None]:
    """Keeps what C++ code writes to descriptor 2 from the user, unless the body fails."""
    sys.stderr.flush()
    saved = os.dup(2)
    with tempfile.TemporaryFile() as sink:
        os.dup2(sink.fileno(), 2)
        try:
            yield
        except BaseException:
            sink.seek(0)
            os.write(saved, sink.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(saved, 2)
            os.close(saved)

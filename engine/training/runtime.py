"""TensorFlow and Keras in this process: imported quietly and without what they would drag in, and the device chosen."""

from __future__ import annotations

import contextlib
import gc
import importlib.util
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from ..errors import OptionError
from .stop import Stopped, stop_at_once

_QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3"}
# Keras imports matplotlib and TensorFlow Lite imports JAX wherever they are installed: 0.9 s for nothing.
_NOT_NEEDED = ("matplotlib", "matplotlib.pyplot", "jax")
_SELDOM_NEEDED = ("tensorflow._api.v2.compat.v1", "tensorflow._api.v2.compat.v2")
"""Other forms of TensorFlow's interface, of 300 modules: 0.13 s for those who don't use them."""


def import_keras(stop: threading.Event | None = None) -> tuple[Any, Any]:
    """Imports TensorFlow and Keras.

    Environment variables that the user set win, but for `KERAS_BACKEND`, which is always set to `tensorflow`. The
    garbage collector rests during the import, for it finds nothing among a hundred thousand new objects that all stay.

    Args:
        stop: What the handlers of signals set; the import, which takes seconds, ends as soon as it is set.

    Returns:
        The modules `tensorflow` and `keras`, ready for use.

    Raises:
        ModuleNotFoundError: One of them is not installed.
        Stopped: `stop` was set.
    """
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    # The engine's loops are TensorFlow's, whatever the user's own scripts take.
    os.environ["KERAS_BACKEND"] = "tensorflow"
    collecting = gc.isenabled()
    gc.disable()
    try:
        with _muted_stderr(), stop_at_once(stop) if stop else contextlib.nullcontext(), _hidden(*_NOT_NEEDED):
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


def choose_device(tf: Any, device: str, threads: int) -> str:
    """Chooses the device before TensorFlow starts its runtime.

    Args:
        tf: The module `tensorflow`, fresh from its import.
        device: "auto" takes a GPU where there is one.
        threads: How many a single operation may use; 0 means one for each core.

    Returns:
        What was found, for people: "CPU, 2 threads", "GPU: NVIDIA T4".

    Raises:
        OptionError: There is no GPU.
    """
    if threads:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
    gpus = tf.config.list_physical_devices("GPU")
    if device == "gpu" and not gpus:
        raise OptionError(
            "TensorFlow finds no GPU here",
            received="--device gpu",
            hint="train with --device cpu, or install tensorflow[and-cuda] and the driver",
        )
    if device == "cpu" or not gpus:
        tf.config.set_visible_devices([], "GPU")
        return f"CPU, {threads or cores()} thread{'s' if (threads or cores()) > 1 else ''}"
    for gpu in gpus:  # else TensorFlow takes the whole memory of each
        tf.config.experimental.set_memory_growth(gpu, True)
    names = [tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name) for gpu in gpus]
    return f"GPU: {', '.join(names)}"


def cores() -> int:
    """Returns how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def remove_generated_files() -> None:
    """Removes the files of code that TensorFlow's AutoGraph has made, for a process that ends without its clean-up."""
    for name, module in list(sys.modules.items()):
        if name.startswith("__autograph_generated_file") and (file := getattr(module, "__file__", None)):
            for path in (file, importlib.util.cache_from_source(file)):
                with contextlib.suppress(OSError):
                    Path(path).unlink()


@contextlib.contextmanager
def _hidden(*names: str) -> Iterator[None]:
    """Lets the import of some modules fail, unless they are imported already; afterwards it works as before."""
    hidden = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]  # None is Python's own mark for this
    try:
        yield
    finally:
        for name in hidden:
            sys.modules.pop(name, None)


def _defer(name: str) -> None:
    """Puts a stand-in into `sys.modules` that imports the real module as soon as somebody uses it.

    Python finds the stand-in wherever TensorFlow says `import NAME`, so nothing of the module is loaded. It calls the
    `__getattr__` of a module (PEP 562) for attributes that it lacks, and the stand-in has none: the first one that
    somebody asks for takes the stand-in out of `sys.modules`, and the import then loads the real module in its place.
    Code that holds the stand-in from an earlier import keeps it, and each attribute comes through it from the real one.
    """
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
        except Stopped:
            raise
        except BaseException:
            sink.seek(0)
            os.write(saved, sink.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(saved, 2)
            os.close(saved)

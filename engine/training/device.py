"""The device that trains: what is there, and what of it is used."""

from __future__ import annotations

import os
from typing import Any

from ..errors import OptionError


def configure(tf: Any, device: str, threads: int) -> str:
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
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

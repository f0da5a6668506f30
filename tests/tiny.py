"""A data set so small that training on it takes no time, as arrays, as IDX files, and as a plugin."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

SHAPE = (6, 5)
CLASSES = 3


def arrays(count: int, seed: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Images uint8 [count, 6, 5] whose brightest row tells their class, and labels int32 [count]."""
    random = np.random.default_rng(seed)
    labels = random.permutation(np.arange(count, dtype=np.int32) % CLASSES)
    images = random.integers(0, 80, (count, *SHAPE), dtype=np.uint8)
    images[np.arange(count), labels * 2] += 150
    return images, labels


def write(folder: Path, train: int = 330, test: int = 60) -> Path:
    """Writes the four IDX files into a folder and gives it back."""
    folder.mkdir(parents=True, exist_ok=True)
    for prefix, count, seed in (("train", train, 1), ("t10k", test, 2)):
        images, labels = arrays(count, seed)
        (folder / f"{prefix}-images-idx3-ubyte").write_bytes(idx(images))
        (folder / f"{prefix}-labels-idx1-ubyte").write_bytes(idx(labels.astype(np.uint8)))
    return folder


def idx(array: NDArray[np.uint8]) -> bytes:
    """An IDX file of bytes: magic 0x000008 and the rank, sizes as big-endian uint32, then the data."""
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()

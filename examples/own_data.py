"""Makes your own data set in IDX files, noisy stripes in four directions, and prints how to train on it.

Run it with the Python that stoker is installed for: `python examples/own_data.py stripes`.
"""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stoker.datasets import idx

SIZE = 16
DIRECTIONS = ((1, 0), (0, 1), (1, 1), (1, -1))
"""The direction of class 0, 1, 2 and 3, in which the brightness changes: across, down and the two diagonals."""


def stripes(count: int, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Makes images of noisy stripes, uint8 [count, 16, 16], and the labels of their directions, uint8 [count]."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, len(DIRECTIONS), count, dtype=np.uint8)
    x_step, y_step = np.array(DIRECTIONS)[labels].T[:, :, None, None]
    y, x = np.mgrid[:SIZE, :SIZE]
    width, shift = random.uniform(0.7, 1.3, (count, 1, 1)), random.uniform(0, 6.28, (count, 1, 1))
    waves = 128 + 80 * np.sin((x_step * x + y_step * y) * width + shift)
    noise = random.normal(0, 40, waves.shape)
    return (waves + noise).clip(0, 255).astype(np.uint8), labels


def write(folder: Path, train: int = 8000, test: int = 2000) -> None:
    """Writes the four files of the data set into a folder, under MNIST's names."""
    folder.mkdir(parents=True, exist_ok=True)
    parts: tuple[tuple[str, tuple[NDArray[Any], NDArray[Any]]], ...] = (
        ("train", stripes(train, seed=1)),
        ("t10k", stripes(test, seed=2)),
    )
    for name, (images, labels) in parts:
        idx.write(folder / f"{name}-images-idx3-ubyte.gz", images)
        idx.write(folder / f"{name}-labels-idx1-ubyte.gz", labels)


def main(arguments: list[str]) -> None:
    """Writes the data set into the folder that the one argument names."""
    folder = Path(arguments[0] if arguments else "stripes")
    write(folder)
    command = shlex.join(["stoker", "train", "--data-folder", str(folder), "--epochs", "10"])
    print(f"wrote four files into {folder}; train on them with:\n{command}")


if __name__ == "__main__":
    main(sys.argv[1:])

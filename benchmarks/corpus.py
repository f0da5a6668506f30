"""The data: MNIST as raw IDX files, a part of it, and ten times as much, each in a folder made once."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BUNDLED = Path(__file__).resolve().parents[1] / "datasets" / "bundled"
SHIFTS = ((0, 0), (1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, -1), (1, -1), (-1, 1), (2, 0))
"""Rows and columns by which the copies in the large set are moved."""
_IMAGES, _LABELS = "{}-images-idx3-ubyte", "{}-labels-idx1-ubyte"


@dataclass(frozen=True, slots=True)
class Corpus:
    """A folder of data folders.

    Attributes:
        root: Where they are made.
    """

    root: Path

    def whole(self) -> Path:
        """MNIST: 60,000 training and 10,000 test images."""
        folder = self._folder("whole")
        if not any(folder.iterdir()):
            for path in BUNDLED.glob("*.gz"):
                (folder / path.stem).write_bytes(gzip.decompress(path.read_bytes()))
        return folder

    def part(self, train: int, test: int) -> Path:
        """The first images of each part."""
        folder = self._folder(f"{train}-{test}")
        for part, count in (("train", train), ("t10k", test)):
            images, labels = _read(self.whole(), part)
            _write(folder, part, [images[:count]], labels[:count])
        return folder

    def tenfold(self) -> Path:
        """600,000 training images: MNIST ten times, each copy moved a little; the test images are MNIST's."""
        import numpy as np

        folder = self._folder("tenfold")
        images, labels = _read(self.whole(), "train")
        _write(folder, "train", (np.roll(images, shift, (1, 2)) for shift in SHIFTS), np.tile(labels, len(SHIFTS)))
        images, labels = _read(self.whole(), "t10k")
        _write(folder, "t10k", [images], labels)
        return folder

    def _folder(self, name: str) -> Path:
        folder = self.root / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder


def _read(folder: Path, part: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    import numpy as np

    images = np.fromfile(folder / _IMAGES.format(part), np.uint8, offset=16).reshape(-1, 28, 28)
    return images, np.fromfile(folder / _LABELS.format(part), np.uint8, offset=8)


def _write(folder: Path, part: str, blocks: Iterable[NDArray[np.uint8]], labels: Any) -> None:
    with (folder / _IMAGES.format(part)).open("wb") as stream:
        stream.write(struct.pack(">4I", 0x803, len(labels), 28, 28))
        for block in blocks:
            stream.write(block.tobytes())
    (folder / _LABELS.format(part)).write_bytes(struct.pack(">2I", 0x801, len(labels)) + labels.tobytes())

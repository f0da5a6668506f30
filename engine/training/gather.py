"""Copies examples out of arrays, by their rows; those of a large file are read, whatever maps it.

A row that is touched in a memory-mapped file brings its neighbours along. Taken in random order, the rows of a file
soon have all of it counted as memory of this process; read from the file, they leave no trace there.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..errors import StorageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LARGE_BYTES = 128 << 20
"""Rows of smaller files are taken from the mapping, at 0.2 µs each; reading one takes 1.1 µs (784 bytes, measured)."""

RowReader = Callable[["NDArray[np.integer[Any]]", "NDArray[Any]"], None]
"""`take(rows, block)` copies the rows, int64 [n], into the first n of a contiguous block of native dtype."""


def row_reader(array: NDArray[Any]) -> RowReader:
    """Returns the function that copies rows out of an array [N, ...], by its size and whether a file holds it."""
    import numpy as np

    read = _reader(array) if array.nbytes > LARGE_BYTES and hasattr(os, "preadv") else None
    native = array.dtype.isnative

    def take(rows: NDArray[np.integer[Any]], block: NDArray[Any]) -> None:
        if read and native:
            read(rows, block)
        elif read:
            found = np.empty((len(rows), *array.shape[1:]), array.dtype)
            read(rows, found)
            block[: len(rows)] = found
        elif native:
            np.take(array, rows, axis=0, out=block[: len(rows)], mode="clip")
        else:
            block[: len(rows)] = array[rows]

    return take


def _reader(array: NDArray[Any]) -> RowReader | None:
    """Reads rows from the file that an array is mapped from; None for an array of another kind."""
    import numpy as np

    place = _place(array)
    if place is None:
        return None
    path, start = place
    size = array[0].nbytes
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return None

    def read(rows: NDArray[np.integer[Any]], block: NDArray[Any]) -> None:
        pieces: Any = block[: len(rows)].reshape(len(rows), -1).view(np.uint8)
        offsets = (rows.astype(np.int64) * size + start).tolist()
        preadv, done = os.preadv, 0  # bound once: this loop runs for each example
        for piece, offset in zip(pieces, offsets, strict=True):
            done += preadv(descriptor, (piece,), offset)
        if done != len(rows) * size:
            raise StorageError("a data file was cut short while it was read", path=path, hint="bring it back whole")

    weakref.finalize(read, os.close, descriptor)
    sample = np.array([0, len(array) // 2, len(array) - 1])
    block = np.empty((len(sample), *array.shape[1:]), array.dtype)
    try:
        read(sample, block)
    except (OSError, StorageError):
        return None
    return read if block.tobytes() == array[sample].tobytes() else None  # else another file has taken its place


def _place(array: NDArray[Any]) -> tuple[str, int] | None:
    """The file that an array is mapped from, and where in it the array begins, in bytes."""
    import numpy as np

    mapped: Any = array
    while mapped is not None and not isinstance(mapped, np.memmap):
        mapped = getattr(mapped, "base", None)
    if mapped is None or not mapped.filename or not array.flags.c_contiguous:
        return None
    while isinstance(mapped.base, np.ndarray):  # a slice has the offset of the whole
        mapped = mapped.base
    return os.fspath(mapped.filename), mapped.offset + array.ctypes.data - mapped.ctypes.data

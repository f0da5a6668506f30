"""The IDX format: arrays of six number types, as MNIST and its relatives are distributed.

The format, as the MNIST authors describe it: two zero bytes, one byte for the type, one for the number of dimensions,
each dimension as a big-endian uint32, then the items in C order, big-endian. Files may be compressed with gzip.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from ...engine import files
from ...engine.data import ProgressCallback
from ...engine.errors import DatasetError
from .content import PIECE_BYTES, Content
from .header import NAMES, Header, claim, cut_off, parse, too_long

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["open_digested", "open_mapped", "read", "read_header", "sha256", "unpack", "write"]

_PROVEN_FIRST_BYTES = 64 << 20
"""Compressed content that claims more than this is counted before memory is taken for it."""


def read_header(path: Path | str) -> Header:
    """Reads only the header of a file, and compares it with the file's size.

    Raises:
        DatasetError: The file is not IDX, or too short or too long for its header.
    """
    with Content(Path(path)) as content:
        return parse(content)


def read(path: Path | str) -> NDArray[Any]:
    """Reads a whole file into memory.

    Returns:
        A writable array in the machine's byte order: uint8, int8, int16, int32, float32 or float64, any shape.

    Raises:
        DatasetError: The file is missing, damaged, or not IDX, or it doesn't fit into memory.

    Example:
        >>> import numpy as np
        >>> write(folder / "images-idx2-int16", np.array([[1, 2], [3, 4]], np.int16))
        >>> read(folder / "images-idx2-int16").tolist()
        [[1, 2], [3, 4]]
    """
    import numpy as np

    path = Path(path)
    _prove(path)
    with Content(path) as content:
        header = parse(content)
        buffer, done = _allocate(path, header), 0
        for piece in _data(content, header):
            buffer[done : done + len(piece)] = np.frombuffer(piece, np.uint8)
            done += len(piece)
    stored = _shaped(path, buffer, header)
    return stored.astype(stored.dtype.newbyteorder("="), copy=False)


def open_mapped(path: Path | str) -> NDArray[Any]:
    """Maps a file that is not compressed into memory, without reading or copying it.

    Returns:
        A read-only array in the file's byte order (int16 is '>i2'), whatever the file's size.

    Raises:
        DatasetError: The file is missing, compressed, of the wrong size, or not IDX.
    """
    with Content(Path(path)) as content:
        return _mapped(content, parse(content))


def open_digested(path: Path, *, progress: ProgressCallback | None = None) -> tuple[NDArray[Any], str]:
    """Maps a file as `open_mapped` does, and reads the whole of what it maps once.

    Args:
        path: The file.
        progress: Receives the progress of reading.

    Returns:
        The array, and the SHA-256 of the file in hexadecimal.

    Raises:
        DatasetError: The file is missing, compressed, of the wrong size, or not IDX, or the disk can't read it.
    """
    with Content(path) as content:
        header = parse(content)
        array, digest = _mapped(content, header), hashlib.sha256(header.encode())
        for piece in _data(content, header):
            digest.update(piece)
            content.report(progress, f"reading {path.name}")
        return array, digest.hexdigest()


def unpack(path: Path, sink: BinaryIO, *, progress: ProgressCallback | None = None) -> str:
    """Copies the decompressed file into `sink` and checks it on the way, holding one piece at a time.

    Returns:
        The SHA-256 of what was written.

    Raises:
        DatasetError: The file is missing, damaged, or not IDX.
    """
    digest = hashlib.sha256()
    with Content(path) as content:
        header = parse(content)
        sink.write(header.encode())
        digest.update(header.encode())
        for piece in _data(content, header):
            digest.update(piece)
            sink.write(piece)
            content.report(progress, f"unpacking {path.name}")
    return digest.hexdigest()


def sha256(array: NDArray[Any]) -> str:
    """Returns the SHA-256 of the raw file that holds an array, in hexadecimal, without writing it.

    Args:
        array: Of one of the six types, in any byte order.

    Raises:
        DatasetError: The format can't hold such an array.

    Example:
        >>> import hashlib, numpy as np
        >>> labels = np.array([7, 2, 1], np.uint8)
        >>> write(folder / "labels-idx1-ubyte", labels)
        >>> sha256(labels) == hashlib.sha256((folder / "labels-idx1-ubyte").read_bytes()).hexdigest()
        True
    """
    digest = hashlib.sha256()
    for piece in _encoded(Path("the array"), array):
        digest.update(piece)
    return digest.hexdigest()


def write(path: Path | str, array: NDArray[Any]) -> None:
    """Writes `array` as IDX; compressed if the name ends in ".gz". The file appears whole or not at all.

    Args:
        path: Where to; the folder must exist.
        array: Of uint8, int8, int16, int32, float32 or float64 in any byte order.

    Raises:
        DatasetError: The format can't hold such an array.
        StorageError: The file can't be written.

    Example:
        >>> import numpy as np
        >>> write(folder / "labels-idx1-ubyte.gz", np.array([7, 2, 1], np.uint8))
        >>> read(folder / "labels-idx1-ubyte.gz").tolist()
        [7, 2, 1]
    """
    path = Path(path)
    pieces = _encoded(path, array)
    with files.atomic_writer(path) as stream:
        if not path.name.endswith(".gz"):
            stream.writelines(pieces)
            return
        with gzip.GzipFile(filename="", fileobj=stream, mode="wb", mtime=0) as packed:
            packed.writelines(pieces)


def _encoded(path: Path, array: NDArray[Any]) -> tuple[bytes, memoryview]:
    """Returns the header and the items of an array as the file at `path` holds them."""
    import numpy as np

    header = _header_for(path, array)
    return header.encode(), np.ascontiguousarray(array, header.dtype).reshape(-1).view(np.uint8).data


def _header_for(path: Path, array: NDArray[Any]) -> Header:
    dtype = array.dtype.newbyteorder(">").str
    if dtype not in NAMES:
        raise _unwritable(path, f"dtype={array.dtype}", " or ".join(NAMES.values()), "convert the array with astype")
    if any(size >= 1 << 32 for size in array.shape):
        raise _unwritable(path, f"shape={array.shape}", "dimensions below 2**32", "split the array")
    return Header(dtype=dtype, shape=array.shape)


def _mapped(content: Content, header: Header) -> NDArray[Any]:
    """Maps an open file whose header has been read."""
    import numpy as np

    path = content.path
    if content.compressed:
        raise _unmappable(path, "a gzip file", "a raw IDX file", "unpack it first")
    try:
        # The header is mapped too: a file is never empty then, even if its array is.
        mapped = content.map()[header.offset_bytes :]
    except (OSError, ValueError) as error:
        hint = "copy the file to a local disk"
        raise _unmappable(path, str(error), "a file system that can map files", hint) from error
    return _shaped(path, np.asarray(mapped), header)


def _data(content: Content, header: Header) -> Iterator[bytes]:
    """Yields the items' bytes in pieces, and refuses a file with fewer or more of them."""
    left = header.data_bytes
    while left:
        piece = content.read(min(left, PIECE_BYTES))
        if not piece:
            raise cut_off(content, f"{header.total_bytes - left} bytes", claim(header))
        left -= len(piece)
        yield piece
    if content.read(1):
        raise too_long(content, header)


def _prove(path: Path) -> None:
    """Reads large compressed content once without keeping it, so that a false header costs no memory."""
    with Content(path) as content:
        header = parse(content)
        if content.compressed and header.total_bytes > _PROVEN_FIRST_BYTES:
            for _ in _data(content, header):
                pass


def _allocate(path: Path, header: Header) -> NDArray[np.uint8]:
    import numpy as np

    try:
        return np.empty(header.data_bytes, np.uint8)
    except (MemoryError, ValueError, OverflowError) as error:
        raise DatasetError(
            f"{path} doesn't fit into memory",
            received=f"{header}, {header.data_bytes} bytes",
            expected="an array that fits",
            hint="unpack the file: a raw one is mapped, not read",
            path=path,
        ) from error


def _shaped(path: Path, data: NDArray[np.uint8], header: Header) -> NDArray[Any]:
    """Gives the bytes their type and shape, as far as NumPy can."""
    try:
        return data.view(header.dtype).reshape(header.shape)
    except ValueError as error:
        raise DatasetError(
            f"{path} is a valid IDX file, but NumPy can't hold its array",
            received=f"{len(header.shape)} dimensions ({error})",
            expected="at most 64 dimensions (32 before NumPy 2) of a size that NumPy can count",
            hint="reshape the data where it was written",
            path=path,
        ) from error


def _unmappable(path: Path, received: str, expected: str, hint: str) -> DatasetError:
    return DatasetError(f"can't map {path} into memory", received=received, expected=expected, hint=hint, path=path)


def _unwritable(path: Path, received: str, expected: str, hint: str) -> DatasetError:
    return DatasetError(
        f"can't write {path}: IDX can't hold such an array", received=received, expected=expected, hint=hint, path=path
    )

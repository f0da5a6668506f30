"""The content of a data file, decompressed if it is gzip (by its content, not its name), a piece at a time."""

from __future__ import annotations

import contextlib
import gzip
import io
import os
import stat
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, BinaryIO, Self

from ...engine.data import ProgressCallback
from ...engine.errors import DatasetError

if TYPE_CHECKING:
    import numpy as np

PIECE_BYTES = 1 << 20
"""The most of a file that is held in memory while it is streamed."""

GET_AGAIN = "copy or download the file again"
"""The hint for a file that is damaged or cut off."""

_LOGIN_PAGE = "a login, proxy or error page was probably saved under this name: download the file again"
_LFS_POINTER = "this is a Git LFS pointer, not the file: run `git lfs pull`"
_SIGNATURES = (
    (b"<!doctype", "an HTML page", _LOGIN_PAGE),
    (b"<html", "an HTML page", _LOGIN_PAGE),
    (b"<?xml", "an XML document", _LOGIN_PAGE),
    (b"version https://git-lfs", "a Git LFS pointer", _LFS_POINTER),
    (b"pk\x03\x04", "a zip archive", "unpack it first"),
    (b"bzh", "a bzip2 file", "unpack it first"),
    (b"\xfd7zxz\x00", "an xz file", "unpack it first"),
    (b"\x1f\x8b", "a gzip file inside a gzip file", "unpack it once first"),
    (b"\x93numpy", "a NumPy file", "write its array with stoker.datasets.idx.write"),
    (b"\x89png", "a PNG image", "an IDX file holds all images of a set"),
)


def looks_like(beginning: bytes) -> tuple[str, str]:
    """Guesses what a file is that should be something else.

    Args:
        beginning: The first bytes of its content; some hundred are enough.

    Returns:
        What it looks like ("an HTML page"), and how to fix it.
    """
    lowered = beginning.lstrip().lower() or beginning
    for signature, kind, hint in _SIGNATURES:
        if lowered.startswith(signature):
            return kind, hint
    text = beginning.decode("utf-8", errors="ignore")
    if text and all(character.isprintable() or character.isspace() for character in text):
        return f"text: {text[:40]!r}", _LOGIN_PAGE
    return f"bytes that begin with {beginning[:4].hex(' ')}", GET_AGAIN


class Content:
    """A regular file, open for reading its decompressed content.

    Attributes:
        path: The file.
        size_bytes: Its size on the disk, as it is stored.
        compressed: Whether it is gzip.
    """

    def __init__(self, path: Path) -> None:
        """Opens the file.

        Raises:
            DatasetError: It doesn't exist, isn't a regular file or can't be read.
        """
        self.path = path
        with _faults(path), contextlib.ExitStack() as opened:
            self._file = opened.enter_context(_open_regular(path))
            self.size_bytes = os.fstat(self._file.fileno()).st_size
            self.compressed = self._file.read(2) == b"\x1f\x8b"
            self._file.seek(0)
            opened.pop_all()
        packed = self.compressed
        self._stream: io.BufferedIOBase | BinaryIO = gzip.GzipFile(fileobj=self._file) if packed else self._file

    def read(self, size_bytes: int) -> bytes:
        """Reads the next `size_bytes` of the content; fewer only at its end.

        Raises:
            DatasetError: The gzip stream is damaged or cut off, or the disk can't be read.
        """
        with _faults(self.path):
            return self._stream.read(size_bytes)

    def map(self) -> np.memmap[Any, np.dtype[np.uint8]]:
        """Maps the whole file as it is stored, read-only; the map outlives this object.

        Raises:
            OSError: The file system can't map files.
            ValueError: The file is empty.
        """
        import numpy as np

        position = self._file.tell()
        mapped = np.memmap(self._file, np.uint8, "r")  # which moves to the end of the file
        self._file.seek(position)
        return mapped

    def report(self, progress: ProgressCallback | None, what: str) -> None:
        """Reports to `progress` how much of the stored file has been read."""
        if progress:
            progress(what, min(self._file.tell(), self.size_bytes), self.size_bytes)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.close()
        self._file.close()


@contextlib.contextmanager
def _faults(path: Path) -> Iterator[None]:
    """Turns everything that reading a file can raise into a `DatasetError`."""
    try:
        yield
    except EOFError as error:
        raise DatasetError(
            f"the gzip file {path} is cut off",
            received="the file ends inside the compressed data",
            expected="a complete gzip file",
            hint=GET_AGAIN,
            path=path,
        ) from error
    except (zlib.error, gzip.BadGzipFile) as error:
        raise DatasetError(
            f"the gzip file {path} is damaged",
            received=error,
            expected="an undamaged gzip file",
            hint=GET_AGAIN,
            path=path,
        ) from error
    except FileNotFoundError as error:
        raise DatasetError(
            f"no such file: {path}", received="nothing", expected="a data file", hint="check the path", path=path
        ) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DatasetError(
            f"can't read {path}",
            received=reason,
            expected="a regular file that can be read",
            hint="check the path and its permissions",
            path=path,
        ) from error


def _open_regular(path: Path) -> BinaryIO:
    """Opens a regular file; a pipe or device is refused without waiting for it."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise ValueError("not a regular file")
    return path.open("rb")

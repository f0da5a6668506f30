"""Takes single members out of a zip file; the names inside it never become paths."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from ...engine import files
from ...engine.data import ProgressCallback
from ...engine.errors import DatasetError
from ..idx.content import PIECE_BYTES

_FAULTS = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, ValueError, RuntimeError)
"""What `zipfile` raises for a damaged, encrypted or unusual file."""


def extract(
    archive: Path, member: str, target: Path, *, limit_bytes: int, progress: ProgressCallback | None = None
) -> None:
    """Copies one member of a zip file to `target`, which appears whole or not at all.

    Args:
        archive: The zip file.
        member: The exact name of the member.
        target: The file to write; its folder must exist.
        limit_bytes: A larger member is refused, whatever the zip file claims.
        progress: Receives the progress.

    Raises:
        DatasetError: The zip file is damaged, lacks the member, or the member is too large.
        StorageError: The target can't be written.
    """
    done = 0
    with files.atomic_writer(target) as sink:
        for piece, total in _pieces(archive, member):
            done += len(piece)
            if done > limit_bytes:
                raise _unusable(archive, f"{member} has more than {limit_bytes} bytes")
            sink.write(piece)
            if progress:
                progress(f"extracting {member.rpartition('/')[2]}", done, total)


def _pieces(archive: Path, member: str) -> Iterator[tuple[bytes, int]]:
    """Yields the content of a member in pieces, each with the size that the zip file claims for the whole member."""
    try:
        with zipfile.ZipFile(archive) as opened, opened.open(member) as source:
            total = opened.getinfo(member).file_size
            while piece := source.read(PIECE_BYTES):
                yield piece, total
    except KeyError as error:
        raise _unusable(archive, f"no member {member}") from error
    except _FAULTS as error:
        raise _unusable(archive, f"{type(error).__name__}: {error}") from error


def _unusable(archive: Path, received: str) -> DatasetError:
    return DatasetError(
        f"the zip file {archive} can't be used",
        received=received,
        expected="an undamaged zip file with the files of the data set",
        hint=f"remove {archive} to have it downloaded again",
        path=archive,
    )

"""The store: decompressed IDX files in this machine's cache, each with a record of what it is.

    <cache>/sets/mnist/train-images-idx3-ubyte        raw IDX
    <cache>/sets/mnist/train-images-idx3-ubyte.json   its record: {"sha256", "size_bytes", "origin"}
    <cache>/unpacked/<path>-<state>                   raw IDX of a gzip file in the user's folder

The record is written after the file, so a file without one was interrupted and doesn't count.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ...engine import cache, files, locks
from ...engine.data import ProgressCallback
from ...engine.errors import DatasetError


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """What is known about a cached file.

    Attributes:
        sha256: The digest of its content when the file was written, in hexadecimal.
        size_bytes: Its size.
        origin: The address or file that it came from.
    """

    sha256: str
    size_bytes: int
    origin: str


def read_note(path: Path) -> dict[str, Any]:
    """Returns a note that stoker wrote for itself beside a file; {} if it is missing or damaged."""
    with contextlib.suppress(OSError, ValueError, RecursionError):
        note = json.loads(files.read_plain(path))
        return note if isinstance(note, dict) else {}
    return {}


def place_of(set_name: str, file_name: str) -> Path:
    """Returns where the cache has, or would have, a raw file of a named data set."""
    return cache.root() / "sets" / set_name / file_name


def recorded(target: Path) -> Record | None:
    """Returns the record of a cached file, whether or not the file still exists."""
    note = read_note(_record_path(target))
    sha256, size_bytes, origin = (note.get(name) for name in ("sha256", "size_bytes", "origin"))
    if not isinstance(sha256, str) or not isinstance(size_bytes, int) or not isinstance(origin, str):
        return None
    return Record(sha256=sha256, size_bytes=size_bytes, origin=origin)


def find(target: Path) -> Record | None:
    """Returns the record of a cached file that exists with the right size; doesn't read its content."""
    record = recorded(target)
    try:
        return record if record and target.stat().st_size == record.size_bytes else None
    except OSError:
        return None


def write_record(target: Path, *, sha256: str, origin: str) -> Record:
    """Records a file that has its final name now, which makes it count.

    Raises:
        StorageError: It can't be written.
    """
    record = Record(sha256=sha256, size_bytes=target.stat().st_size, origin=origin)
    files.write_json(_record_path(target), asdict(record))
    return record


def keep(
    source: Path, target: Path, *, origin: str, expected_sha256: str = "", progress: ProgressCallback | None = None
) -> Record:
    """Puts an IDX file, decompressed and checked, into the cache.

    Args:
        source: The IDX file, gzip or raw.
        target: The file in the cache; its folder must exist.
        origin: Where the content came from, for the record.
        expected_sha256: The SHA-256 that the raw file must have; "" accepts any.
        progress: Receives the progress.

    Raises:
        DatasetError: The file is damaged, not IDX, or has another digest; nothing is stored.
        StorageError: The cache can't be written.
    """
    with files.atomic_writer(target) as sink:
        from ..idx import unpack

        sha256 = unpack(source, sink, progress=progress)
        if expected_sha256 and sha256 != expected_sha256:
            raise DatasetError(
                f"{origin} is not the right file",
                received=f"sha256 {sha256}, decompressed",
                expected=f"sha256 {expected_sha256}",
                hint="get the file from another source",
                path=source,
            )
    return write_record(target, sha256=sha256, origin=origin)


def unpacked(source: Path, *, progress: ProgressCallback | None = None) -> tuple[Path, Record]:
    """Returns the decompressed twin of a gzip file outside the cache, made once for each state of that file.

    Returns:
        The twin, and its record.

    Raises:
        DatasetError: The file is damaged or not IDX.
        StorageError: The cache can't be written.
    """
    folder = files.make_folder(cache.root() / "unpacked")
    name = name_of(source)
    target = folder / f"{name}-{_short_digest(state_of(source).encode())}"
    record = find(target)
    if record:
        return target, record
    with locks.lock(folder / "lock"):
        record = find(target)
        if not record:
            _forget(folder, name)
            record = keep(source, target, origin=str(source), progress=progress)
    return target, record


def name_of(source: Path) -> str:
    """Returns the name that the cache has for a file elsewhere: a digest of its path."""
    return _short_digest(os.fsencode(source.resolve()))


def _record_path(target: Path) -> Path:
    return target.with_name(f"{target.name}.json")


def state_of(source: Path) -> str:
    """Returns a text that changes with a file: its device, inode, size, and the times of its last change.

    `st_ctime` is set by every change and by nobody's choice; `st_mtime` can be set back.

    Raises:
        OSError: The file can't be looked at.
    """
    status = source.stat()
    numbers = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    return " ".join(map(str, numbers))


def _short_digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:24]


def _forget(folder: Path, name: str) -> None:
    """Removes the twins of earlier states of a file."""
    for old in folder.glob(f"{name}-*"):
        with contextlib.suppress(OSError):  # something else of that name
            old.unlink()

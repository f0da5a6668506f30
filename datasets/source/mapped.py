"""Maps raw IDX files into memory, each with the digest of the bytes that are mapped.

    <cache>/digests/<path>.json    {"sha256", "state"}: the digest of a large file, and its state when it was read

A digest that was recorded when a file was written says nothing about a disk that has lost a bit since. So files are
read before they train: small ones each time, large ones once in each boot of the machine.
"""

from __future__ import annotations

import contextlib
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...engine import cache, files
from ...engine.data import ProgressCallback
from ...engine.errors import StorageError
from ...engine.process import ProcessIdentity
from .. import idx
from . import store

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SHA256 = re.compile(r"[0-9a-f]{64}")
_SMALL_BYTES = 64 << 20
"""Files up to this size are read each time; those of MNIST take 50 ms together."""


def open_mapped(path: Path, *, progress: ProgressCallback | None = None) -> tuple[NDArray[Any], str]:
    """Maps a file that is not compressed.

    Args:
        path: The raw IDX file.
        progress: Receives the progress of reading it.

    Returns:
        The array as `idx.open_mapped` returns it, and the SHA-256 of its file in hexadecimal. A large file is read
        only if this boot of the machine has not read it yet in the state that it is in: its size, its inode, and the
        times of its last change.

    Raises:
        DatasetError: The file is missing, compressed, of the wrong size, or not IDX, or the disk can't read it.
    """
    large, state = _state(path)
    if large and (sha256 := _read_before(path, state)):
        array = idx.open_mapped(path)
        if _state(path) == (large, state):
            return array, sha256
    array, sha256 = idx.open_digested(path, progress=progress)
    if large and _state(path) == (large, state):
        _note(path, state, sha256)
    return array, sha256


def _state(path: Path) -> tuple[bool, str]:
    """Returns whether a file is large, and a text that changes whenever its content may have changed."""
    try:
        return path.stat().st_size > _SMALL_BYTES, f"{ProcessIdentity.current().boot} {store.state_of(path)}"
    except OSError:
        return False, ""  # whoever opens it says why


def _read_before(path: Path, state: str) -> str:
    """Returns the digest that was noted of a file in this state; "" if there is none."""
    note = store.read_note(_note_path(path))
    sha256 = str(note.get("sha256", ""))
    return sha256 if note.get("state") == state and _SHA256.fullmatch(sha256) else ""


def _note(path: Path, state: str, sha256: str) -> None:
    with contextlib.suppress(StorageError):  # it is read again the next time
        files.make_folder(_note_path(path).parent)
        files.write_json(_note_path(path), {"sha256": sha256, "state": state}, durable=False)


def _note_path(path: Path) -> Path:
    return cache.root() / "digests" / f"{store.name_of(path)}.json"

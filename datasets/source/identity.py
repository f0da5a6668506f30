"""Identifies which data set a file belongs to, by its digest and not by its name."""

from __future__ import annotations

import hashlib
from pathlib import Path

from ...engine.data import ProgressCallback
from ...engine.errors import DatasetError
from ..idx.content import PIECE_BYTES, Content
from . import store
from .catalogue import CATALOGUE, KnownFile, KnownSet


def content_sha256(path: Path, *, progress: ProgressCallback | None = None) -> str:
    """Returns the SHA-256 of a file's decompressed content, in hexadecimal.

    Raises:
        DatasetError: The file can't be read, or its gzip stream is damaged.
    """
    digest = hashlib.sha256()
    with Content(path) as content:
        while piece := content.read(PIECE_BYTES):
            digest.update(piece)
            content.report(progress, f"reading {path.name}")
    return digest.hexdigest()


def stored_md5(path: Path) -> str:
    """Returns the MD5 of a file as it is stored; some data sets document no other digest.

    Raises:
        DatasetError: The file can't be read.
    """
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    except OSError as error:
        raise DatasetError(f"can't read {path}", received=error, expected="a readable file", path=path) from error


def check(known: KnownSet, role: str, path: Path, sha256: str) -> str:
    """Checks that a file is the one that a named data set has in that role.

    Args:
        known: The data set.
        role: Which of its four files, as in `ROLES`.
        path: The file, raw or gzip.
        sha256: The digest of its decompressed content.

    Returns:
        What it was compared with; "" if no digest of it is known.

    Raises:
        DatasetError: It is another file; the message names it, if it is known.
    """
    file = known.files[role]
    expected, source = _expected(known, file)
    if expected == sha256:
        return source
    other = _identify(path, sha256)
    if other == (known.name, file.name):
        return f"the MD5 in {known.digests_from}"
    if expected or other:
        raise _another(known, file, path, sha256, other)
    return ""


def recognise(path: Path, sha256: str) -> str:
    """Returns which file of which named data set a file is; "" if that is not known.

    Args:
        path: The file, raw or gzip.
        sha256: The digest of its decompressed content.
    """
    found = _identify(path, sha256)
    return f"{found[1]} of {found[0]}" if found else ""


def _expected(known: KnownSet, file: KnownFile) -> tuple[str, str]:
    """Returns the SHA-256 that a file must have, and where it is from; ("", "") if it is not known."""
    if file.sha256:
        return file.sha256, f"the SHA-256 in {known.digests_from}"
    record = store.recorded(store.place_of(known.name, file.name))
    return (record.sha256, "the SHA-256 recorded when it was downloaded") if record else ("", "")


def _identify(path: Path, sha256: str) -> tuple[str, str] | None:
    """Returns the names of the set and the file, found by any known digest."""
    md5 = stored_md5(path)
    for known in CATALOGUE.values():
        for file in known.files.values():
            if _expected(known, file)[0] == sha256 or file.gz_md5 == md5:
                return known.name, file.name
    return None


def _another(known: KnownSet, file: KnownFile, path: Path, sha256: str, other: tuple[str, str] | None) -> DatasetError:
    looks, remedy = "its content is from no data set that stoker knows", "pass --dataset folder to train on it as it is"
    if other:
        looks = f"it is {other[1]} of {other[0]}"
        remedy = f"pass --dataset {other[0]}" if other[0] != known.name else "give each file its own name"
    expected, _ = _expected(known, file)
    return DatasetError(
        f"{path} is not {file.name} of {known.name}: {looks}",
        received=f"sha256 {sha256}, decompressed",
        expected=f"sha256 {expected}" if expected else f"a file with the MD5 {file.gz_md5}",
        hint=f"{remedy}, or give another folder with --data-folder",
        path=path,
    )

"""Reads every byte of a data set and reports what each file is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ...engine.command import command_line
from ...engine.data import ProgressCallback
from ...engine.errors import DatasetError
from ..idx.locate import locate
from . import store
from .catalogue import CATALOGUE, KnownSet
from .identity import check, content_sha256, recognise


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """What `verify` found out about one file.

    Attributes:
        path: The file.
        sha256: The digest of its content, decompressed.
        verdict: What it was compared with, or recognised as; "" if it is unknown.
    """

    path: Path
    sha256: str
    verdict: str


def verify_cached(known: KnownSet, *, progress: ProgressCallback | None = None) -> list[Finding]:
    """Compares the files of a named data set in the cache with what they must be.

    Returns:
        One finding for each of the four files, in their usual order; none if the set was never fetched.

    Raises:
        DatasetError: A file is missing or damaged.
    """
    places = {role: store.place_of(known.name, file.name) for role, file in known.files.items()}
    if not any(store.recorded(place) for place in places.values()):
        return []
    findings = []
    for role, place in places.items():
        if not store.find(place):
            raise damaged(known, place, "no complete file of that name")
        sha256 = content_sha256(place, progress=progress)
        findings.append(Finding(path=place, sha256=sha256, verdict=check_cached(known, role, place, sha256)))
    return findings


def check_cached(known: KnownSet, role: str, place: Path, sha256: str) -> str:
    """Checks that a file in the cache still is what a named data set has in that role.

    Args:
        known: The data set.
        role: Which of its four files, as in `ROLES`.
        place: The file.
        sha256: The digest of its content, read just now.

    Returns:
        What it was compared with.

    Raises:
        DatasetError: It is another content: the disk, or somebody, has changed it.
    """
    try:
        return check(known, role, place, sha256)
    except DatasetError as error:
        raise damaged(known, place, error.received, error.expected) from error


def verify_folder(folder: Path, name: str = "", *, progress: ProgressCallback | None = None) -> list[Finding]:
    """Reads the files of a data set below the user's folder, and reports what they are.

    Args:
        folder: The folder.
        name: The named data set that they must be; "" takes them as they are.
        progress: Receives the progress of reading.

    Returns:
        One finding for each of the four files, in their usual order.

    Raises:
        DatasetError: A file is missing, damaged, or from another data set than `name`.
    """
    known = CATALOGUE.get(name)
    findings = []
    for role, path in locate(folder, prefer=known.prefix if known else None).items():
        sha256 = content_sha256(path, progress=progress)
        verdict = check(known, role, path, sha256) if known else recognise(path, sha256)
        findings.append(Finding(path=path, sha256=sha256, verdict=verdict))
    return findings


def damaged(known: KnownSet, place: Path, received: str, expected: str = "the file that was fetched") -> DatasetError:
    """Returns the error for a file of the cache that is not what it was."""
    return DatasetError(
        f"the cached file {place} is damaged or missing",
        received=received,
        expected=expected,
        hint=f"remove it, and run `{command_line('data', 'fetch', known.name)}`",
        path=place,
    )

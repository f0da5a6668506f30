"""Finds the four files of a data set, by their names, anywhere below a folder."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

from ...engine.data import require_folder
from ...engine.errors import DatasetError

ROLES = ("train images", "train labels", "test images", "test labels")
"""The roles of the four files of a data set, in the order in which they are read."""

_NAME = re.compile(
    r"(?:(?P<set>.+)-)?(?P<split>train|t10k|test)-(?P<kind>images|labels)"
    r"[-.]idx\d-(?:ubyte|byte|short|int|float|double)(?P<gz>\.gz)?"
)
_USUAL = {
    "train images": "train-images-idx3-ubyte",
    "train labels": "train-labels-idx1-ubyte",
    "test images": "t10k-images-idx3-ubyte",
    "test labels": "t10k-labels-idx1-ubyte",
}
_MOST_FOLDERS = 20_000
"""The search stops after so many folders: somebody pointed it at a whole disk."""

Key = tuple[Path, str]
"""A folder, and what comes before "train" or "t10k" in the names: "emnist-letters", mostly ""."""


def locate(folder: Path, *, prefer: str | None = None) -> dict[str, Path]:
    """Finds the four files of one data set, by their names.

    Of several complete sets, the search takes the one in the shallowest folder. A file that exists raw and compressed
    counts once, as the raw one. Files spread over several folders are taken if each role occurs once.

    Args:
        folder: Where to search; all folders below it too, links followed.
        prefer: The beginning of the names of the set to take where there are several: "emnist-letters", or "" for
            plain names; None has no preference.

    Returns:
        The four paths by role, as in `ROLES`.

    Raises:
        DatasetError: There is no such folder, a file is missing, there are several sets to choose from, or too many
            folders to search.
    """
    require_folder(folder, expected=f"a folder with {', '.join(_USUAL.values())} (.gz or not) somewhere below")
    seen: dict[Key, dict[str, Path]] = {}
    for level in _levels(folder):
        found = _sets(level)
        complete = {key: files for key, files in found.items() if len(files) == len(ROLES)}
        if complete:
            chosen = _only(folder, complete, prefer)
            return {role: chosen[role] for role in ROLES}
        seen.update(found)
    return _spread(folder, seen)


def _levels(folder: Path) -> Iterator[list[Path]]:
    """Yields the folders below `folder` level by level, itself first; visits a loop of links once."""
    level, known = [folder], {_identity(folder)}
    while level:
        if len(known) > _MOST_FOLDERS:
            raise DatasetError(
                f"too many folders lie below {folder} to search them all",
                received=f"more than {_MOST_FOLDERS}",
                expected="a folder with the data files in it or not far below",
                hint="pass a folder nearer to the files with --data-folder",
                path=folder,
            )
        yield level
        below = [child for parent in level for child in _folders_in(parent)]
        level = []
        for child in below:
            identity = _identity(child)
            if identity and identity not in known:
                known.add(identity)
                level.append(child)


def _folders_in(folder: Path) -> list[Path]:
    """Returns the folders directly in `folder`, sorted; none if it can't be read."""
    try:
        with os.scandir(folder) as entries:
            return sorted(Path(entry.path) for entry in entries if entry.is_dir())
    except OSError:
        return []


def _identity(folder: Path) -> tuple[int, int] | None:
    try:
        status = folder.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _sets(level: list[Path]) -> dict[Key, dict[str, Path]]:
    """Groups the data files that lie directly in these folders by folder and set, then by role."""
    found: dict[Key, dict[str, Path]] = defaultdict(dict)
    for folder in level:
        for path, match in _data_files(folder):
            split = "train" if match["split"] == "train" else "test"
            found[folder, match["set"] or ""].setdefault(f"{split} {match['kind']}", path)
    return found


def _data_files(folder: Path) -> list[tuple[Path, re.Match[str]]]:
    """Returns the files in `folder` with the names of data files; raw ones before compressed ones."""
    try:
        paths = sorted(folder.iterdir())
    except OSError:
        return []
    matches = [(path, match) for path in paths if (match := _NAME.fullmatch(path.name))]
    return sorted((one for one in matches if one[0].is_file()), key=lambda one: bool(one[1]["gz"]))


def _only(folder: Path, complete: Mapping[Key, dict[str, Path]], prefer: str | None) -> dict[str, Path]:
    """Returns the one complete set, or the preferred one of several."""
    if len(complete) > 1:
        complete = {key: files for key, files in complete.items() if key[1] == prefer} or complete
    if len(complete) == 1:
        return next(iter(complete.values()))
    raise DatasetError(
        f"several data sets lie below {folder}",
        received=" and ".join(str(files["train images"]) for files in complete.values()),
        expected="one",
        hint="pass the folder of the one you want with --data-folder",
        path=folder,
    )


def _spread(folder: Path, seen: Mapping[Key, Mapping[str, Path]]) -> dict[str, Path]:
    """Returns the four files from different folders, if there is exactly one for each role."""
    candidates = {role: [files[role] for files in seen.values() if role in files] for role in ROLES}
    missing = [_USUAL[role] for role in ROLES if not candidates[role]]
    if missing:
        there = [str(path) for role in ROLES for path in candidates[role]]
        raise DatasetError(
            f"{'no data files' if not there else 'not all data files'} were found below {folder}",
            received=f"only {', '.join(there)}" if there else "no file with the name of a data file",
            expected=f"{', '.join(missing)} (.gz or not) too" if there else f"{', '.join(missing)} (.gz or not)",
            hint=f"put {'it' if len(missing) == 1 else 'them'} there, or pass another folder with --data-folder",
            path=folder,
        )
    several = [path for role in ROLES for path in candidates[role] if len(candidates[role]) > 1]
    if several:
        raise DatasetError(
            f"no folder below {folder} holds a complete data set, and it is unclear which files belong together",
            received=", ".join(str(path) for path in several),
            expected="one file for each of train and test images and labels",
            hint="put the four files that belong together into one folder",
            path=folder,
        )
    return {role: candidates[role][0] for role in ROLES}

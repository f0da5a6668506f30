"""The user's own code that a job needs: the files that it names, and what those import that no package installs."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from ..errors import InputError
from ..hookspecs import PROJECT
from ..job import TrainJob
from ..paths import expanded
from ..plugin import discovery
from .ignore import Ignore
from .ignored import warnings_about_ignored
from .imports import Import, imports
from .installed import installed_plugins, local_distributions, trackers

FOLDER = "user"
LIBRARY = f"{FOLDER}/lib"
"""Where modules lie that other code imports; the node has it on its path."""

_PROVIDED = {PROJECT, *sys.stdlib_module_names}
_INSTALLED = {"site-packages", "dist-packages"}


@dataclass(slots=True)
class UserCode:
    """What was found.

    Attributes:
        files: {place in the package: file here}.
        names: {what the job calls a file: what it calls it in the package}.
        left_out: {file here: the rule that keeps it here}.
        requirements: Installed distributions that the code needs: {name: version}.
        allowed: {file here: what looks like a secret in it and a comment lets pass}.
        warnings: What may go wrong at the node, one sentence each.
    """

    files: dict[str, Path] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    requirements: dict[str, str] = field(default_factory=dict)
    allowed: dict[str, tuple[str, ...]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def gather(job: TrainJob, ignore_files: Sequence[str]) -> UserCode:
    """Returns the code that a job needs beside stoker.

    Args:
        job: The job.
        ignore_files: The names of files with rules about what stays here.

    Raises:
        InputError: A file that the job names isn't there, or is no Python.
    """
    search = _Search(ignore_files)
    folders: dict[Path, str] = {}
    for name in [job.model, *job.plugins]:
        stem, dot_py, rest = name.partition(".py")
        if name.startswith("no:"):
            continue
        if dot_py:
            path = expanded(stem + dot_py).resolve()
            place = folders.setdefault(path.parent, f"{FOLDER}/{len(folders) + 1}")
            search.found.names[name] = f"{place}/{path.name}{rest}"
            search.add(path, f"{place}/{path.name}", path.parent)
        elif name != job.model:
            search.add_module(name, importer=f"-p {name}")
    search.warn_of_ignored()
    left_out = {discovery.short_name(name) for name in discovery.to_leave_out(job.plugins)}
    search.found.requirements |= installed_plugins(left_out)
    search.found.requirements |= trackers(job)
    search.found.warnings += local_distributions(search.found.requirements)
    return search.found


class _Search:
    """Follows imports from file to file."""

    def __init__(self, ignore_files: Sequence[str]) -> None:
        self.found = UserCode()
        self._ignore_files = ignore_files
        self._seen: dict[str, list[Path]] = {}
        self._imports: list[tuple[Path, Import]] = []

    def add(self, path: Path, place: str, folder: Path) -> None:
        """Adds a file, and what it imports if it is Python; what isn't installed is looked for in `folder`."""
        self.found.files[place] = path
        if path.suffix != ".py":
            return
        for one in imports(path):
            self._imports.append((path, one))
            if not one.level:
                self.add_module(one.module, importer=f"{path}:{one.line}", folder=folder, optional=one.optional)

    def add_module(self, name: str, importer: str, folder: Path | None = None, *, optional: bool = False) -> None:
        """Adds a module by its dotted name, unless it comes with Python or stoker."""
        top = name.partition(".")[0]
        if top in _PROVIDED:
            return
        places = _places(top) or _beside(top, folder)
        known = self._seen.get(top, [])
        if known and places and known != places:
            raise InputError(
                f"two modules are called {top}",
                received=" and ".join(str(path) for path in [*known, *places]),
                expected="one of a name in all code of a job",
                hint="give one of them another name",
            )
        if known or (top in self._seen and not places):
            return
        self._seen[top] = places
        if any(_INSTALLED & set(place.parts) for place in places):
            self._require(top, importer)
        for place in places:
            if not _INSTALLED & set(place.parts):
                self._add_place(place)
        if not places and not optional:
            self.found.warnings.append(f"{importer} imports {name}, which is not installed here and not beside it")

    def warn_of_ignored(self) -> None:
        """Warns of each module that stays here though a file imports it that goes."""
        folders = {top: places[0].parent for top, places in self._seen.items() if places}
        self.found.warnings += warnings_about_ignored(self._imports, folders, self.found.left_out, self._ignore_files)

    def _add_place(self, place: Path) -> None:
        if not place.is_dir():
            self.add(place, f"{LIBRARY}/{place.name}", place.parent)
            return
        for path, rule in Ignore.around(place, self._ignore_files).walk(place):
            if rule:
                self.found.left_out[str(path)] = rule
            else:
                self.add(path, f"{LIBRARY}/{path.relative_to(place.parent).as_posix()}", place.parent)

    def _require(self, top: str, importer: str) -> None:
        names = _distributions().get(top, ())
        for name in names[:1]:
            self.found.requirements[name] = importlib.metadata.version(name)
        if not names:
            self.found.warnings.append(f"{importer} imports {top}, and no installed package is known to have it")


def _places(top: str) -> list[Path]:
    """Where a top-level module is imported from in this process: its file, or the folders of its package."""
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return []
    if spec is None:
        return []
    folders = [Path(folder) for folder in spec.submodule_search_locations or ()]
    file = [Path(spec.origin).resolve()] if spec.has_location and spec.origin else []
    return [folder.resolve() for folder in folders] or file


def _beside(top: str, folder: Path | None) -> list[Path]:
    """A module or package in the folder of the file that imports it."""
    if folder is None:
        return []
    candidates = (folder / top / "__init__.py", folder / f"{top}.py")
    found = next((path for path in candidates if path.is_file()), None)
    return [found.parent if found.name == "__init__.py" else found] if found else []


@cache
def _distributions() -> dict[str, list[str]]:
    return {top: sorted(set(names)) for top, names in importlib.metadata.packages_distributions().items()}

"""Which files of a folder stay here: git's ignore rules, for ignore files of any name, and what never goes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from .. import files
from .never import never
from .pattern import Pattern

_FOLDER, _FILE = "a folder", "a file"

GITIGNORE = (".gitignore",)
"""The names of ignore files where a backend has none of its own."""


class Ignore:
    """The rules that hold in a folder and below it.

    Args:
        root: The topmost folder whose ignore files count.
        names: What an ignore file may be called; in a folder with several, the first of them counts.
    """

    def __init__(self, root: Path, names: Sequence[str] = GITIGNORE) -> None:
        self.root = root
        self._names = names
        self._files: dict[Path, tuple[Pattern, ...]] = {}

    @classmethod
    def around(cls, folder: Path, names: Sequence[str] = GITIGNORE) -> Ignore:
        """Returns the rules of the repository around a folder; outside of one, of the nearest folder that has some."""
        places = (folder, *folder.parents)
        repository = (place for place in places if (place / ".git").exists())
        with_rules = (place for place in places if any((place / name).is_file() for name in names))
        return cls(next(repository, None) or next(with_rules, folder), names)

    def walk(self, folder: Path) -> Iterator[tuple[Path, str]]:
        """Yields each file below a folder, in order, with the rule that keeps it here, or "".

        A folder that stays here is given by itself, with the rule. Links are not followed and stay, and so do pipes,
        sockets and devices.

        Raises:
            StorageError: A folder, or a file with rules, can't be read.
        """
        with files.storage_errors(folder, doing="read"):
            kinds = [(path, _kind(path)) for path in sorted(folder.iterdir())]
        for path, kind in kinds:
            rule = kind if kind not in {_FOLDER, _FILE} else self.rule(path, is_folder=kind == _FOLDER)
            if kind == _FOLDER and not rule:
                yield from self.walk(path)
            else:
                yield path, rule

    def rule(self, path: Path, *, is_folder: bool = False) -> str:
        """Returns the rule that keeps a path here, "" if there is none; its parent folders are taken to go."""
        is_code = is_folder and os.path.isfile(path / "__init__.py")  # noqa: PTH113 - Path.is_file raises in a private folder
        kept = "" if is_code else never(path.name, is_folder=is_folder)
        return kept or self._excluded(path, is_folder=is_folder)

    def _excluded(self, path: Path, *, is_folder: bool) -> str:
        """The last pattern about the path decides, in the innermost file that has one."""
        for folder in path.parents:
            relative = path.relative_to(folder).as_posix()
            for pattern in reversed(self._patterns(folder)):
                if pattern.matches(relative, is_folder=is_folder):
                    return "" if pattern.negated else f"{pattern.source}: {pattern.text}"
            if folder == self.root:
                break
        return ""

    def _patterns(self, folder: Path) -> tuple[Pattern, ...]:
        if folder not in self._files:
            name = next((name for name in self._names if (folder / name).is_file()), None)
            self._files[folder] = _read(folder / name) if name else ()
        return self._files[folder]


def _kind(path: Path) -> str:
    """Returns what a path is; anything but a folder and a file is a reason why it stays here."""
    if path.is_symlink():
        return "a link"
    if path.is_dir():
        return _FOLDER
    return _FILE if path.is_file() else "no plain file"  # a pipe would be waited for


def _read(path: Path) -> tuple[Pattern, ...]:
    with files.storage_errors(path, doing="read"):
        lines = files.read_plain(path).decode("utf-8-sig", errors="replace").replace("\r\n", "\n").split("\n")
    parsed = (Pattern.parse(line, f"{path.name}:{number}") for number, line in enumerate(lines, 1))
    return tuple(pattern for pattern in parsed if pattern)

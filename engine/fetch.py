"""Puts the outputs of a run into a folder: whole and verified, or not at all, and nowhere else."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator
from pathlib import Path

from . import files
from .backend import Manifest
from .errors import BackendError, InputError

__all__ = ["copy_outputs", "list_files", "outputs_folder"]


def copy_outputs(source: Path, target: Path) -> Manifest:
    """Copies the folder `source` to `target`, and replaces an earlier copy there when the new one is whole.

    Raises:
        BackendError: There is nothing to copy, or a copy differs from its original.
        InputError: `target` is a file, holds something that no fetch has put there, or is inside `source`.
        StorageError: `target` can't be written.

    Example:
        >>> files.write_bytes(files.make_folder(folder / "outputs") / "notes.txt", b"it went well")
        >>> manifest = copy_outputs(folder / "outputs", folder / "fetched")
        >>> list(manifest.files)
        ['notes.txt']
    """
    manifest = list_files(source)
    if source.resolve() in target.resolve().parents:
        raise InputError(f"{target} is inside the folder to copy", hint="choose another folder", path=target)
    with outputs_folder(target, manifest.files) as beside:
        files.copy_tree(source, beside)
        if list_files(beside) != manifest:
            raise BackendError("the outputs changed while they were copied", path=source, hint="fetch them again")
    return manifest


@contextlib.contextmanager
def outputs_folder(target: Path, names: Collection[str]) -> Iterator[Path]:
    """Yields a folder to make and fill with outputs, which becomes `target` at the end; see `files.atomic_folder`.

    So a backend can download straight to where the outputs belong. The caller checks them within the block; an error
    there leaves `target` as it was. An earlier copy of the outputs is replaced.

    Args:
        target: The folder.
        names: The paths of the outputs below it, with "/".

    Raises:
        BackendError: There are no outputs.
        InputError: `target` is a file, or holds something that is none of the outputs.
        StorageError: `target` can't be written.
    """
    if not names:
        raise BackendError("the run has no outputs yet", hint="wait until it has finished")
    target = target.resolve()
    _check_target(target, names)
    files.make_folder(target.parent)
    with files.atomic_folder(target) as beside:
        yield beside
        for path in (beside, *beside.rglob("*")):
            files.sync_folder(path)


def list_files(folder: Path) -> Manifest:
    """Returns the files below a folder with their digests: those that `files.copy_tree` copies."""
    digests = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if path.is_file() and not path.is_symlink() and not any(map(files.is_unfinished, name.parts)):
            digests[name.as_posix()] = f"sha256:{files.sha256_file(path)}"
    return Manifest(files=digests)


def _check_target(target: Path, names: Collection[str]) -> None:
    """Refuses to replace files that the copy would not bring back: `--output ~` must not delete anybody's files."""
    if not target.is_dir():
        if target.exists():
            raise InputError(f"{target} is a file", expected="a folder, or a free name", path=target)
        return
    below = (path for path in target.rglob("*") if path.is_symlink() or not path.is_dir())
    foreign = next((path for path in below if path.relative_to(target).as_posix() not in names), None)
    if foreign:
        raise InputError(
            f"{target} holds files that are not outputs of this run",
            received=foreign.relative_to(target),
            expected="an empty folder, an earlier copy of the outputs, or a free name",
            hint="choose another folder",
            path=target,
        )

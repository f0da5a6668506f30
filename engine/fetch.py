"""Copies the outputs of a run into a folder: whole and verified, or not at all, and nowhere else."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from . import files
from .backend import Manifest
from .errors import BackendError


def copy_outputs(source: Path, target: Path) -> Manifest:
    """Copies the folder `source` to `target`; what `target` held before is replaced when the copy is whole.

    Raises:
        BackendError: There is nothing to copy, or a copy differs from its original.
        StorageError: `target` can't be written.
    """
    if not source.is_dir():
        raise BackendError("the run has no outputs yet", path=source, hint="wait until it has finished")
    target = target.absolute()
    beside = target.with_name(f".{target.name}.fetching")
    files.make_folder(target.parent)
    files.remove_tree(beside)
    try:
        with files.storage_errors(target):
            shutil.copytree(source, beside, ignore=_links)
        manifest = list_files(source)
        if list_files(beside) != manifest:
            raise BackendError("the outputs changed while they were copied", path=source, hint="fetch them again")
        with files.storage_errors(target):
            files.remove_tree(target)
            os.replace(beside, target)  # noqa: PTH105 - as everywhere: rename is how things appear
            files.sync_folder(target.parent)
    finally:
        files.remove_tree(beside)
    return manifest


def list_files(folder: Path) -> Manifest:
    """The files below a folder with their digests; links are left out."""
    found = [path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink()]
    return Manifest(files={str(path.relative_to(folder)): f"sha256:{files.sha256_file(path)}" for path in found})


def _links(folder: str, names: list[str]) -> set[str]:
    """The links among the names of a folder; they could lead anywhere."""
    return {name for name in names if (Path(folder) / name).is_symlink()}

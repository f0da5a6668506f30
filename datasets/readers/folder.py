"""Reads the user's folder with the four files of a data set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from ...engine.data import FOLDER, Dataset, ProgressCallback
from ...engine.errors import DatasetError, StorageError
from .. import idx
from ..assemble import Part, assemble
from ..idx.content import Content
from ..idx.locate import locate
from ..source import store
from ..source.mapped import open_mapped


class FolderReader:
    """Reads any data set that lies below `--data-folder`, without knowing which one it is.

    Attributes:
        name: The name on the command line.
        summary: One line about it.
    """

    name = FOLDER
    summary = "the four IDX files below --data-folder, whatever they hold"

    def load(self, folder: Path | None, *, offline: bool = False, progress: ProgressCallback | None = None) -> Dataset:
        """Reads the data set, and names it after its folder.

        Args:
            folder: Where the files are.
            offline: Ignored: this reader never downloads.
            progress: Receives the progress of unpacking gzip files.

        Raises:
            DatasetError: A file is missing or wrong, or `folder` is None.
        """
        if folder is None:
            raise DatasetError(
                "the data set 'folder' needs a folder",
                expected="--data-folder DIR",
                hint="pass --data-folder, or the name of a data set with --dataset",
            )
        parts, notes = read_parts(locate(folder), progress=progress)
        dataset = assemble(folder.resolve().name or self.name, parts, notes=notes)
        return replace(dataset, sources={str(part.path): part.source for part in parts.values()})


def read_parts(
    paths: Mapping[str, Path], *, progress: ProgressCallback | None = None
) -> tuple[dict[str, Part], list[str]]:
    """Opens the files of a data set where they lie: maps raw ones, and first unpacks gzip ones into the cache.

    Reads gzip files into memory, with a note, where the cache can't be written.

    Args:
        paths: The files by role.
        progress: Receives the progress of unpacking gzip files.

    Returns:
        The parts by role, and notes for the user.

    Raises:
        DatasetError: A file is missing or wrong.
    """
    parts, notes = {}, []
    for role, path in paths.items():
        try:
            parts[role] = _read_part(path, progress)
        except StorageError as error:
            array = idx.read(path)
            parts[role] = Part(path=path, array=array, source=f"sha256:{idx.sha256(array)}")
            notes.append(f"gzip files are read into memory at each start, for the cache can't be used: {error.what}")
    return parts, notes[:1]


def _read_part(path: Path, progress: ProgressCallback | None) -> Part:
    with Content(path) as content:
        compressed = content.compressed
    if not compressed:
        array, sha256 = open_mapped(path, progress=progress)
        return Part(path=path, array=array, source=f"sha256:{sha256}")
    twin, record = store.unpacked(path, progress=progress)
    try:
        array, sha256 = open_mapped(twin, progress=progress)
    except DatasetError as error:
        raise _damaged(twin, path, error.received, error.expected) from error
    if sha256 != record.sha256:
        raise _damaged(twin, path, f"sha256 {sha256}", f"sha256 {record.sha256}")
    return Part(path=path, array=array, source=f"sha256:{sha256}")


def _damaged(twin: Path, path: Path, received: str, expected: str) -> DatasetError:
    return DatasetError(
        f"{twin}, the unpacked copy of {path}, is damaged",
        received=received,
        expected=expected,
        hint=f"remove {twin} to have it unpacked again",
        path=twin,
    )

"""Reads a data set of the catalogue: from the cache, or from the user's folder if its files are the right ones."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ...engine import cache
from ...engine.data import Dataset, ProgressCallback
from ...engine.errors import DatasetError, StorageError
from .. import idx
from ..assemble import Part, assemble
from ..idx.locate import locate
from ..source import store
from ..source.catalogue import KnownSet
from ..source.fetch import BUNDLED, fetch, is_bundled
from ..source.identity import check
from ..source.mapped import open_mapped
from ..source.verify import check_cached, damaged
from .folder import read_parts

if TYPE_CHECKING:
    from ..source.http import Transport


class NamedReader:
    """Reads one named data set.

    Attributes:
        name: The name on the command line.
        summary: One line about it.
    """

    def __init__(self, known: KnownSet, *, transport: Transport | None = None) -> None:
        self.name = known.name
        self.summary = known.summary
        self._known = known
        self._transport = transport

    def load(self, folder: Path | None, *, offline: bool = False, progress: ProgressCallback | None = None) -> Dataset:
        """Reads the data set, and first downloads it if it is neither bundled nor in the cache.

        Args:
            folder: The user's folder with its files, whose digests must be those of this set; None reads the cache.
            offline: Forbids downloads.
            progress: Receives the progress of long work.

        Raises:
            DatasetError: A file is missing, wrong or from another data set.
            DownloadError: No mirror gave it, and no copy is bundled.
            StorageError: The cache can't be written, and no copy is bundled.
        """
        if folder is not None:
            parts, notes = self._from_folder(folder, progress)
        else:
            parts, notes = self._from_cache(offline, progress)
        if self._known.remark:
            notes = [*notes, self._known.remark]
        return assemble(self.name, parts, notes=notes)

    def _from_cache(self, offline: bool, progress: ProgressCallback | None) -> tuple[dict[str, Part], list[str]]:
        try:
            notes = fetch(self._known, offline=offline, transport=self._transport, progress=progress)
        except StorageError as error:
            if not is_bundled(self._known):
                error.hint = f"set {cache.VARIABLE} to a folder that you may write to"
                raise
            return self._from_bundle(), [
                f"{error.what}: the copy of {self.name} that comes with stoker is used as it is"
            ]
        return {role: self._cached_part(role, progress) for role in self._known.files}, notes

    def _cached_part(self, role: str, progress: ProgressCallback | None) -> Part:
        place = store.place_of(self.name, self._known.files[role].name)
        try:
            array, sha256 = open_mapped(place, progress=progress)
        except DatasetError as error:
            raise damaged(self._known, place, error.received, error.expected) from error
        check_cached(self._known, role, place, sha256)
        return Part(path=place, array=array, source=f"sha256:{sha256}")

    def _from_bundle(self) -> dict[str, Part]:
        """Reads the bundled files into memory."""
        parts = {}
        for role, file in self._known.files.items():
            path = BUNDLED / f"{file.name}.gz"
            array = idx.read(path)
            sha256 = idx.sha256(array)
            check(self._known, role, path, sha256)
            parts[role] = Part(path=path, array=array, source=f"sha256:{sha256}")
        return parts

    def _from_folder(self, folder: Path, progress: ProgressCallback | None) -> tuple[dict[str, Part], list[str]]:
        parts, notes = read_parts(locate(folder, prefer=self._known.prefix), progress=progress)
        unknown = []
        for role, part in parts.items():
            if not check(self._known, role, part.path, part.source.removeprefix("sha256:")):
                unknown.append(part.path.name)
        if unknown:
            notes.append(
                f"stoker knows no digest to compare {', '.join(unknown)} with, so it can't tell whether this is "
                f"{self.name}"
            )
        return parts, notes

"""A writable mount: a folder with blobs of a datastore, which are written back while the job runs."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from ..state.storage import Storage

_Stamp = tuple[int, int, int]


@dataclass(kw_only=True, slots=True, eq=False)
class Output:
    """A writable mount.

    Attributes:
        storage: Holds the blobs.
        container: The container of the blobs.
        prefix: The folder in the container that is mounted.
        folder: The folder that the job sees.
    """

    storage: Storage
    container: str
    prefix: str
    folder: Path
    _known: dict[str, _Stamp] = field(default_factory=dict)

    @classmethod
    def mount(cls, storage: Storage, container: str, prefix: str, folder: Path) -> Output:
        """Makes the folder, with the content of the blobs.

        Args:
            storage: Holds the blobs.
            container: The container of the blobs.
            prefix: The folder in the container to mount.
            folder: The folder to make.
        """
        folder.mkdir(parents=True)
        output = cls(storage=storage, container=container, prefix=prefix, folder=folder)
        for name in storage.names(container, f"{prefix}/"):
            record = storage.get(container, name)
            if record and not record["metadata"].get("hdi_isfolder"):
                target = folder / name.removeprefix(f"{prefix}/")
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(record["file"], target)
        output._known = output._stamps()
        return output

    def write_back(self, torn: Iterable[Path] = ()) -> None:
        """Writes back what has changed since the last time.

        Args:
            torn: Files that were open for writing when the node was lost: of these, a mount has sent only the empty
                file that it began with.
        """
        lost = set(torn)
        stamps = self._stamps()
        for name, stamp in stamps.items():
            path = self.folder / name
            if path in lost:
                self.storage.put(self.container, f"{self.prefix}/{name}", b"")
            elif self._known.get(name) != stamp:
                self._send(path, name)
        for name in self._known.keys() - stamps.keys():
            self.storage.delete(self.container, f"{self.prefix}/{name}")
        self._known = stamps

    def _send(self, path: Path, name: str) -> None:
        try:
            self.storage.put_file(self.container, f"{self.prefix}/{name}", path)
        except FileNotFoundError:
            return  # renamed or removed in the meantime; the next call sees that

    def _stamps(self) -> dict[str, _Stamp]:
        found = {}
        for parent, _, names in os.walk(self.folder):  # skips folders that disappear in the meantime
            for path in (Path(parent, name) for name in names):
                with contextlib.suppress(FileNotFoundError):
                    status = path.stat()
                    stamp = (status.st_ino, status.st_mtime_ns, status.st_size)
                    found[path.relative_to(self.folder).as_posix()] = stamp
        return found

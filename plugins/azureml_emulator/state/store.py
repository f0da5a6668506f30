"""The memory of the emulator: records in JSON, one file each, so that the next start finds them."""

from __future__ import annotations

import contextlib
import copy
import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ....engine import files

Record = dict[str, Any]


class Store:
    """Keeps records by kind and key.

    Readers get copies. A change is on disk, and visible to readers, when the block that makes it ends.

    Args:
        folder: Where the files are.

    Attributes:
        lock: Held while a record changes; take it around several changes that belong together.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.lock = threading.RLock()
        self._kinds: dict[str, dict[str, Record]] = {}
        for path in sorted(folder.glob("*/*.json")):
            kept = json.loads(path.read_text(encoding="utf-8"))
            self._kinds.setdefault(path.parent.name, {})[kept["key"]] = kept["record"]

    def get(self, kind: str, key: str) -> Record | None:
        """Returns a copy of a record; None if there is no such record."""
        with self.lock:
            return copy.deepcopy(self._kinds.get(kind, {}).get(key))

    def all(self, kind: str, keep: Callable[[Record], bool] = lambda _: True) -> list[Record]:
        """Returns copies of the records of a kind, oldest first.

        Args:
            kind: The kind.
            keep: Whether a record is wanted.
        """
        with self.lock:
            return [copy.deepcopy(one) for one in self._kinds.get(kind, {}).values() if keep(one)]

    def keys(self, kind: str, prefix: str = "") -> list[str]:
        """Returns the keys of a kind that begin with a prefix, sorted."""
        with self.lock:
            return sorted(key for key in self._kinds.get(kind, {}) if key.startswith(prefix))

    def put(self, kind: str, key: str, record: Record) -> Record:
        """Writes a record, and replaces one with the same key.

        Args:
            kind: The kind.
            key: The key.
            record: The record.

        Returns:
            The record.
        """
        with self.lock:
            self._kinds.setdefault(kind, {})[key] = copy.deepcopy(record)
            self._write(kind, key)
        return record

    @contextlib.contextmanager
    def change(self, kind: str, key: str) -> Iterator[Record]:
        """Yields the record itself, to change it; holds the lock until the block ends.

        Raises:
            KeyError: There is no such record.
        """
        with self.lock:
            yield self._kinds[kind][key]
            self._write(kind, key)

    def delete(self, kind: str, key: str) -> None:
        """Deletes a record, if it exists."""
        with self.lock:
            if self._kinds.get(kind, {}).pop(key, None) is not None:
                self._path(kind, key).unlink(missing_ok=True)

    def _path(self, kind: str, key: str) -> Path:
        # Keys are names of blobs and runs, of any length and with any character.
        return self._folder / kind / f"{hashlib.sha256(key.encode()).hexdigest()}.json"

    def _write(self, kind: str, key: str) -> None:
        path = self._path(kind, key)
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write_json(path, {"key": key, "record": self._kinds[kind][key]}, durable=False)

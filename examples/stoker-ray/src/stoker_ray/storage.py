"""The storage that this machine and the nodes share: a folder, or any URL that fsspec knows."""

import contextlib
import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
from stoker.engine.errors import BackendError, StokerError
from stoker.engine.fetch import list_files
from stoker.engine.files import make_folder


@contextlib.contextmanager
def storage_errors() -> Iterator[None]:
    """Lets no errors out but stoker's."""
    try:
        yield
    except Exception as error:
        if isinstance(error, StokerError):
            raise
        raise BackendError("the storage can't be used", received=error, hint="see --ray-storage") from error


class Storage:
    """One folder of it. Its record, written last and with the digests of its files, vouches for them."""

    @storage_errors()
    def __init__(self, *parts: str) -> None:
        self.url = "/".join(parts)
        self._system, self._root = fsspec.core.url_to_fs(self.url)

    @storage_errors()
    def read(self, name: str = "record.json") -> Any:
        """The content of a file, as bytes or a JSON value; None if it is not there."""
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            content = self._system.cat_file(f"{self._root}/{name}")
            return json.loads(content) if name.endswith(".json") else content
        return None

    @storage_errors()
    def write(self, value: Any, name: str = "record.json") -> None:
        """Writes a JSON value, which appears whole."""
        beside = f"{self._root}/.{secrets.token_hex(4)}"
        self._system.makedirs(self._root, exist_ok=True)
        self._system.pipe_file(beside, json.dumps(value).encode())
        self._system.mv(beside, f"{self._root}/{name}")

    def publish(self, folder: Path, aside: tuple[str, ...] = (".", "checkpoints/"), **more: Any) -> None:
        """Copies the files below the folder of a run, but for its checkpoints, and then writes the record."""
        digests = {name: sha for name, sha in list_files(folder).files.items() if not name.startswith(aside)}
        for name in digests:
            self._system.makedirs(f"{self._root}/{name}".rpartition("/")[0], exist_ok=True)
            self._system.put_file(str(folder / name), f"{self._root}/{name}")
        self.write({"files": digests, **more})

    @storage_errors()
    def fetch(self, below: str, folder: Path) -> Path:
        """Brings the files whose names begin with `below` into a folder, each checked."""
        digests = {name: sha for name, sha in (self.read() or {}).get("files", {}).items() if name.startswith(below)}
        if not digests or any(".." in name.split("/") for name in digests):
            raise BackendError(f"there is nothing to fetch in {self.url}/{below}", hint="has the run come to its end?")
        for name in digests:
            make_folder((folder / name).parent)
            self._system.get_file(f"{self._root}/{name}", str(folder / name))
        if dict(list_files(folder).files) != digests:
            raise BackendError(f"the files in {self.url} are not those that were written there")
        return folder / below

"""The storage account: blobs in containers, kept as files."""

from __future__ import annotations

import base64
import hashlib
import secrets
import shutil
import urllib.parse
from collections.abc import Mapping
from email.utils import formatdate
from pathlib import Path

from .store import Record, Store
from .tokens import Tokens

_KIND = "blobs"
_MOST_AT_ONCE_BYTES = 64 << 20
"""What clients send with one request: `max_single_put_size` in the SDK's `azure_storage`. More comes in blocks."""


class Storage:
    """The blobs of the account.

    The record of a blob has `container`, `name`, `file`, `etag`, `modified`, `md5` and `metadata`. Its content is a
    file, which is replaced as a whole; or a file elsewhere that still grows, as the log of a job does.

    Args:
        folder: Where the files are; made if need be.
        store: Keeps the records.
        tokens: Signs addresses.
        host: The host of the storage account.
    """

    def __init__(self, folder: Path, store: Store, tokens: Tokens, host: str) -> None:
        self._folder = folder
        self._store = store
        self._tokens = tokens
        self._host = host
        folder.mkdir(parents=True, exist_ok=True)

    def get(self, container: str, name: str) -> Record | None:
        """Returns the record of a blob; None if there is no such blob."""
        return self._store.get(_KIND, f"{container}/{name}")

    def names(self, container: str, prefix: str = "") -> list[str]:
        """Returns the names of the blobs in a container that begin with a prefix, sorted."""
        start = len(container) + 1
        return [key[start:] for key in self._store.keys(_KIND, f"{container}/{prefix}")]

    def put(
        self,
        container: str,
        name: str,
        data: bytes,
        metadata: Mapping[str, str] | None = None,
        *,
        md5: str | None = None,
    ) -> Record:
        """Writes a blob, and replaces one of the same name.

        Args:
            container: The container.
            name: The name of the blob.
            data: The content.
            metadata: The metadata.
            md5: The digest that is kept of it, "" for none; None computes it.

        Returns:
            The record of the blob.
        """
        path = self._new_file()
        path.write_bytes(data)
        return self._keep(container, name, path, md5=_md5(data) if md5 is None else md5, metadata=metadata)

    def put_file(self, container: str, name: str, source: Path) -> Record:
        """Writes a blob with the content of a file.

        Args:
            container: The container.
            name: The name of the blob.
            source: The file.

        Returns:
            The record of the blob.

        Raises:
            OSError: The file can't be read.
        """
        path = self._new_file()
        shutil.copyfile(source, path)
        whole = path.stat().st_size <= _MOST_AT_ONCE_BYTES
        return self._keep(container, name, path, md5=_md5(path.read_bytes()) if whole else "")

    def follow(self, container: str, name: str, source: Path) -> Record:
        """Makes a file that still grows a blob; the file stays where it is.

        Args:
            container: The container.
            name: The name of the blob.
            source: The file.

        Returns:
            The record of the blob.
        """
        return self._keep(container, name, source)

    def copy(self, container: str, name: str, source: Record) -> Record:
        """Writes a blob with the content and the metadata of another.

        Args:
            container: The container.
            name: The name of the blob.
            source: The record of the other.

        Returns:
            The record of the blob.
        """
        path = self._new_file()
        shutil.copyfile(source["file"], path)
        return self._keep(container, name, path, md5=source["md5"], metadata=source["metadata"])

    def set_metadata(self, container: str, name: str, metadata: Mapping[str, str]) -> Record:
        """Changes only the metadata.

        Args:
            container: The container.
            name: The name of the blob.
            metadata: The new metadata.

        Returns:
            The record of the blob.

        Raises:
            KeyError: There is no such blob.
        """
        with self._store.change(_KIND, f"{container}/{name}") as record:
            record["metadata"] = dict(metadata)
            return dict(record)

    def delete(self, container: str, name: str) -> None:
        """Removes a blob, if it exists."""
        self._drop_content(self.get(container, name))
        self._store.delete(_KIND, f"{container}/{name}")

    def url(self, container: str, name: str) -> str:
        """Returns an address with which anybody may read and write a blob."""
        path = f"/{container}/{urllib.parse.quote(name)}"
        return f"https://{self._host}{path}?{self._tokens.sign_path(path)}"

    def _new_file(self) -> Path:
        return self._folder / secrets.token_hex(16)

    def _keep(
        self, container: str, name: str, path: Path, *, md5: str = "", metadata: Mapping[str, str] | None = None
    ) -> Record:
        record: Record = {
            "container": container,
            "name": name,
            "file": str(path),
            "etag": f'"0x{secrets.token_hex(7).upper()}"',
            "modified": formatdate(usegmt=True),
            "md5": md5,
            "metadata": dict(metadata or {}),
        }
        with self._store.lock:
            self._drop_content(self.get(container, name))
            return self._store.put(_KIND, f"{container}/{name}", record)

    def _drop_content(self, record: Record | None) -> None:
        if record and Path(record["file"]).parent == self._folder:
            Path(record["file"]).unlink(missing_ok=True)


def size_of(record: Record) -> int:
    """Returns the size of a blob at this moment, in bytes."""
    return Path(record["file"]).stat().st_size


def _md5(data: bytes) -> str:
    return base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()

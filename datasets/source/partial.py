"""The part of a file that has arrived, and what another process needs to resume the download on another day."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ...engine import files
from .store import read_note


class Partial:
    """A download under way: the bytes so far, and a note about which file of which server they begin.

    Attributes:
        path: The file with the bytes so far; the note stands beside it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._note = path.with_name(f"{path.name}.json")

    @property
    def size_bytes(self) -> int:
        """How many bytes have arrived."""
        return self.path.stat().st_size if self.path.exists() else 0

    def validator(self, url: str) -> str:
        """Returns what the server of `url` calls the version of the bytes; "" if they can't be continued."""
        note = read_note(self._note)
        return str(note.get("validator", "")) if note.get("url") == url and self.size_bytes else ""

    def restart(self, url: str, headers: Mapping[str, str]) -> None:
        """Empties the partial file for a body that `url` sends from its beginning.

        Args:
            url: The address.
            headers: The headers of the answer.

        Raises:
            StorageError: It can't be written.
        """
        self.discard()
        files.write_json(self._note, {"url": url, "validator": validator_of(headers)}, durable=False)
        with files.storage_errors(self.path):
            self.path.touch()

    def discard(self) -> None:
        """Removes what has arrived."""
        self._note.unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)


def validator_of(headers: Mapping[str, str]) -> str:
    """Returns what identifies a file's version in an answer's headers: a strong ETag, else its time, else "".

    A weak ETag does not promise the same bytes, so it can't be used to resume (RFC 9110, 13.1.5).
    """
    etag = headers.get("ETag", "")
    return etag if etag and not etag.startswith("W/") else headers.get("Last-Modified", "")

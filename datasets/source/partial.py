"""The part of a file that has arrived, and what it takes to go on from there in another process, on another day."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from ...engine import files


class Partial:
    """A download under way: the bytes so far, and a note of which file of which server they begin.

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
        """What the server of `url` calls the version that the bytes are from; "" if they can't be continued."""
        try:
            note = json.loads(self._note.read_bytes())
            return str(note["validator"]) if note["url"] == url and self.size_bytes else ""
        except (OSError, ValueError, KeyError, TypeError):
            return ""

    def restart(self, url: str, headers: Mapping[str, str]) -> None:
        """Empties it for a body that `url` sends from its beginning.

        Args:
            url: The address.
            headers: Of the answer.

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
    """What identifies the version of a file in an answer's headers: a strong ETag, else its time; "" if neither.

    A weak ETag does not promise the same bytes and may not be used to continue (RFC 9110, 13.1.5).
    """
    etag = headers.get("ETag", "")
    return etag if etag and not etag.startswith("W/") else headers.get("Last-Modified", "")

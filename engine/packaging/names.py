"""The names of files that go elsewhere: each is text on one line, and holds no secret."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from ..errors import InputError
from ..terminal.text import in_line
from . import secrets


def refuse_names(sources: Mapping[str, Path], error: type[InputError] = InputError) -> None:
    """Refuses names that can't be sent, or may not be.

    A digest over names, a list of blobs and a run's record hold text; a line break would make two names of one.

    Args:
        sources: {path with "/" as it would be there: file here}.
        error: The kind of the error.

    Raises:
        InputError: It names the file, or the folder of it if the name holds a secret.
    """
    for place, path in sources.items():
        what = _unfit(place)
        if what:
            raise error(
                f"{in_line(str(path))} can't be sent: its name has {what}",
                expected="a name in UTF-8, without control characters",
                hint="rename it",
                path=path,
            )
    if secrets.find_in_value("", "\n".join(sources)):  # all at once is many times faster
        for place, path in sources.items():
            _refuse_secret(place, path, error)


def _unfit(place: str) -> str:
    try:
        place.encode()
    except UnicodeEncodeError:
        return "bytes that are not UTF-8"
    if place.isprintable():
        return ""
    return "a line break or another control character" if any(map(_is_control, place)) else ""


def _is_control(character: str) -> bool:
    return unicodedata.category(character) in {"Cc", "Zl", "Zp"}


def _refuse_secret(place: str, path: Path, error: type[InputError]) -> None:
    """Refuses a file whose name, or that of a folder on the way, holds a secret; the message does not repeat it."""
    parts = PurePosixPath(place).parts
    for index, part in enumerate(parts):
        found = secrets.find_in_value("", part)
        if found:
            above = len(parts) - 1 - index
            kind = "folder" if above else "file"
            raise error(
                f"a {kind} in {in_line(str(path.parents[above]))} may not leave this machine: its name holds "
                f"{found.what}",
                hint="rename it",
            )

"""This engine as it runs here, as what goes along: a node can't install one that was never released."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

from .. import files
from ..errors import InputError

ENGINE = "stoker.zip"
"""This engine, which the entry script unpacks."""

ROOT = Path(__file__).resolve().parents[2]
"""The folder of the package `stoker` that runs here: a checkout, or below site-packages."""

_PARTS = ("engine", "plugins", "datasets", "models")
_NOT_SENT = ("engine/testing/", "plugins/commands/scaffold/templates/")
_SUITE = "stoker.engine.testing."
"""How the plugin begins that a job of the conformance suite names; the part of the suite that it needs goes along."""

_OF_SUITE = tuple(
    f"engine/testing/{name}.py"
    for name in ("__init__", "backend/__init__", "backend/payload_plugin", "backend/payloads")
)


def engine_files(plugins: tuple[str, ...], entry: Path, without: tuple[str, ...]) -> dict[str, bytes]:
    """Returns the engine and the entry script: {path: content}, the same bytes wherever stoker is installed.

    The engine is one file, for some services need several requests for each.

    Args:
        plugins: Those of the job.
        entry: The entry script.
        without: Folders of the engine that no node needs.

    Raises:
        InputError: A file can't be read.
    """
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for place, path in _engine(without, with_suite=any(name.startswith(_SUITE) for name in plugins)):
            archive.writestr(zipfile.ZipInfo(place), read(path))  # of 1980 and not compressed: the same everywhere
    return {ENGINE: packed.getvalue(), entry.name: read(entry)}


def _engine(without: tuple[str, ...], *, with_suite: bool) -> Iterator[tuple[str, Path]]:
    """Yields the engine's files, without what only a developer or a user's own machine needs."""
    top = [ROOT / "cli.py", ROOT / "__main__.py"]
    below = [path for part in _PARTS for path in sorted((ROOT / part).rglob("*.py"))]
    for path in [*top, *below]:
        relative = path.relative_to(ROOT).as_posix()
        if not relative.startswith((*_NOT_SENT, *without)) or (with_suite and relative in _OF_SUITE):
            yield f"stoker/{relative}", path


def read(path: Path) -> bytes:
    """Returns the content of a file.

    Raises:
        InputError: It can't be read.
    """
    try:
        return files.read_plain(path)
    except OSError as error:
        raise InputError(f"can't read {path}", received=error.strerror, path=path) from error

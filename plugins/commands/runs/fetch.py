"""`stoker runs fetch`: copies the outputs of a run into a folder, and replaces nothing there but an earlier copy."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path

from ....engine import files, strict_json
from ....engine.backend import Backend, Manifest
from ....engine.errors import InputError, StorageError
from ....engine.rundir import RunDirectory
from ....engine.terminal.interrupt import interrupted_by_signals

_RECORD = "fetched.json"
"""What was copied where, in the run's folder: {folder: {file: "sha256:…"}}."""


def fetch(found: RunDirectory, backend: Backend, target: Path) -> Manifest:
    """Copies the outputs of a run into a folder, and remembers what it has put there.

    Args:
        found: The run.
        backend: Its backend.
        target: The folder: new, empty, or an earlier copy.

    Raises:
        InputError: The folder holds something else, or a file of the earlier copy was changed.
        BackendError: The backend can't give the outputs.
        StorageError: They can't be written.
    """
    place, record = str(target.resolve()), _record(found)
    _refuse_others(target, record.get(place, {}))
    with interrupted_by_signals():  # else a folder of half of the files stays
        manifest = backend.fetch(found.handle(), target)
    with contextlib.suppress(StorageError):  # whoever may only look can't replace the copy later
        files.write_json(found.path / _RECORD, {**record, place: dict(manifest.files)})
    return manifest


def _refuse_others(target: Path, known: Mapping[str, str]) -> None:
    """Refuses a folder with a file that is not as a fetch of this run has left it; a new copy would replace it."""
    for path in sorted(target.rglob("*")) if target.is_dir() else ():
        name = path.relative_to(target).as_posix()
        if path.is_dir() and not path.is_symlink():
            continue
        plain = path.is_file() and not path.is_symlink()
        if not plain or name not in known or f"sha256:{files.sha256_file(path)}" != known[name]:
            raise InputError(
                f"{target} holds a file that is not as a fetch of this run has left it",
                received=name,
                expected="an empty folder, an unchanged earlier copy of the outputs, or a free name",
                hint="choose another folder",
                path=target,
            )


def _record(found: RunDirectory) -> dict[str, Mapping[str, str]]:
    """Returns what was copied where; {} if nothing was, or the record is damaged."""
    try:
        value = strict_json.loads(files.read_plain(found.path / _RECORD))
        return {
            str(place): {str(name): str(digest) for name, digest in copied.items()} for place, copied in value.items()
        }
    except (OSError, ValueError, AttributeError, RecursionError):
        return {}

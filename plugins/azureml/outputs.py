"""Brings the outputs of a run here: each file whole, with its digest where the storage has one."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from ...engine import files
from ...engine.backend import Manifest
from ...engine.errors import BackendError
from ...engine.fetch import copy_outputs
from .rehearse import RECORD
from .service import Service

FOLDER = "outputs/"
"""What the service keeps of what a job has made; it is the folder of outputs here."""

_ARTIFACTS = "artifact/v2.0"
_PIECE = 8 * 2**20


def fetch(service: Service, run_id: str, target: Path) -> Manifest:
    """Brings the outputs into a folder: all of them, or none.

    Raises:
        BackendError: There are none, or one can't be had whole.
        InputError, StorageError: They can't be written there.
    """
    with tempfile.TemporaryDirectory(prefix="stoker-azureml-") as place:
        folder = Path(place).resolve() / "outputs"
        for name, url in listed(service, run_id):
            path = folder / name
            if not path.resolve().is_relative_to(folder) or path.exists():
                raise BackendError(f"the run {run_id} has an output of a name that leads elsewhere", received=name)
            files.make_folder(path.parent)
            download(service, url, path)
        return copy_outputs(folder, target)


def listed(service: Service, run_id: str, below: str = "") -> Iterator[tuple[str, str]]:
    """The outputs of a run: each path below its outputs, and the signed address of its content.

    Args:
        service: The workspace.
        run_id: The run.
        below: A folder of the outputs; "" is all, but for the record of the run.
    """
    container = quote(f"dcid.{run_id}", safe="")
    prefix = quote(f"{FOLDER}{below}")
    record = f"{RECORD}/"
    for entry in service.list(_ARTIFACTS, f"/artifacts/prefix/contentinfo/ExperimentRun/{container}/{prefix}"):
        path = str(entry["path"])
        if path.startswith(FOLDER) and not path.startswith(record):
            yield path.removeprefix(FOLDER), str(entry["contentUri"])


def download(service: Service, url: str, path: Path) -> None:
    """Writes the content of a blob into a file, in pieces; a piece that fails is asked for again.

    Raises:
        BackendError: It can't be had, or it is not what the storage says that it is.
        StorageError: It can't be written.
    """
    offset = 0
    with files.storage_errors(path), path.open("wb") as stream:
        while True:
            piece = service.read(url, offset, _PIECE)
            if piece is None:
                raise BackendError(f"the output {path.name} is not there any more", hint="fetch the outputs again")
            stream.write(piece)
            offset += len(piece)
            if len(piece) < _PIECE:
                return


def sha256(service: Service, url: str) -> str:
    """The SHA-256 of a blob, in hexadecimal."""
    with tempfile.TemporaryDirectory(prefix="stoker-azureml-") as place:
        path = Path(place) / "content"
        download(service, url, path)
        return files.sha256_file(path)

"""Brings the outputs of a run here: each file whole, with its digest where the storage has one."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from ....engine import files
from ....engine.backend import Manifest
from ....engine.errors import BackendError
from ....engine.fetch import copy_outputs
from ....engine.packaging.layout import RECORD
from ..rest.client import Service

FOLDER = "outputs/"
"""What the service keeps of what a job has made; it is the folder of outputs here."""

_RECORDED = ("metrics.jsonl", "environment.json", "report.html")
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
    for path, url in _entries(service, run_id, f"{FOLDER}{below}"):
        if path.startswith(FOLDER) and not path.startswith(f"{RECORD}/"):
            yield path.removeprefix(FOLDER), url


def fetch_record(service: Service, run_id: str, folder: Path) -> None:
    """Brings the record of a run into its folder.

    Raises:
        BackendError: It can't be had.
        StorageError: It can't be written.
    """
    found = dict(_entries(service, run_id, f"{RECORD}/"))
    with tempfile.TemporaryDirectory(prefix="stoker-azureml-") as place:
        for name in _RECORDED:
            url = found.get(f"{RECORD}/{name}")
            if url:
                download(service, url, Path(place) / name)
                files.write_bytes(folder / name, (Path(place) / name).read_bytes())


def _entries(service: Service, run_id: str, prefix: str) -> Iterator[tuple[str, str]]:
    """The files of a run whose paths begin so, and the signed address of each."""
    container = quote(f"dcid.{run_id}", safe="")
    where = f"/artifacts/prefix/contentinfo/ExperimentRun/{container}/{quote(prefix)}"
    for entry in service.list(_ARTIFACTS, where):
        yield str(entry["path"]), str(entry["contentUri"])


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

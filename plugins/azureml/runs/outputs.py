"""Fetches the outputs and the record of a run: each file whole, and all of them or none."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from ....engine import files
from ....engine.backend import Manifest
from ....engine.errors import BackendError
from ....engine.fetch import copy_outputs
from ....engine.packaging.layout import RECORD
from ....engine.rundir import RunDirectory
from ..rest import paths
from ..rest.client import Service

FOLDER = "outputs/"
"""The part of a run's files that the service keeps from the job's folder: its outputs."""

_PIECE_BYTES = 8 << 20


def fetch(service: Service, run_id: str, target: Path) -> Manifest:
    """Fetches the outputs of a run into a folder: all of them, or none.

    Args:
        service: The workspace.
        run_id: The attempt whose outputs to fetch.
        target: The folder.

    Returns:
        The files, with their digests.

    Raises:
        BackendError: There are no outputs, or one can't be read whole.
        InputError: The folder holds something else.
        StorageError: They can't be written there.
    """
    with tempfile.TemporaryDirectory(prefix="stoker-azureml-") as temporary:
        folder = Path(temporary).resolve() / "outputs"
        for name, url in listed(service, run_id):
            path = folder / name
            if not path.resolve().is_relative_to(folder) or path.exists():
                raise BackendError(f"an output of the run {run_id} would land outside its folder", received=name)
            files.make_folder(path.parent)
            download(service, url, path)
        return copy_outputs(folder, target)


def listed(service: Service, run_id: str, below: str = "") -> Iterator[tuple[str, str]]:
    """Lists the outputs of a run: each path below the outputs, and the signed address of its content.

    Args:
        service: The workspace.
        run_id: The run.
        below: A folder of the outputs; "" lists all of them, without the record of the run.

    Raises:
        BackendError: They can't be listed.
    """
    for path, url in _entries(service, run_id, f"{FOLDER}{below}"):
        if path.startswith(FOLDER) and not path.startswith(f"{RECORD}/"):
            yield path.removeprefix(FOLDER), url


def fetch_record(service: Service, run_id: str, folder: Path) -> None:
    """Fetches the record of a run into a folder.

    Args:
        service: The workspace.
        run_id: The attempt whose record to fetch.
        folder: The folder.

    Raises:
        BackendError: It can't be read.
        StorageError: It can't be written.
    """
    found = dict(_entries(service, run_id, f"{RECORD}/"))
    with tempfile.TemporaryDirectory(prefix="stoker-azureml-") as temporary:
        for name in RunDirectory.FETCHED_RECORD:
            url = found.get(f"{RECORD}/{name}")
            if url:
                download(service, url, Path(temporary) / name)
                files.write_bytes(folder / name, (Path(temporary) / name).read_bytes())


def _entries(service: Service, run_id: str, prefix: str) -> Iterator[tuple[str, str]]:
    """Lists the files of a run whose paths begin with a prefix, and the signed address of each."""
    for entry in service.list(paths.artifacts(run_id, prefix)):
        yield str(entry["path"]), str(entry["contentUri"])


def download(service: Service, url: str, path: Path) -> None:
    """Downloads a blob into a file, piece by piece; a piece that fails is retried.

    Args:
        service: The workspace.
        url: The signed address of the blob.
        path: The file.

    Raises:
        BackendError: The blob can't be read, or is gone.
        StorageError: The file can't be written.
    """
    offset = 0
    with files.storage_errors(path), path.open("wb") as stream:
        while True:
            piece = service.read(url, offset, _PIECE_BYTES)
            if piece is None:
                raise BackendError(f"the output {path.name} is gone", hint="fetch the outputs again")
            stream.write(piece)
            offset += len(piece)
            if len(piece) < _PIECE_BYTES:
                return


def sha256(service: Service, url: str) -> str:
    """Computes the SHA-256 of a blob, in hexadecimal."""
    with tempfile.TemporaryDirectory(prefix="stoker-azureml-") as temporary:
        path = Path(temporary) / "content"
        download(service, url, path)
        return files.sha256_file(path)

"""Fetches the outputs and the record of a run: each file whole, and all of them or none."""

from __future__ import annotations

import errno
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath

from ....engine import files, strict_json
from ....engine.backend import Manifest, Reporter
from ....engine.errors import BackendError, InputError, StorageError, few
from ....engine.fetch import list_files, outputs_folder
from ....engine.packaging.layout import RECORD
from ....engine.rundir import RunDirectory
from ..progress import bytes_reported
from ..rest import paths
from ..rest.answer import text
from ..rest.client import Service
from .download import AGAIN, Blob, download, download_all
from .status import CloudRun

FOLDER = "outputs/"
"""The part of a run's files that the service keeps from the job's folder: its outputs."""

_MANIFEST = "MANIFEST.json"
"""The file in the folder of a model that has the digests of the others; `engine.training.export` writes it."""
_ODD_NAME = {errno.ENAMETOOLONG, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.EINVAL, errno.EILSEQ}
"""What a file system says to a name that it can't have, or that another file has already."""


def fetch(cloud_run: CloudRun, target: Path, report: Reporter) -> Manifest:
    """Fetches the outputs of a run into a folder: all of them, or none.

    Each file is compared with the MD5 that the storage has of it, and those of the model with the digests in its
    manifest. An output whose name can't be that of a file here is left out, and named.

    Args:
        cloud_run: The run; its last attempt's outputs are fetched, and their digests kept there.
        target: The folder.
        report: Takes lines about how far it is.

    Returns:
        The files, with their digests.

    Raises:
        BackendError: There are no outputs, or one can't be read whole, or arrived changed.
        InputError: The folder holds something else.
        StorageError: They can't be written there.
    """
    service, run_id = cloud_run.service, str(cloud_run.newest()["runId"])
    blobs = dict(listed(service, run_id))
    with outputs_folder(target, blobs) as folder:
        left_out = _make_room(folder, blobs)
        with bytes_reported(report) as progress:
            wanted = {folder / name: blob for name, blob in blobs.items() if name not in left_out}
            verified = download_all(service, wanted, progress)
        manifest = list_files(folder)
        if not manifest.files:
            received = few(f"{name!r} ({why})" for name, why in left_out.items())
            raise BackendError("no output of the run has a name that a file here can have", received=received)
        names = {path.relative_to(folder).as_posix() for path in verified} | _check_manifest(folder, manifest, "model")
    cloud_run.verified[run_id] = {name: manifest.files[name] for name in names}
    return replace(manifest, unverified=tuple(sorted(manifest.files.keys() - names)), left_out=left_out)


def _make_room(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """Makes an empty file for each output; returns those whose names can't be those of files here, and why.

    Raises:
        StorageError: The folder can't be written.
    """
    left_out = {}
    folder.mkdir()
    for name in names:
        path = folder / name
        if name.startswith("/") or ".." in PurePosixPath(name).parts:
            left_out[name] = "it would be outside the folder"
            continue
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.open("xb").close()
        except ValueError:  # NUL, or characters that the file system can't have
            left_out[name] = "its name can't be that of a file"
        except OSError as error:
            if error.errno not in _ODD_NAME:
                raise StorageError.from_os(error, folder) from error
            left_out[name] = str(error.strerror)
    return left_out


def listed(service: Service, run_id: str, below: str = "") -> Iterator[tuple[str, Blob]]:
    """Lists the outputs of a run, each with its path below the outputs.

    Args:
        service: The workspace.
        run_id: The run.
        below: A folder of the outputs; "" lists all of them, without the record of the run.

    Raises:
        BackendError: They can't be listed.
    """
    for blob in _entries(service, run_id, f"{FOLDER}{below}"):
        unfinished = any(map(files.is_unfinished, PurePosixPath(blob.path).parts))
        if blob.path.startswith(FOLDER) and not blob.path.startswith(f"{RECORD}/") and not unfinished:
            yield blob.path.removeprefix(FOLDER), blob


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
    found = {blob.path: blob for blob in _entries(service, run_id, f"{RECORD}/")}
    with tempfile.TemporaryDirectory(prefix="stoker-azureml-") as temporary:
        for name in RunDirectory.FETCHED_RECORD:
            blob = found.get(f"{RECORD}/{name}")
            if blob:
                download(service, blob, Path(temporary) / name)
                files.write_bytes(folder / name, (Path(temporary) / name).read_bytes())


def _entries(service: Service, run_id: str, prefix: str) -> Iterator[Blob]:
    """Lists the files of a run whose paths begin with a prefix."""
    for entry in service.list(paths.artifacts(run_id, prefix)):
        yield Blob(run_id, text(entry, "path"), text(entry, "contentUri"))


def _check_manifest(folder: Path, found: Manifest, model: str) -> set[str]:
    """Compares the files of a model with the digests in its manifest.

    Args:
        folder: The outputs.
        found: What they are.
        model: The folder of the model below them.

    Returns:
        The paths of the files that have the right digests, relative to the outputs; none if there is no manifest.

    Raises:
        BackendError: A file has another digest, or is missing.
    """
    path = folder / model / _MANIFEST
    expected = _digests(path.read_bytes()) if path.is_file() else {}
    for name, digest in expected.items():
        _check_digest(f"{model}/{name}", digest, found.files.get(f"{model}/{name}", "no such file"))
    return {f"{model}/{name}" for name in expected}


def _digests(content: bytes) -> dict[str, str]:
    """Returns what a manifest has of each file, "sha256:…"; {} if it is no manifest."""
    try:
        value = strict_json.loads(content)
    except (ValueError, RecursionError):
        return {}
    named = value.get("files") if isinstance(value, dict) else None
    found = named.items() if isinstance(named, dict) else ()
    return {name: digest for name, digest in found if isinstance(digest, str)}


def _check_digest(name: str, expected: str, found: str) -> None:
    if found != expected:
        what = f"the output {name} is not the one that its {_MANIFEST} describes"
        raise BackendError(what, received=found, expected=expected, hint=AGAIN)


def verified_sha256(service: Service, run_id: str, model: str, name: str) -> str:
    """Returns the SHA-256 of a file of a model, in hexadecimal, once the file has been compared with its source.

    Args:
        service: The workspace.
        run_id: The attempt that wrote it.
        model: The folder of the model below the outputs.
        name: The file in it.

    Raises:
        BackendError: It can't be read, arrived changed, or nothing has a digest to compare it with.
        InputError: There is no such file.
    """
    found = dict(listed(service, run_id, model))
    blob, described = found.get(f"{model}/{name}"), found.get(f"{model}/{_MANIFEST}")
    if blob is None:
        raise InputError(f"the outputs of the run {run_id} have no {model}/{name}")
    with tempfile.TemporaryDirectory(prefix="stoker-azureml-") as temporary:
        path, manifest = Path(temporary) / "content", Path(temporary) / _MANIFEST
        verified = download(service, blob, path)
        digest = files.sha256_file(path)
        if described:
            download(service, described, manifest)
            if expected := _digests(manifest.read_bytes()).get(name):
                _check_digest(f"{model}/{name}", expected, f"sha256:{digest}")
                verified = True
    if not verified:
        what = f"nothing shows that the output {model}/{name} arrived as it was written"
        raise BackendError(what, hint=f"neither the storage nor {model}/{_MANIFEST} has a digest of it")
    return digest

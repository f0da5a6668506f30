"""Fetches the outputs and the record of a run: each file whole, and all of them or none."""

from __future__ import annotations

import base64
import errno
import hashlib
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path, PurePosixPath

from ....engine import files, strict_json
from ....engine.backend import Manifest
from ....engine.errors import BackendError, InputError, StorageError
from ....engine.fetch import copy_outputs
from ....engine.packaging.layout import RECORD
from ....engine.rundir import RunDirectory
from ..rest import paths
from ..rest.client import Service

FOLDER = "outputs/"
"""The part of a run's files that the service keeps from the job's folder: its outputs."""

_MANIFEST = "MANIFEST.json"
"""The file in the folder of a model that has the digests of the others; `engine.training.export` writes it."""
_AGAIN = "fetch the outputs again"
_PIECE_BYTES = 8 << 20
_AT_ONCE = 4
_ODD_NAME = {errno.ENAMETOOLONG, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.EINVAL, errno.EILSEQ}
"""What a file system says to a name that it can't have, or that another file has already."""


def fetch(service: Service, run_id: str, target: Path) -> Manifest:
    """Fetches the outputs of a run into a folder: all of them, or none.

    Each file is compared with the MD5 that the storage has of it, and those of the model with the digests in its
    manifest. An output whose name can't be that of a file here is left out, and named.

    Args:
        service: The workspace.
        run_id: The attempt whose outputs to fetch.
        target: The folder.

    Returns:
        The files, with their digests.

    Raises:
        BackendError: There are no outputs, or one can't be read whole, or arrived changed.
        InputError: The folder holds something else.
        StorageError: They can't be written there.
    """
    with tempfile.TemporaryDirectory(prefix="stoker-azureml-") as temporary:
        folder = Path(temporary).resolve() / "outputs"
        urls = dict(listed(service, run_id))
        left_out = _make_room(folder, urls)
        verified = _download_all(service, {folder / name: urls[name] for name in urls if name not in left_out})
        names = {path.relative_to(folder).as_posix() for path in verified} | _check_manifest(folder, "model")
        manifest = copy_outputs(folder, target)
        unverified = tuple(name for name in manifest.files if name not in names)
        return replace(manifest, unverified=unverified, left_out=left_out)


def _make_room(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """Makes an empty file for each output; returns those whose names can't be those of files here, and why.

    Raises:
        StorageError: The folder can't be written.
    """
    left_out = {}
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


def _download_all(service: Service, urls: Mapping[Path, str]) -> list[Path]:
    """Downloads files side by side; returns those that were compared with a digest.

    Raises:
        BackendError, StorageError: As `download`; no other download is begun then.
    """
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        futures = {path: pool.submit(download, service, url, path) for path, url in urls.items()}
        try:
            return [path for path, future in futures.items() if future.result()]
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


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


def download(service: Service, url: str, path: Path) -> bool:
    """Downloads a blob into a file, piece by piece; a piece that fails is retried.

    Args:
        service: The workspace.
        url: The signed address of the blob.
        path: The file.

    Returns:
        Whether the content was compared with a digest; it can't be where the storage has none of the blob.

    Raises:
        BackendError: The blob can't be read, is gone, or arrived changed.
        StorageError: The file can't be written.
    """
    digest, size_bytes, total, md5 = hashlib.md5(usedforsecurity=False), 0, None, ""
    with files.storage_errors(path), path.open("wb") as stream:
        while size_bytes != total:
            piece = service.read(url, size_bytes, _PIECE_BYTES)
            if piece is None:
                raise BackendError(f"the output {path.name} is gone", hint=_AGAIN)
            stuck = piece.total < size_bytes or (not piece.content and piece.total != size_bytes)
            if stuck or (total is not None and (piece.total, piece.md5) != (total, md5)):
                raise BackendError(f"the output {path.name} changed while it was read", hint=_AGAIN)
            stream.write(piece.content)
            digest.update(piece.content)
            size_bytes, total, md5 = size_bytes + len(piece.content), piece.total, piece.md5
    found = base64.b64encode(digest.digest()).decode()
    if md5 and md5 != found:
        raise BackendError(
            f"the output {path.name} arrived changed", received=f"MD5 {found}", expected=f"MD5 {md5}", hint=_AGAIN
        )
    return bool(md5)


def _check_manifest(folder: Path, model: str) -> set[str]:
    """Compares the files of a model with the digests in its manifest.

    Args:
        folder: The outputs.
        model: The folder of the model below them.

    Returns:
        The paths of the files that have the right digests, relative to the outputs; none if there is no manifest.

    Raises:
        BackendError: A file has another digest, or is missing.
    """
    path = folder / model / _MANIFEST
    digests = _digests(path.read_bytes()) if path.is_file() else {}
    for name, expected in digests.items():
        one = folder / model / name
        _check_digest(
            f"{model}/{name}", expected, f"sha256:{files.sha256_file(one)}" if one.is_file() else "no such file"
        )
    return {f"{model}/{name}" for name in digests}


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
        raise BackendError(what, received=found, expected=expected, hint=_AGAIN)


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
    url, manifest_url = found.get(f"{model}/{name}"), found.get(f"{model}/{_MANIFEST}")
    if url is None:
        raise InputError(f"the outputs of the run {run_id} have no {model}/{name}")
    with tempfile.TemporaryDirectory(prefix="stoker-azureml-") as temporary:
        path, manifest = Path(temporary) / "content", Path(temporary) / _MANIFEST
        verified = download(service, url, path)
        digest = files.sha256_file(path)
        if manifest_url:
            download(service, manifest_url, manifest)
            if expected := _digests(manifest.read_bytes()).get(name):
                _check_digest(f"{model}/{name}", expected, f"sha256:{digest}")
                verified = True
    if not verified:
        what = f"nothing shows that the output {model}/{name} arrived as it was written"
        raise BackendError(what, hint=f"neither the storage nor {model}/{_MANIFEST} has a digest of it")
    return digest

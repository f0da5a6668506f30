"""The data set that a job mounts: MNIST from the web, the user's folder uploaded once, or one that is registered."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ...engine import files
from ...engine.errors import BackendError, DatasetError, InputError
from ...engine.job import TrainJob
from . import sdk
from .ignore import secret_name
from .service import Service
from .settings import MNIST_DATASET, AzureSettings

WEB = "https://azureopendatastorage.blob.core.windows.net/mnist/"
"""Where Azure itself has MNIST; the host that the tutorial names answers 403."""

_MNIST = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
_ON_STORE = "stoker/data"
_UPLOAD_S = 3600.0

Say = Callable[[str], object]
"""Tells the user what is going on."""


def find_or_register(service: Service, workspace: Any, job: TrainJob, settings: AzureSettings, say: Say) -> Any:
    """The SDK's data set for a job; None if the node is to get the data by itself.

    Raises:
        InputError: There is no data set of that name, or nothing in the folder.
        BackendError: It can't be registered or uploaded.
    """
    if job.data_folder:
        return _of_folder(service, workspace, Path(job.data_folder), settings, say)
    name = settings.dataset_of(job)
    if not name:
        return None
    if name == MNIST_DATASET and not settings.dataset:
        if settings.new_dataset_version or not _is_there(service, name):
            say(f"registering the data set {name}")
            _register(workspace, name, [f"{WEB}{file}.gz" for file in _MNIST], "MNIST, training and test set")
    elif not _is_there(service, name):
        hint = "register it, or let --data-folder name the files"
        raise InputError(f"the workspace has no data set {name!r}", hint=hint)
    return _get(workspace, name)


def _of_folder(service: Service, workspace: Any, folder: Path, settings: AzureSettings, say: Say) -> Any:
    """The data set of a folder's files; it is known by their content, so that they go up once."""
    digests = {place: files.sha256_file(folder / place) for place in places_in(folder)}
    if not digests:
        raise DatasetError(f"{folder} holds no files", expected="the data set's", path=folder)
    whole = hashlib.sha256("".join(f"{digest}  {place}\n" for place, digest in digests.items()).encode()).hexdigest()
    name = settings.dataset or f"stoker-{whole[:16]}"
    if settings.new_dataset_version or not _is_there(service, name):
        store = sdk.bounded("the workspace has no default datastore", workspace.get_default_datastore)
        prefix = f"{_ON_STORE}/{whole[:16]}"
        sdk.bounded("the data can't be uploaded", lambda: _upload(store, folder, list(digests), prefix, say), _UPLOAD_S)
        say(f"registering the data set {name}")
        _register(workspace, name, [(store, f"{prefix}/")], f"files of sha256:{whole}")
    return _get(workspace, name)


def places_in(folder: Path) -> Iterator[str]:
    """The files that go up: all below the folder, but for hidden ones and those that look like secrets."""
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder)
        hidden = any(part.startswith(".") for part in relative.parts)
        if path.is_file() and not hidden and not secret_name(relative.as_posix()):
            yield relative.as_posix()


def _upload(store: Any, folder: Path, places: list[str], prefix: str, say: Say) -> None:
    """Uploads what is not there in its full size."""
    client = store.blob_service.get_container_client(store.container_name)
    there = {blob.name: blob.size for blob in client.list_blobs(name_starts_with=f"{prefix}/")}
    sizes = {place: (folder / place).stat().st_size for place in places}
    lacking = [place for place in places if there.get(f"{prefix}/{place}") != sizes[place]]
    total, done = sum(sizes[place] for place in lacking), 0
    for place in lacking:
        say(f"uploading {place} ({done / 1e6:,.1f} of {total / 1e6:,.1f} MB are there)")
        with (folder / place).open("rb") as stream:
            client.upload_blob(f"{prefix}/{place}", stream, overwrite=True)
        done += sizes[place]
    after = {blob.name: blob.size for blob in client.list_blobs(name_starts_with=f"{prefix}/")}
    for place in places:
        if after.get(f"{prefix}/{place}") != sizes[place]:
            raise BackendError(f"{place} did not arrive whole", hint="submit again: only what is missing goes up")


def _is_there(service: Service, name: str) -> bool:
    return service.get("dataset/v1.0", f"/datasets/query/name={quote(name, safe='')}") is not None


def _register(workspace: Any, name: str, paths: list[Any], description: str) -> None:
    """Registers a data set; one of the same definition stays as it is."""

    def register() -> None:
        from azureml.core import Dataset

        made = Dataset.File.from_files(path=paths, validate=False)
        made.register(workspace=workspace, name=name, description=description, create_new_version=True)

    sdk.bounded(f"the data set {name} can't be registered", register)


def _get(workspace: Any, name: str) -> Any:
    def get() -> Any:
        from azureml.core import Dataset

        return Dataset.get_by_name(workspace, name)

    return sdk.bounded(f"the data set {name} can't be had", get)

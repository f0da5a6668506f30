"""Provides the data set that a job mounts: MNIST from the web, the user's folder, or a registered one."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from ....engine.backend import Reporter
from ....engine.errors import BackendError, InputError, OptionError, few
from ....engine.job import TrainJob
from ..rest import paths
from ..rest.answer import part
from ..rest.client import Service
from ..sdk import sdk, storage
from ..settings import DATASTORES, MNIST_DATASET, NAME, AzureSettings
from .definition import sources
from .folder import Folder, contents
from .upload import upload

WEB = "https://azureopendatastorage.blob.core.windows.net/mnist/"
"""Azure's own copy of MNIST. The host that the tutorial names answers 403."""

_MNIST = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
MNIST_FILES = tuple(f"{WEB}{name}.gz" for name in _MNIST)
"""The addresses of the four files."""

_ON_STORE = "stoker/data"
_NO_DEFINITION = "Failed to fetch RSLex"
_TRIES = 3

T = TypeVar("T")


def find_or_register(service: Service, workspace: Any, job: TrainJob, settings: AzureSettings, report: Reporter) -> Any:
    """Finds the data set of a job, or registers it.

    Args:
        service: The workspace.
        workspace: The same, as the SDK's object.
        job: The job.
        settings: They may name the data set.
        report: Takes a line for each step.

    Returns:
        The SDK's data set; None if the node gets the data by itself.

    Raises:
        InputError: There is no data set of that name, or it is made of other files.
        DatasetError: The folder holds no files, one of a name that can't be sent, or one that changes meanwhile.
        StorageError: A file of the folder can't be read.
        BackendError: The data set can't be registered, or its files can't be uploaded.
    """
    if job.data_folder:
        return _of_folder(service, workspace, Path(job.data_folder), settings, report)
    name = settings.dataset_of(job)
    if not name:
        return None
    if name.startswith(DATASTORES):
        return _of_datastore(workspace, name)
    if name == MNIST_DATASET and not settings.dataset:
        found = None if settings.new_dataset_version else service.get(paths.data_set(name))
        if found is None:
            report(f"registering the data set {name}")
            _register(service, workspace, name, list(MNIST_FILES), "MNIST, training and test set")
        elif elsewhere := not_mnist(found):
            hint = "--azureml-new-dataset-version registers the four files as its next version, and older runs keep "
            hint += f"theirs; --azureml-dataset {name} trains on it as it is"
            raise InputError(elsewhere, expected="the four files of MNIST on the web", hint=hint)
    elif not is_there(service, name):
        hint = "register it, or name its files with --data-folder; a data asset of the SDK v2 is named NAME:VERSION"
        raise InputError(f"the workspace has no data set {name!r}", hint=hint)
    return _get(service, workspace, name)


def _of_datastore(workspace: Any, location: str) -> Any:
    """Makes a data set of what is at a path in a datastore; it has no name, and nothing is asked of the storage."""
    store, _, path = location.removeprefix(DATASTORES).partition("/paths/")

    def make() -> Any:
        from azureml.core import Dataset, Datastore

        return Dataset.File.from_files(path=(Datastore.get(workspace, store), path or "/"), validate=False)

    return sdk.bounded(f"the data at {location} can't be used", make)


def not_mnist(found: Mapping[str, Any]) -> str:
    """Says what a data set called `mnist-dataset` is made of instead of the four files of MNIST; "" if of those.

    Args:
        found: The service's description of the data set.
    """
    there = sources(found)
    if set(there) == set(MNIST_FILES):
        return ""
    version = part(found, "latest").get("versionId", "(unknown)")
    what = few(there, 3) if there else "no address that stoker can read"
    return f"the workspace's data set {MNIST_DATASET!r}, version {version}, is made of other files: {what}"


def _of_folder(service: Service, workspace: Any, folder: Path, settings: AzureSettings, report: Reporter) -> Any:
    """Finds the data set of a folder's files by their content, or registers it; what its storage lacks is uploaded."""
    if settings.dataset and not NAME.fullmatch(settings.dataset):
        hint = "--azureml-dataset is the name under which the folder is registered; leave out one of the two"
        raise OptionError.must_be("--azureml-dataset", "a plain name", received=settings.dataset, hint=hint)
    listed = Folder.of(folder)
    listed.require_files()
    if listed.left_out:
        stays = few((f"{name} ({why})" for name, why in listed.left_out.items()), 3)
        report(f"leaving here {stays} of the data")
    held = contents(listed, report)
    whole = hashlib.sha256("".join(f"{one.sha256}  {name}\n" for name, one in held.items()).encode()).hexdigest()
    name, description = settings.dataset or f"stoker-{whole[:16]}", f"files of sha256:{whole}"

    def registered() -> Any:
        found = _get(service, workspace, name)
        if found.description != description:
            hint = "leave out --data-folder to train on it, or register the folder with --azureml-new-dataset-version"
            raise InputError(f"the workspace's data set {name!r} is not made of the files in {folder}", hint=hint)
        return found

    known = registered() if not settings.new_dataset_version and is_there(service, name) else None
    store = sdk.bounded("the workspace has no default datastore", workspace.get_default_datastore)
    prefix = f"{_ON_STORE}/{whole[:16]}"
    client = sdk.bounded("the default datastore can't be opened", lambda: storage.container(store, service.auth))
    upload(client, folder, held, prefix, report)
    if known is not None:
        return known
    report(f"registering the data set {name}")
    _register(service, workspace, name, [(store, f"{prefix}/")], description)
    return registered()


def is_there(service: Service, named: str) -> bool:
    """Returns whether the workspace has a data set "NAME" or "NAME:VERSION", or a data asset "NAME:VERSION" of SDK v2.

    `AbstractDataset._get_by_name` of the SDK looks for both, in this order.
    """
    name, version = name_and_version(named)
    if service.get(paths.data_set(name, version)) is not None:
        return True
    return bool(version) and service.get(paths.data_asset(name, version)) is not None


def name_and_version(named: str) -> tuple[str, str]:
    """Parts "NAME:VERSION"; the version is "" for the newest, which the SDK calls "latest"."""
    name, _, version = named.partition(":")
    return name, "" if version == "latest" else version


def _register(service: Service, workspace: Any, name: str, sources: list[Any], description: str) -> None:
    """Registers a data set; one of the same definition stays as it is."""

    def register() -> None:
        from azureml.core import Dataset

        made = Dataset.File.from_files(path=sources, validate=False)
        made.register(workspace=workspace, name=name, description=description, create_new_version=True)

    _patiently(service, f"the data set {name} can't be registered", register)


def _get(service: Service, workspace: Any, name: str) -> Any:
    def get() -> Any:
        from azureml.core import Dataset

        plain, _, version = name.partition(":")
        return Dataset.get_by_name(workspace, plain, version or "latest")

    return _patiently(service, f"the data set {name} can't be read", get)


def _patiently(service: Service, what: str, call: Callable[[], T]) -> T:
    """Calls the SDK; again where it could not read a definition, which is the one request that it never retries.

    `_init_dataset` in `azureml.data._dataset_rest_helper` hides why: whatever it was, it advises to downgrade the SDK.

    Args:
        service: The workspace.
        what: What has failed if it fails.
        call: The call; it may be made twice without harm.

    Raises:
        BackendError: It failed, several times or for another reason.
    """
    tries = 0
    while True:
        try:
            return sdk.bounded(what, call)
        except BackendError as error:
            tries += 1
            if _NO_DEFINITION not in error.received:
                raise
            if tries == _TRIES:
                hint = "Azure has not sent its definition; submit again: the run is not started twice"
                raise BackendError(what, received=f"no definition in {_TRIES} tries", hint=hint) from error
        time.sleep(service.patience.pause_s * 2 ** (tries - 1))

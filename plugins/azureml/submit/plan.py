"""The plan of a submission: all that would go up, be made and be paid for. No workspace, no network."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

from ....engine.backend import Plan
from ....engine.data import require_folder
from ....engine.errors import BackendError, InputError
from ....engine.job import TrainJob
from ....engine.package import package_documents
from ....engine.plugin.extras import install_command, installed_version
from ....engine.terminal.text import megabytes
from .. import NAME, catalogue
from ..reference import CHECKPOINTS
from ..settings import DATASTORES, MNIST_DATASET, AzureSettings
from . import runconfig
from .folder import Folder
from .pins import ALIASES, SDK
from .prepare import ENTRY, Prepared

CONFIGURATION = "runconfig.json"
"""What `--dry-run DIR` writes beside the package, for people: the run configuration as the SDK posts it."""

_SHOWN = 8


def plan(
    job: TrainJob,
    settings: AzureSettings,
    today: date | None = None,
    prepare: Callable[[TrainJob, AzureSettings], Prepared] = Prepared.of,
) -> Plan:
    """Returns what a submission of a job would do.

    Args:
        job: The job.
        settings: Where it would run.
        today: The day, for what is retired; None asks the clock.
        prepare: Gives what is sent.

    Raises:
        DatasetError: There is no folder of the job's data, or nothing in it that may be uploaded.
        InputError: The job can't run there.
        BackendError: The SDK does not take it.
    """
    day = today or date.today()
    settings.refuse_retired(day)
    folder = _folder(job)
    prepared = prepare(job, settings)
    package, environment = prepared.package, prepared.environment
    data = data_name(job, settings)
    configuration, note = _configuration(settings, prepared, data)
    documents = package_documents(package, ENTRY, environment.text, _facts(settings, data, folder))
    if configuration:
        documents[CONFIGURATION] = (json.dumps(configuration, indent=2, ensure_ascii=False) + "\n").encode()
    warnings = [*settings.warnings(day), *package.warnings, *environment.warnings, *_age(day), *note]
    return Plan(
        backend=NAME,
        steps=tuple(_steps(job, settings, prepared, folder)),
        warnings=tuple(dict.fromkeys(warnings)),
        files=package.sizes,
        documents=documents,
    )


def data_name(job: TrainJob, settings: AzureSettings) -> str:
    """The name of the registered data set that the job would mount; "" if it mounts none.

    A folder that is to be named by its content is "(by content)" here, for reading it may take long.
    """
    return settings.dataset_of(job) or ("(by content)" if job.data_folder else "")


def bound(settings: AzureSettings) -> str:
    """What a job costs at most, on a cluster that is as the settings ask."""
    return catalogue.bound(
        hours=settings.max_hours,
        vm_size=settings.vm_size,
        low_priority=settings.low_priority,
        min_nodes=settings.min_nodes,
        idle_seconds=settings.idle_seconds,
    )


def _steps(job: TrainJob, settings: AzureSettings, prepared: Prepared, folder: Folder | None) -> Iterator[str]:
    package, environment = prepared.package, prepared.environment
    size = megabytes(sum(package.sizes.values()))
    yield f"make a package of {len(package.files)} files, {size}, sha256:{package.digest}"
    digests = package.digests
    facts = (f"{place}: {bytes_:,} bytes, sha256:{digests[place][:12]}…" for place, bytes_ in package.sizes.items())
    yield from _few("put into it", list(facts))
    yield from _few("leave here", [f"{path} ({rule})" for path, rule in package.left_out.items()])
    allowed = ((path, what) for path, found in package.allowed.items() for what in found)
    yield from _few("let pass", [f"{what} of {path}, as a comment there says" for path, what in allowed])
    yield f"open the workspace of {settings.config or 'config.json, found from this folder upwards'}"
    yield _data_step(job, settings, folder)
    if folder:
        yield from _few("leave here", [f"{name} of the data ({why})" for name, why in folder.left_out.items()])
    priority = "low-priority" if settings.low_priority else "dedicated"
    yield (
        f"find or make the cluster {settings.compute!r}: {settings.min_nodes} to {settings.max_nodes} {priority} nodes "
        f"of {settings.vm_size}{_hardware(settings)}, which go after {settings.idle_seconds} s without work"
        f"{_access(settings)}"
    )
    if environment.registered:
        yield f"use the registered environment {environment.registered}, if it has what stoker needs"
    else:
        name = runconfig.environment_name(environment, settings.image)
        yield f"find or build the environment {name} from {environment.origin}, on the image {settings.image}"
    yield (
        f"run the package on one node, as a run of the experiment {settings.experiment_of(job)!r}, "
        f"with checkpoints in {CHECKPOINTS} on the default datastore"
    )
    options = shlex.join(word for name, text in prepared.hyperparameters.items() for word in (f"--{name}", text))
    yield f"start it with {options}, which are tags of the run too"
    if settings.max_queue_minutes:
        yield f"cancel it if it waits for a node for more than {settings.max_queue_minutes:g} minutes"
    yield f"end it after {settings.max_hours:g} hours: {bound(settings)}"
    yield "bring its outputs into the run's folder"
    if job.register:
        yield f"register the model as {job.register!r}, in the workspace and here"


def _folder(job: TrainJob) -> Folder | None:
    """Lists the job's data folder; None if it has none.

    Raises:
        DatasetError: There is no such folder, or it holds nothing that may be uploaded.
    """
    if not job.data_folder:
        return None
    require_folder(Path(job.data_folder))
    folder = Folder.of(Path(job.data_folder))
    folder.require_files()
    return folder


def _data_step(job: TrainJob, settings: AzureSettings, folder: Folder | None) -> str:
    new = ", as a new version" if settings.new_dataset_version else ", if it isn't there"
    if folder:
        named = f"as {settings.dataset!r}" if settings.dataset else "under a name made from their content"
        count = f"{len(folder.sizes):,} file{'' if len(folder.sizes) == 1 else 's'}"
        what = f"{count} of {folder.path}, {megabytes(folder.size_bytes)},"
        return f"upload {what} to the default datastore and register them {named}{new}; mount them, read-only"
    name = settings.dataset_of(job)
    if name == MNIST_DATASET and not settings.dataset:
        return f"register the four files of MNIST on the web as {name!r}{new}; mount it, read-only"
    if name.startswith(DATASTORES):
        return f"mount what is at {name}, read-only"
    if name:
        return f"mount the registered data set {name!r}, read-only"
    return f"leave it to the node to get {f'the data set {job.dataset!r}' if job.dataset else 'the data'}"


def _hardware(settings: AzureSettings) -> str:
    size = catalogue.find(settings.vm_size)
    if size is None:
        return ""
    gpus = f", {size.gpus:g} {size.gpu}" if size.gpu else ""
    return f" ({size.cores} cores, {size.memory_gib} GiB{gpus})"


def _access(settings: AzureSettings) -> str:
    """Says as whom, and in which network, the nodes of a new cluster are."""
    identity = {"": "", "system": ", with an identity of its own"}.get(
        settings.identity, f", with the identity {settings.identity.rpartition('/')[2]}"
    )
    subnet = f", in the subnet {settings.subnet}" if settings.subnet else ""
    return identity + subnet + (", without public addresses" if settings.no_public_ip else "")


def _configuration(
    settings: AzureSettings, prepared: Prepared, data: str
) -> tuple[Mapping[str, Any] | None, list[str]]:
    """The run configuration, or why there is none."""
    try:
        return runconfig.described(settings, prepared, data, CHECKPOINTS), []
    except ModuleNotFoundError as error:
        package = SDK if str(error.name).startswith(NAME) else error.name
        missing = f"{package} is not installed: the run configuration is not shown, and nothing could be submitted"
        return None, [f"{missing}; {install_command(NAME)}"]
    except InputError:
        raise
    except Exception as error:  # the SDK raises what it likes
        raise BackendError(
            "azureml-core could not make the run configuration",
            received=f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}",
            hint=f"is {prepared.environment.origin} an environment that conda takes?" if settings.environment else "",
        ) from error


def _facts(settings: AzureSettings, data: str, folder: Folder | None) -> dict[str, Any]:
    """Returns what is known about the job beside its package, for people and for `stoker rehearse`."""
    return {
        "environment_option": "--azureml-environment",
        "aliases": ALIASES,
        "experiment_data": data,
        "bound": bound(settings),
        **({"data": {"files": dict(folder.sizes), "left_out": dict(folder.left_out)}} if folder else {}),
    }


def _age(day: date) -> list[str]:
    """What is said about an SDK that has had its day, and about another version than the one that was tried."""
    notes = []
    if day > catalogue.SDK_SUPPORT_ENDED:
        notes.append(f"Microsoft's support of the SDK v1 (azureml-core) ended on {catalogue.SDK_SUPPORT_ENDED}")
    version = installed_version(SDK)
    if version and version != catalogue.SDK_VERSION:
        notes.append(f"azureml-core {version} is installed; stoker was tried with {catalogue.SDK_VERSION}")
    return notes


def _few(what: str, entries: list[str]) -> Iterator[str]:
    """A step for each entry, or for the first ones and the number of the others."""
    yield from (f"{what} {entry}" for entry in entries[:_SHOWN])
    if len(entries) > _SHOWN:
        yield f"{what} {len(entries) - _SHOWN} more, which package.json of --dry-run DIR names"

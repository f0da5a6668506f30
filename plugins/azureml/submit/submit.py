"""Submits a job: one run for each run folder, whatever happens on the way."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ....engine.errors import BackendError, StokerError
from ....engine.job import TrainJob
from ....engine.package import Package
from ....engine.rundir import RunDirectory
from ..cluster import provision
from ..progress import Reporter, megabytes
from ..reference import CHECKPOINTS, NAME, Reference, Scope, safe_run_id
from ..rest.client import Service
from ..runs.status import ATTEMPTS, CloudRun, status_of
from ..sdk import sdk
from ..settings import AzureSettings
from . import dataset, runconfig, upload
from .prepare import ENTRY, Prepared


def reference_of(job: TrainJob, run: RunDirectory, settings: AzureSettings) -> Reference:
    """The run of a folder, as it was written down, or chosen now and written down.

    Raises:
        InputError: No workspace is named.
    """
    found = Reference.of_folder(run)
    if found is None:
        scope = Scope.from_config(settings.config)
        found = Reference(scope=scope, experiment=settings.experiment_of(job), run_id=safe_run_id(run.run_id))
        found.write(run)
    return found


def submit(
    job: TrainJob,
    cloud_run: CloudRun,
    settings: AzureSettings,
    say: Reporter,
    *,
    again: bool,
    prepare: Callable[[TrainJob, AzureSettings], Prepared] = Prepared.of,
) -> str:
    """Starts the next attempt of a run, unless one is under way.

    Args:
        job: What to train.
        cloud_run: The run.
        settings: Where and how.
        say: Told what is going on.
        again: Whether one that has ended is to be followed by another one.
        prepare: Gives what is sent.

    Returns:
        The id of the attempt.

    Raises:
        InputError: What the user gave is wrong; nothing was started.
        BackendError: It could not be started, or it is not known whether it was.
    """
    runs = cloud_run.attempts()
    if runs and not (again and status_of(runs[-1], 1).state.ended):
        say(f"found {runs[-1]['runId']}, which was submitted before")
        return str(runs[-1]["runId"])
    number = len(runs) + 1
    service, reference = cloud_run.service, cloud_run.reference
    prepared = prepare(job, settings)
    package = prepared.package
    workspace = _open(service, say)
    data = dataset.find_or_register(service, workspace, job, settings, say)
    provision.find_or_create(service, workspace, settings, say)
    if number > 1:
        _note_attempt(service, runs[0], reference, number)
    with tempfile.TemporaryDirectory(prefix="stoker-azureml-") as place:
        folder = package.write(Path(place) / "package")
        words = ENTRY.arguments(
            run_id=reference.run_id, data_folder=_mounted(data), checkpoints=_checkpoints(workspace, reference)
        )
        config = sdk.bounded(
            "the run configuration can't be made",
            lambda: runconfig.script_run_config(folder, words, settings, prepared.environment, package.job),
        )
        size = megabytes(sum(package.sizes.values()))
        say(f"submitting {reference.attempt(number)}: {len(package.files)} files, {size}")
        began = time.monotonic()
        _start(cloud_run, workspace, config, number, package)
        say(f"submitted in {time.monotonic() - began:.1f} s")
    return reference.attempt(number)


def _open(service: Service, say: Reporter) -> Any:
    """The SDK's workspace. It is known to be there: the SDK gives one even if nothing answers."""
    core, scope = sdk.load(), service.scope
    say(f"workspace {scope.workspace}, resource group {scope.group}")
    return sdk.bounded(
        f"the workspace {scope.workspace} can't be opened",
        lambda: core.Workspace(scope.subscription, scope.group, scope.workspace, auth=service.auth),
    )


def _mounted(data: Any) -> Any:
    return None if data is None else data.as_named_input(runconfig.DATA).as_mount()


def _checkpoints(workspace: Any, reference: Reference) -> Any:
    """The mounted folder for checkpoints, the same one for each attempt."""

    def make() -> Any:
        from azureml.data import OutputFileDatasetConfig

        place = CHECKPOINTS.replace("RUN_ID", reference.run_id)
        target = (workspace.get_default_datastore(), place)
        return OutputFileDatasetConfig(name=runconfig.CHECKPOINTS, destination=target).as_mount()

    return sdk.bounded("the workspace has no default datastore", make)


def _start(cloud_run: CloudRun, workspace: Any, config: Any, number: int, package: Package) -> None:
    """Submits; after a failure the run is looked for, since the answer may be lost and the run there all the same."""
    run_id = cloud_run.reference.attempt(number)
    timeout_s = cloud_run.service.patience.submit_s + upload.longest_s(sum(package.sizes.values()))

    def start() -> None:
        core = sdk.load()
        experiment = core.Experiment(workspace, cloud_run.reference.experiment)
        experiment.submit(config, run_id=run_id, tags={"stoker": cloud_run.reference.run_id, "package": package.digest})

    try:
        sdk.bounded(f"the run {run_id} can't be submitted", start, timeout_s)
    except StokerError as error:
        if not _is_there(cloud_run, number, error):
            raise
    else:
        if cloud_run.find(number) is None:
            raise BackendError(f"the run {run_id} was submitted, and the workspace does not know it")


def _is_there(cloud_run: CloudRun, number: int, error: StokerError) -> bool:
    """Whether an attempt is there all the same, after its submission has failed."""
    try:
        return cloud_run.find(number) is not None
    except BackendError as unknown:
        hint = f"submit again with `{command(cloud_run.reference)}`: it is looked for first, and never started twice"
        what = f"it is not known whether the run {cloud_run.reference.attempt(number)} was started"
        raise BackendError(what, received=unknown.what, hint=hint) from error


def command(reference: Reference) -> str:
    """What submits a run once more, or finds it."""
    return f"stoker train --resume {reference.run_id} --backend {NAME}"


def _note_attempt(service: Service, first: dict[str, Any], reference: Reference, number: int) -> None:
    """Writes down at the first attempt how many there are, before another one is made."""
    path = f"/experiments/{reference.experiment}/runs/{reference.run_id}"
    body = {"runId": first["runId"], "tags": {ATTEMPTS: str(number)}}
    service.ask("PATCH", service.address("history/v1.0", path), json=body)


def refuse_unknown(reference: Reference | None) -> Reference:
    """The run of a handle.

    Raises:
        BackendError: It is no handle of this backend.
    """
    if reference is None:
        raise BackendError("this is no handle of a run of the backend 'azureml'", hint="`stoker runs list` has others")
    return reference

"""Submits a job: one run for each run folder, whatever goes wrong on the way."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from ....engine.backend import Reporter
from ....engine.command import command_line
from ....engine.errors import BackendError, StokerError, UnreachableError
from ....engine.job import TrainJob
from ....engine.rundir import RunDirectory
from ....engine.terminal.text import megabytes
from ....engine.training.environment import source_state
from .. import NAME
from ..cluster import compare, provision
from ..progress import ignore
from ..reference import CHECKPOINTS, Reference, Scope, safe_run_id
from ..rest.client import Service
from ..runs.status import ATTEMPTS, CloudRun, status_of
from ..sdk import sdk
from ..settings import AzureSettings
from . import dataset, registered, runconfig, upload
from .hyperparameters import tags
from .prepare import ENTRY, Prepared


class UnclearError(UnreachableError):
    """It is not known whether an attempt was started."""


def reference_of(job: TrainJob, run: RunDirectory, settings: AzureSettings) -> Reference:
    """Reads the run of a folder, or chooses one and records it there.

    Args:
        job: The job.
        run: The folder.
        settings: They name the workspace and the experiment of a new run.

    Raises:
        InputError: No workspace is named.
        StorageError: The folder can't be written.
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
    report: Reporter,
    *,
    again: bool,
    prepare: Callable[[TrainJob, AzureSettings], Prepared] = Prepared.of,
) -> str:
    """Starts the next attempt of a run, unless one is under way.

    Args:
        job: What to train.
        cloud_run: The run.
        settings: Where and how to train it.
        report: Takes a line for each step.
        again: Whether an attempt that has ended is followed by another one.
        prepare: Packs the job.

    Returns:
        The id of the attempt.

    Raises:
        InputError: Something that the user gave is wrong; nothing was started.
        BackendError: The attempt could not be started, or it is unknown whether it was.
    """
    runs = cloud_run.attempts()
    if runs and not (again and status_of(runs[-1], 1).state.ended):
        report(f"found {runs[-1]['runId']}, which was submitted before")
        return str(runs[-1]["runId"])
    number = len(runs) + 1
    service, reference = cloud_run.service, cloud_run.reference
    prepared = prepare(job, settings)
    workspace = _open(service, report)
    environment = _environment(service, workspace, settings, prepared, report)
    compare.check(service, settings, report)
    data = dataset.find_or_register(service, workspace, job, settings, report)
    provision.find_or_create(service, workspace, settings, report)
    compare.check(service, settings, ignore)  # somebody may have made or changed it meanwhile
    if number > 1:
        # Recorded at the first attempt before the next one is made, so that this is found even if its answer is lost.
        cloud_run.tag(str(runs[0]["runId"]), {ATTEMPTS: str(number)})
    words = ENTRY.arguments(
        run_id=reference.run_id,
        data_folder=_mounted(data),
        checkpoints=_checkpoints(workspace, reference),
        job_options=prepared.hyperparameters,
    )
    with tempfile.TemporaryDirectory(prefix="stoker-azureml-") as temporary:
        folder = prepared.package.write(Path(temporary) / "package")
        config = _configuration(folder, words, settings, environment, prepared.package.job)
        _start(cloud_run, workspace, config, number, prepared, report=report)
    return reference.attempt(number)


def _environment(
    service: Service, workspace: Any, settings: AzureSettings, prepared: Prepared, report: Reporter
) -> Any:
    """Makes the SDK's environment of a run, or finds a registered one and checks it."""
    named = prepared.environment.registered
    if not named:
        make = partial(runconfig.sdk_environment, prepared.environment, settings.image)
        return sdk.bounded("the environment can't be made", make)
    found = registered.find(service, named, prepared.package.requirements)
    report(f"environment {found.registered}")
    for warning in found.warnings:
        report(f"warning: {warning}")
    return registered.of_sdk(workspace, found.registered)


def _configuration(folder: Path, words: list[Any], settings: AzureSettings, environment: Any, job: str) -> Any:
    """Makes the SDK's configuration of a run, which starts the package in a folder with these words."""
    return sdk.bounded(
        "the run configuration can't be made",
        lambda: runconfig.script_run_config(folder, words, settings, environment, job),
    )


def _start(
    cloud_run: CloudRun, workspace: Any, config: Any, number: int, prepared: Prepared, *, report: Reporter
) -> None:
    """Starts an attempt, and reports what is sent and how long it took."""
    package = prepared.package
    size = megabytes(sum(package.sizes.values()))
    report(f"submitting {cloud_run.reference.attempt(number)}: {len(package.files)} files, {size}")
    began = time.monotonic()
    _submit_once(cloud_run, workspace, config, number, prepared, report=report)
    report(f"submitted in {time.monotonic() - began:.1f} s")


def _open(service: Service, report: Reporter) -> Any:
    """Makes the SDK's workspace, without a request: that it exists is known by now."""
    core, scope = sdk.load(), service.scope
    report(f"workspace {scope.workspace}, resource group {scope.group}")
    return sdk.bounded(
        f"the workspace {scope.workspace} can't be opened",
        lambda: core.Workspace(scope.subscription, scope.group, scope.workspace, auth=service.auth),
    )


def _mounted(data: Any) -> Any:
    return None if data is None else data.as_named_input(runconfig.DATA).as_mount()


def _checkpoints(workspace: Any, reference: Reference) -> Any:
    """Makes the mounted output for checkpoints, in the same folder for each attempt."""

    def make() -> Any:
        from azureml.data import OutputFileDatasetConfig

        target = (workspace.get_default_datastore(), CHECKPOINTS.replace("RUN_ID", reference.run_id))
        return OutputFileDatasetConfig(name=runconfig.CHECKPOINTS, destination=target).as_mount()

    return sdk.bounded("the workspace has no default datastore", make)


def _submit_once(
    cloud_run: CloudRun, workspace: Any, config: Any, number: int, prepared: Prepared, *, report: Reporter
) -> None:
    """Submits, and after a failure looks for the run: it may have started although the answer was lost."""
    run_id = cloud_run.reference.attempt(number)
    timeout_s = cloud_run.service.patience.submit_s + upload.longest_s(sum(prepared.package.sizes.values()))
    source = source_state(Path())
    sdk.show_commit(source.get("commit", ""), changed=bool(source.get("changed")))
    own = {"stoker": cloud_run.reference.run_id, "package": prepared.package.digest}

    def start() -> None:
        core = sdk.load()
        experiment = core.Experiment(workspace, cloud_run.reference.experiment)
        experiment.submit(config, run_id=run_id, tags={**tags(prepared.hyperparameters), **own})

    try:
        sdk.bounded(f"the run {run_id} can't be submitted", start, timeout_s)
    except StokerError as error:
        if not _was_started(cloud_run, number, error):
            raise
    except KeyboardInterrupt as interrupt:
        if not _was_started(cloud_run, number, interrupt):
            raise
        report(f"the run {run_id} was submitted before you interrupted; interrupt again to leave it or to end it")
    else:
        if cloud_run.find(number) is None:
            raise BackendError(f"the run {run_id} was submitted, but the workspace doesn't list it")


def _was_started(cloud_run: CloudRun, number: int, error: BaseException) -> bool:
    """Tells whether an attempt was started although its submission has failed, or was interrupted."""
    try:
        return cloud_run.find(number) is not None
    except BackendError as unknown:
        what = f"it is unknown whether the run {cloud_run.reference.attempt(number)} was started"
        raise UnclearError(what, received=unknown.what) from error


def command(run: RunDirectory) -> str:
    """Returns the command that submits a run again, or finds it."""
    return command_line("train", "--resume", run.run_id, "--backend", NAME, runs_dir=run.path.parent)

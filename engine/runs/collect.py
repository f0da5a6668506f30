"""Collects what a run elsewhere has made: its log, its figures, its outputs, and its registered model."""

from __future__ import annotations

import contextlib
import tempfile
from dataclasses import replace
from pathlib import Path

from .. import files, locks
from ..backend import Backend, Manifest, ModelVersion, RecordingBackend
from ..errors import RunError, StokerError, StorageError, few
from ..job import TrainJob
from ..metrics import EpochReport, epoch_names, final_figures, is_final
from ..registry import MODEL_FILE, NOT_REGISTERED, Registry
from ..rundir import RunDirectory
from ..status import RunState, RunStatus
from ..summary import RunSummary


def collect_results(run: RunDirectory, backend: Backend, job: TrainJob | None = None) -> list[ModelVersion]:
    """Fills the folder of a run that completed elsewhere with everything that a run on this machine has.

    Calling it again does the same again.

    Args:
        run: The run; it has a handle.
        backend: The backend of that handle.
        job: Its job with another name to register the model under; None takes the name that was submitted.

    Returns:
        The versions that the model was registered as, if the job asked for that: in the registry on this machine, and
        in the backend's registry if that is another one.

    Raises:
        RunError: The model must not be registered, or an output has no possible name here; all else is there.
        BackendError: The backend can't provide something.
        StorageError: Something can't be written.
    """
    with locks.lock(run.lock):  # two that watch a run would register its model twice
        return _collect(run, backend, job or run.job())


def _collect(run: RunDirectory, backend: Backend, job: TrainJob) -> list[ModelVersion]:
    handle = run.handle()
    log = b"".join(backend.logs(handle))
    files.write_bytes(run.log, log)
    manifest = backend.fetch(handle, run.outputs)
    run.truncate_metrics(0)
    written = None
    if isinstance(backend, RecordingBackend):
        written = _fetch_record(run, backend)
    else:
        _write_figures(run, log.decode(errors="replace").splitlines())
    # What the run says of itself holds here too, but for where its model is and what that is registered as.
    model = run.model.relative_to(run.path).as_posix()
    summary = replace(written or _summary_of_figures(run), model=model, registered={})
    try:
        _check_verified(job, manifest)
        Registry.check_summary(job, summary)
    except RunError:
        run.write_summary(summary)  # there is nothing left to collect
        raise
    there = backend.register(handle, "model", job.register) if job.register else None
    here = Registry.register_run(run, job) if there else None
    run.write_summary(summary.registered_as(here) if here else summary)
    if manifest.left_out:
        left_out = few(f"{name!r} ({why})" for name, why in manifest.left_out.items())
        raise RunError(f"outputs of the run were left out: {left_out}", hint=f"all others are in {run.outputs}")
    return [version for version in dict.fromkeys((here, there)) if version]


def note_end(run: RunDirectory, backend: Backend, status: RunStatus) -> None:
    """Notes the end of a run elsewhere, and fetches what there is of one that failed or was cancelled.

    That is its log, its figures and its outputs. What can't be fetched is left out: how the run ended matters more.

    Args:
        run: The run; it has a handle. One on this machine has noted its end itself.
        backend: The backend of that handle.
        status: How the run has ended.
    """
    if backend.runs_here:
        return
    with contextlib.suppress(StorageError):
        run.append_end(status)
    if status.state not in {RunState.FAILED, RunState.CANCELLED}:
        return
    handle = run.handle()
    with contextlib.suppress(StokerError):
        log = b"".join(backend.logs(handle))
        files.write_bytes(run.log, log)
        run.truncate_metrics(0)
        _write_figures(run, log.decode(errors="replace").splitlines())
    with contextlib.suppress(StokerError):
        if isinstance(backend, RecordingBackend):
            _fetch_record(run, backend)
    with contextlib.suppress(StokerError):
        backend.fetch(handle, run.outputs)


def _check_verified(job: TrainJob, manifest: Manifest) -> None:
    """Refuses to register a model that may not be the one that was written.

    Raises:
        RunError: The job asks for that, and nothing shows that the model arrived whole.
    """
    if job.register and f"model/{MODEL_FILE}" in manifest.unverified:
        what = f"{NOT_REGISTERED} as {job.register!r}: nothing shows that it arrived as it was written"
        raise RunError(what, hint="the backend has no digest of it; look at the outputs of the run")


def _fetch_record(run: RunDirectory, backend: RecordingBackend) -> RunSummary | None:
    """Fetches the record of a run into its folder; returns the summary that the run has written, if it is there."""
    with tempfile.TemporaryDirectory(prefix="stoker-") as temporary:
        backend.fetch_record(run.handle(), Path(temporary))
        return run.take_record(Path(temporary))


def _summary_of_figures(run: RunDirectory) -> RunSummary:
    """Sums up the figures in `metrics.jsonl`."""
    lines = list(run.metrics())
    figures = {line["name"]: line["value"] for line in lines if is_final(line["name"])}
    return RunSummary(metrics=figures, epochs=max((line["epoch"] for line in lines), default=0))


def _write_figures(run: RunDirectory, lines: list[str]) -> None:
    """Writes the figures that the log has into `metrics.jsonl`."""
    reports = {report.epoch: report for report in map(EpochReport.parse, lines) if report}  # the last attempt's
    final = {name: float(value) for name, value in final_figures(lines).items()}
    seconds = 0.0
    for epoch, report in sorted(reports.items()):
        seconds += report.seconds
        run.append_metrics(epoch, epoch_names(report.metrics), seconds)
    if final:
        run.append_metrics(max(reports, default=0), final, seconds)

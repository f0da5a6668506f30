"""Registers the model of a run that has completed already."""

from __future__ import annotations

from ..backend import Backend, ModelVersion
from ..errors import RunError
from ..job import TrainJob
from ..plugin.plugins import Plugins
from ..registry import Registry
from ..rundir import RunDirectory
from ..status import RunState
from .collect import collect_results


def register_model(run: RunDirectory, job: TrainJob, backend: Backend, plugins: Plugins) -> list[ModelVersion]:
    """Registers the model of a completed run as `train --register` does at its end.

    Args:
        run: The run; it has a handle.
        job: Its job, whose `register` is the name to register it under.
        backend: The backend of that handle. A run elsewhere is collected first.
        plugins: Those that register models too are offered this one.

    Returns:
        The versions: in the registry on this machine, and in the backend's registry if that is another one.

    Raises:
        RunError: The run has not completed, or its model must not be registered.
        InputError: There is no model in its outputs.
        BackendError: The backend can't provide or register it.
        StorageError: Something can't be written.
    """
    state = backend.status(run.handle()).state
    summary = run.summary()
    # The summary goes when an attempt begins to train, so a later attempt that was refused has changed nothing.
    complete = (state.ended and summary) if backend.runs_here else state is RunState.COMPLETED
    if not complete:
        hint = f"`{run.command('train', '--resume')}` continues it" if state.ended else "wait until it has ended"
        raise RunError(f"the run {run.run_id} has not completed", received=str(state), hint=hint)
    if not (backend.runs_here and summary):
        return collect_results(run, backend, job)
    Registry.check_summary(job, summary)
    version = Registry.register_run(run, job)
    plugins.register_model(run.model, version.name, job.options)
    run.write_summary(summary.registered_as(version))
    return [version]

"""A run on this machine that has completed, made without training."""

from __future__ import annotations

from pathlib import Path

from stoker.engine.backend import BackendChoice
from stoker.engine.files import make_folder, write_bytes
from stoker.engine.job import TrainJob
from stoker.engine.rundir import RunDirectory
from stoker.engine.status import Handle, RunState, RunStatus
from stoker.engine.summary import RunSummary


def completed_run(runs_dir: Path, model: bytes, *, name: str = "") -> RunDirectory:
    """Makes the folder of a run whose model is in no registry.

    Args:
        runs_dir: Where runs are kept.
        model: The content of the model's file.
        name: The name of its job.
    """
    made = RunDirectory.create(runs_dir, TrainJob(offline=True, name=name))
    made.write_handle(Handle(backend="local", reference=str(made.path)))
    made.write_backend_choice(BackendChoice(name="local", options={}))
    write_bytes(make_folder(made.model) / "model.keras", model)
    made.write_summary(RunSummary(metrics={"Final test loss": 0.5}, epochs=1))
    made.write_status(RunStatus(state=RunState.COMPLETED))
    return made

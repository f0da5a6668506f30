"""MLflow: `--mlflow` copies the run's folder to an MLflow run: parameters, figures, files, how it ended.

The folder is the queue: after each epoch a thread sends what MLflow does not have yet. A server that is slow, silent or
gone therefore costs the training nothing, and one that comes back gets what it has missed.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ....engine.event import EventKind, RunEvent
from ....engine.hookspecs import hookimpl
from ....engine.job import TrainJob
from ....engine.plugin.extras import require_extra
from .uri import address

if TYPE_CHECKING:
    from .sync import MlflowSync

NAME = "mlflow"
_PROGRESS = (EventKind.STARTED, EventKind.EPOCH)
_ENDS = {EventKind.FINISHED: "FINISHED", EventKind.FAILED: "FAILED", EventKind.CANCELLED: "KILLED"}

_syncs: dict[Path, MlflowSync] = {}
"""The syncs of the runs that train in this process, by the run's folder."""


@hookimpl
def stoker_add_options(parser: argparse.ArgumentParser, command: str) -> None:
    """Adds the options of MLflow to `train`."""
    if command != "train":
        return
    group = parser.add_argument_group(NAME)
    group.add_argument("--mlflow", action="store_true", help="record the run in MLflow, and register the model there")
    where = "tracking server or database (default: what MLflow is configured for, else ./mlflow.db)"
    group.add_argument("--mlflow-uri", type=address, default="", metavar="URI", help=where)
    experiment = "MLflow experiment of the run (default: what MLflow is configured for)"
    group.add_argument("--mlflow-experiment", default="", metavar="NAME", help=experiment)


@hookimpl
def stoker_configure_job(job: TrainJob) -> None:
    """Refuses the job if MLflow is not installed."""
    if _asked(job.options):
        require_extra(f"--{NAME}", NAME, NAME)


@hookimpl
def stoker_run_event(event: RunEvent, job: TrainJob, run_dir: Path) -> None:
    """Sends what is new to MLflow; at the end, everything."""
    if not _asked(job.options):
        return
    if event.kind in _PROGRESS:
        _sync_of(job, run_dir).sync()
    elif event.kind in _ENDS:
        _sync_of(job, run_dir).end(_ENDS[event.kind], event.time_s)


@hookimpl
def stoker_register_model(model: Path, name: str, options: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Registers the model in MLflow's registry too."""
    if not _asked(options):
        return None
    sync = next((each for each in _syncs.values() if each.run.model == model), None)
    return sync.register(name) if sync else None


def _asked(options: Mapping[str, Any]) -> bool:
    return any(options.get(name) for name in ("mlflow", "mlflow_uri", "mlflow_experiment"))


def _sync_of(job: TrainJob, run_dir: Path) -> MlflowSync:
    if run_dir not in _syncs:
        require_extra(f"--{NAME}", NAME, NAME)
        from .sync import MlflowSync

        _syncs[run_dir] = MlflowSync(job, run_dir)
    return _syncs[run_dir]

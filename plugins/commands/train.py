"""`stoker train`: hands the job that the options describe to a backend, and follows it."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...engine.backend import Backend, BackendChoice
from ...engine.command import Command
from ...engine.hookspecs import hookimpl
from ...engine.job import TrainJob
from ...engine.plugin.context import Context
from ...engine.rundir import RunDirectory
from .follow import add_display_options, follow, quieten
from .job import add_job_options, new_job, resumed_job
from .show_plan import SAY_ONLY, planned, show_plan

if TYPE_CHECKING:
    from ...engine.data import ProgressCallback


@hookimpl
def stoker_commands() -> Iterable[Command]:
    """Offers the commands `train` and `plan`, which has the options of `train` that a plan depends on."""
    plan_summary = "show what `train` with the same options would do"
    return [
        Command(name="train", summary="train a model, here or elsewhere", add_options=add_options, run=run),
        Command(name="plan", summary=plan_summary, add_options=add_plan_options, run=plan, like="train"),
    ]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options of a job, and those of its run."""
    group = add_plan_options(parser)
    group.add_argument("--detach", action="store_true", help="return as soon as the run has started")


def add_plan_options(parser: argparse.ArgumentParser) -> Any:
    """Adds the options that a plan depends on too; returns the group of those of a run."""
    add_job_options(parser.add_argument_group("job"))
    group = parser.add_argument_group("run")
    group.add_argument("--backend", default="local", metavar="NAME", help="where to train (default: local)")
    add_runs_dir(group)
    group.add_argument("--resume", default="", metavar="RUN", help="continue a run from its last checkpoint")
    changes = "other versions, processor, threads, devices, TensorFlow variables, Keras settings, code or data"
    drift = f"allow resuming with {changes}; the result may differ"
    group.add_argument("--allow-drift", action="store_true", help=drift)
    add_trust(group)
    dry = "only show what would happen; with DIR, also write it there, as files"
    group.add_argument("--dry-run", nargs="?", const=SAY_ONLY, default="", metavar="DIR", help=dry)
    group.add_argument("--register", default="", metavar="NAME", help="register the finished model under a name")
    anyway = "with --register: also if a final loss or a weight is NaN or infinite"
    group.add_argument("--register-anyway", action="store_true", help=anyway)
    group.add_argument("--offline", action="store_true", help="don't download anything")
    add_display_options(group)
    return group


def add_trust(group: Any) -> None:
    """Adds `--trust`, for the commands that run the job of an earlier run."""
    group.add_argument("--trust", action="store_true", help="run the job of a run that another user can write")


def add_runs_dir(group: Any) -> None:
    """Adds `--runs-dir`, for every command that looks for runs."""
    group.add_argument(
        "--runs-dir", type=Path, default=Path("runs"), metavar="DIR", help="where runs are kept (default: runs)"
    )


def run(values: argparse.Namespace, context: Context) -> int:
    """Submits or resumes a run, and follows it unless `--detach` is given."""
    if values.dry_run:
        return plan(values, context)
    return _resume(values, context) if values.resume else _submit(values, context)


def plan(values: argparse.Namespace, context: Context) -> int:
    """Shows what `run` would do, and with `--dry-run DIR` writes it there."""
    job, choice = resumed_job(context, settles=False)[1:] if values.resume else new_job(context)
    _, found = planned(job, choice, context)
    show_plan(found, values.dry_run or SAY_ONLY, quiet=values.quiet, json=values.json)
    return 0


def _submit(values: argparse.Namespace, context: Context) -> int:
    from ...engine.runs import launch

    job, choice = new_job(context)
    backend = _ready(job, choice, values, context)
    with _data_progress(backend, values) as progress:
        started = launch.submit(job, backend, values.runs_dir, context.plugins, progress, choice=choice)
    return _follow(started, backend, values)


def _resume(values: argparse.Namespace, context: Context) -> int:
    from ...engine.runs import launch

    resumed, job, choice = resumed_job(context, settles=True)
    backend = _ready(job, choice, values, context)
    offset = launch.resume(resumed, job, backend, context.plugins)
    return _follow(resumed, backend, values, offset)


def _ready(job: TrainJob, choice: BackendChoice, values: argparse.Namespace, context: Context) -> Backend:
    """Returns the backend, after it has planned the job; shows the plan's warnings."""
    backend, found = planned(job, choice, context)
    quieten(backend, values)
    for warning in () if values.quiet else found.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    return backend


def _data_progress(
    backend: Backend, values: argparse.Namespace
) -> contextlib.AbstractContextManager[ProgressCallback | None]:
    """Shows how much of the data has been read where that happens here; elsewhere the backend reports."""
    from ...engine.terminal.bars import byte_progress

    return byte_progress() if backend.runs_here and not values.quiet else contextlib.nullcontext()


def _follow(started: RunDirectory, backend: Backend, values: argparse.Namespace, offset: int = 0) -> int:
    if not values.detach:
        return follow(started, backend, values, offset)
    if values.json and not values.quiet:
        print(json.dumps({"kind": "started", "run": started.run_id}))
    elif not values.quiet:
        print(f"started {started.run_id}\nwatch it with: {started.command('runs', 'attach')}")
    return 0

"""`stoker train` makes a job from the options, hands it to a backend and shows how it goes; `stoker plan` only says."""

from __future__ import annotations

import argparse
import contextlib
import io
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...engine.command import Command, Context
from ...engine.errors import InputError, OptionError
from ...engine.hookspecs import hookimpl
from ...engine.job import DEVICES, KEEPS, TrainJob
from ...engine.rundir import RunDirectory, find_run
from ...engine.terminal.bars import byte_progress
from .follow import add_display_options, follow
from .plan import SAY_ONLY, show_plan
from .target import Place, place_of, prefix, resumed_place

_DEFAULTS = TrainJob()


@hookimpl
def stoker_commands() -> Iterable[Command]:
    """Offers the commands."""
    return [
        Command(name="train", summary="train a model, here or elsewhere", add_options=add_options, run=run),
        Command(
            name="plan",
            summary="say what `train` with the same options would do",
            add_options=add_options,
            run=plan,
            like="train",
        ),
    ]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options of a job, under the tutorial's names, and those of its run."""
    _add_job_options(parser.add_argument_group("job"))
    group = parser.add_argument_group("run")
    group.add_argument("--backend", default="local", metavar="NAME", help="where to train (default: local)")
    add_runs_dir(group)
    group.add_argument("--resume", default="", metavar="RUN", help="go on with a run from its last checkpoint")
    drift = "let a resume go on with other versions or threads, at the cost of other last bits"
    group.add_argument("--allow-drift", action="store_true", help=drift)
    dry = "only say what would happen; with DIR, also write it there, as files"
    group.add_argument("--dry-run", nargs="?", const=SAY_ONLY, default="", metavar="DIR", help=dry)
    group.add_argument("--detach", action="store_true", help="return as soon as the run has started")
    group.add_argument("--register", default="", metavar="NAME", help="register the finished model under a name")
    group.add_argument("--offline", action="store_true", help="download nothing")
    add_display_options(group)


def _add_job_options(group: Any) -> None:
    add = group.add_argument
    add(
        "--data-folder",
        type=Path,
        metavar="DIR",
        help="folder with the data files, anywhere below it (default: a copy of stoker's own)",
    )
    add(
        "--dataset",
        default="",
        metavar="NAME",
        help="see `stoker data info` (default: mnist, or what the data folder holds)",
    )
    add("--model", default=_DEFAULTS.model, metavar="NAME", help="model, or FILE.py:FUNCTION (default: dnn)")
    add("--batch-size", type=int, default=50, metavar="N", help="examples of one step (default: 50)")
    add("--learning-rate", type=float, default=0.001, metavar="X", help="step size of the optimizer (default: 0.001)")
    add("--epochs", type=int, default=20, metavar="N", help="passes over the training set (default: 20)")
    add("--seed", type=int, default=0, metavar="N", help="decides initial weights and order (default: 0)")
    add(
        "--validation-fraction",
        type=float,
        default=0.0,
        metavar="F",
        help="part of the training set to hold out for the figures of each epoch (default: 0, the test set serves)",
    )
    add("--keep", choices=KEEPS, default="last", help="the epoch whose weights the model has (default: last)")
    add("--threads", type=int, default=0, metavar="N", help="threads of an operation (default: 0, one a core)")
    add("--device", choices=DEVICES, default="auto", help="(default: auto, a GPU where there is one)")
    add("--name", default="", metavar="NAME", help="name of the run (default: from data set and model)")


def add_runs_dir(group: Any) -> None:
    """Adds `--runs-dir`, for every command that looks for runs."""
    group.add_argument(
        "--runs-dir", type=Path, default=Path("runs"), metavar="DIR", help="where runs are kept (default: runs)"
    )


def run(options: argparse.Namespace, context: Context) -> int:
    """Submits or resumes, and follows the run unless told to detach."""
    resumed = find_run(options.runs_dir, options.resume) if options.resume else None
    place = resumed_place(resumed, options) if resumed else place_of(options)
    job = _resumed_job(resumed, options, place) if resumed else context.plugins.configure(make_job(options, context))
    context.plugins.get_model(job.model)
    context.plugins.get_dataset(job.dataset or "folder")
    from ...engine.runs import launch

    with contextlib.ExitStack() as stack:
        if options.quiet:
            stack.enter_context(contextlib.redirect_stderr(io.StringIO()))
        backend = context.plugins.get_backend(*place)
        planned = backend.plan(job)
        if options.dry_run:
            show_plan(planned, options.dry_run)
            return 0
        for warning in planned.warnings:
            print(f"warning: {warning}", file=sys.stderr)
        progress = stack.enter_context(byte_progress()) if backend.runs_here else None  # else the backend has its own
        offset = launch.resume(resumed, job, backend, context.plugins) if resumed else 0
        started = resumed or launch.submit(job, backend, options.runs_dir, context.plugins, progress, place=place)
    if options.detach:
        print(f"started {started.run_id}\nwatch it with: stoker runs attach {started.run_id}")
        return 0
    return follow(started, backend, options, offset)


def plan(options: argparse.Namespace, context: Context) -> int:
    """Says what `run` would do."""
    options.dry_run = options.dry_run or SAY_ONLY
    return run(options, context)


def make_job(options: argparse.Namespace, context: Context) -> TrainJob:
    """The job that the options describe.

    Raises:
        OptionError: A value is out of its range.
    """
    folder = options.data_folder
    return TrainJob(
        name=options.name,
        dataset=options.dataset or ("" if folder else _DEFAULTS.dataset),
        data_folder=str(folder.expanduser().resolve()) if folder else "",
        model=_absolute(options.model),
        batch_size=options.batch_size,
        learning_rate=options.learning_rate,
        epochs=options.epochs,
        seed=options.seed,
        validation_fraction=options.validation_fraction,
        keep=options.keep,
        threads=options.threads,
        device=options.device,
        allow_drift=options.allow_drift,
        register=options.register,
        offline=options.offline,
        plugins=tuple(_absolute(name) for name in options.plugin or ()),
        options=_job_options(options, context),
    )


def _job_options(options: argparse.Namespace, context: Context) -> dict[str, Any]:
    """The options that plugins added, but for those of backends."""
    prefixes = tuple(map(prefix, context.plugins.backends()))
    return {name: getattr(options, name) for name in options.plugin_options if not name.startswith(prefixes)}


def _absolute(name: str) -> str:
    """A name that is a Python file, as an absolute path: the training process may stand elsewhere."""
    path, dot_py, function = name.partition(".py")
    if not dot_py or name.startswith("no:"):
        return name
    return f"{Path(path).expanduser().resolve()}{dot_py}{function}"


def _resumed_job(run_dir: RunDirectory, options: argparse.Namespace, place: Place) -> TrainJob:
    """The job of a run that goes on; only the number of epochs may change.

    Raises:
        InputError: Other options were given, or there is nothing left to do.
    """
    job = run_dir.job()
    given = {name for name, setting in options.sources.items() if setting.source == "command line"}
    name, of_backend = place
    free = {"epochs", "allow_drift", *(f"{prefix(name)}{each}" for each in of_backend)}
    fixed = sorted(given & ({*TrainJob.__dataclass_fields__, *options.plugin_options} - free))
    if "backend" in given and options.backend != name:
        fixed.append("backend")
    if fixed:
        raise OptionError(
            f"--{fixed[0].replace('_', '-')} can't be changed at a resume",
            expected="only --epochs, --allow-drift and the options of its backend",
            hint="start a new run, or leave the option out",
        )
    epochs = options.epochs if "epochs" in given else job.epochs
    summary = run_dir.summary()
    if summary and ("epochs" not in given or epochs <= summary["epochs"]):
        raise InputError(
            f"the run {run_dir.run_id} has finished, after {summary['epochs']} epochs",
            hint=f"give it more with --epochs {2 * summary['epochs']}",
        )
    return replace(job, epochs=epochs, allow_drift=options.allow_drift)

"""The job that the options of a command line describe, new or resumed."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...engine import files, paths
from ...engine.backend import BackendChoice
from ...engine.errors import InputError, OptionError
from ...engine.job import BALANCED, DEVICES, KEEPS, TrainJob, class_weights
from ...engine.options.settings import Options
from ...engine.paths import expanded
from ...engine.plugin.context import Context
from ...engine.rundir import RunDirectory
from ...engine.runs.find import find_run
from .backend_choice import choice_of, prefix, resumed_choice

_DEFAULTS = TrainJob()


def add_job_options(group: Any) -> None:
    """Adds the options of a job, under the tutorial's names; defaults are those of `TrainJob`."""

    def add(name: str, help_: str, *, default: str = "", **more: Any) -> None:
        value = getattr(_DEFAULTS, name.replace("-", "_"))
        group.add_argument(f"--{name}", default=value, help=f"{help_} (default: {default or value})", **more)

    data = "folder with the data files, anywhere below it (default: the data set's own place)"
    group.add_argument("--data-folder", type=Path, metavar="DIR", help=data)
    dataset = "see `stoker data info` (default: mnist, or what the data folder holds)"
    group.add_argument("--dataset", default="", metavar="NAME", help=dataset)
    add("model", "model, or FILE.py:FUNCTION", metavar="NAME")
    add("batch-size", "examples per step", type=int, metavar="N")
    add("learning-rate", "step size of the optimizer", type=float, metavar="X")
    add("epochs", "passes over the training set", type=int, metavar="N")
    add("seed", "decides initial weights and order", type=int, metavar="N")
    held_out = "part of the training set to hold out for the validation figures of each epoch"
    add("validation-fraction", held_out, default="0, use the test set", type=float, metavar="F")
    weigh = "how much the classes count: `balanced`, or a JSON file {class: weight}"
    add("class-weight", weigh, default="all alike", metavar="FILE")
    add("keep", "which epoch's weights the model keeps", choices=KEEPS)
    add("threads", "threads of an operation", default="0, one per core", type=int, metavar="N")
    add("device", "what computes", default="auto, a GPU where there is one", choices=DEVICES)
    add("name", "name of the run", default="from data set and model", metavar="NAME")


def new_job(context: Context) -> tuple[TrainJob, BackendChoice]:
    """Returns the job that the options describe, as plugins have configured it, and where it goes.

    Raises:
        OptionError: A value is out of its range.
    """
    choice = choice_of(context.options, context.options.values.backend)
    return context.plugins.configure(job_from_options(context)), choice


def job_from_options(context: Context) -> TrainJob:
    """Returns the job that the options describe.

    Raises:
        OptionError: A value is out of its range.
    """
    values = context.options.values
    folder = values.data_folder
    with _naming_the_source(context.options):
        return TrainJob(
            name=values.name,
            dataset=values.dataset or ("" if folder else _DEFAULTS.dataset),
            data_folder=str(expanded(folder).resolve()) if folder else "",
            model=_absolute(values.model),
            batch_size=values.batch_size,
            learning_rate=values.learning_rate,
            epochs=values.epochs,
            seed=values.seed,
            validation_fraction=values.validation_fraction,
            class_weight=_class_weight(values.class_weight),
            keep=values.keep,
            threads=values.threads,
            device=values.device,
            allow_drift=values.allow_drift,
            register=values.register,
            register_anyway=values.register_anyway,
            offline=values.offline,
            plugins=tuple(_absolute(name) for name in context.plugins.requested),
            given=_given(context),
            options=_job_options(context),
        )


@contextlib.contextmanager
def _naming_the_source(options: Options) -> Iterator[None]:
    """Adds to an error of the body where the value comes from, if it is not on the command line."""
    try:
        yield
    except OptionError as error:
        name = error.what.partition(" ")[0].removeprefix("--").replace("-", "_")
        setting = options.sources.get(name)
        if setting and setting.source not in {"command line", "default"}:
            error.hint = "; ".join(filter(None, (f"the value comes from {setting.source}", error.hint)))
        raise


def _job_options(context: Context) -> dict[str, Any]:
    """Returns the options that plugins added, without those of backends."""
    prefixes = tuple(map(prefix, context.plugins.backends()))
    names = (name for name in context.options.plugin_options if not name.startswith(prefixes))
    return {name: getattr(context.options.values, name) for name in names}


def _class_weight(given: str) -> str:
    """Returns what a job has for `--class-weight`: "balanced", or the JSON of a file, on one line.

    Raises:
        InputError: There is no such file, or it can't be read.
        OptionError: It holds no weights.
    """
    if given in {"", BALANCED}:
        return given
    path = expanded(given)
    try:
        text = files.decode(files.read_plain(path))
    except OSError as error:
        expected = f'"{BALANCED}", or a JSON file from classes to numbers: {{"0": 1.0, "3": 2.5}}'
        raise InputError(
            "--class-weight can't be read", received=f"{path}: {error.strerror}", expected=expected
        ) from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is no text", received=str(error), expected="a JSON file", path=path) from error
    weights = class_weights(text.strip() or "{}")
    if not weights:
        expected = 'at least one class with its weight: {"0": 1.0, "3": 2.5}'
        raise InputError(
            f"{path} has no weights", received=text.strip() or "an empty file", expected=expected, path=path
        )
    return json.dumps({str(label): weights[label] for label in sorted(weights)})


def _given(context: Context) -> tuple[str, ...]:
    """Returns the names of the options for a model that the user gave anywhere, and that its function may ignore."""
    given = {name for name, setting in context.options.sources.items() if setting.source != "default"}
    return tuple(sorted(given & options_for_models(context)))


def options_for_models(context: Context) -> set[str]:
    """Returns the names of the options that the function of a model gets, and may ignore."""
    return {"learning_rate", *context.plugins.model_options()}


def _absolute(name: str) -> str:
    """Makes a name that is a Python file an absolute path: the training process may run in another folder."""
    path, dot_py, function = name.partition(".py")
    if not dot_py or name.startswith("no:"):
        return name
    return f"{expanded(path).resolve()}{dot_py}{function}"


def resumed_job(context: Context, *, settles: bool) -> tuple[RunDirectory, TrainJob, BackendChoice]:
    """Returns the run that `--resume` names, its job, and where it goes; only the number of epochs may change.

    Raises:
        UnknownNameError: There is no such run.
        InputError: Other options were given, or there is nothing left to do.
    """
    from ...engine.runs import launch

    options = context.options
    run = find_run(options.values.runs_dir, options.values.resume)
    require_trust(run, given=options.values.trust)
    choice = resumed_choice(run, options)
    _refuse_changes(options, choice)
    job = run.job()
    epochs = options.values.epochs if "epochs" in options.given else job.epochs
    if settles:
        launch.settle(run, context.plugins)
    summary = run.summary()
    if summary and ("epochs" not in options.given or epochs <= summary.epochs):
        raise InputError(
            f"the run {run.run_id} has finished, after {summary.epochs} epochs",
            hint=f"train it for more with --epochs {2 * summary.epochs}",
        )
    anyway = job.register_anyway or options.values.register_anyway
    job = replace(job, epochs=epochs, allow_drift=options.values.allow_drift, register_anyway=anyway)
    return run, job, choice


def require_trust(run: RunDirectory, *, given: bool) -> None:
    """Refuses to run the job of a run that somebody else can write: it names code, a model or plugins.

    Args:
        run: The run.
        given: Whether the user has said `--trust`.

    Raises:
        InputError: With what makes the run one of somebody else.
    """
    asked = () if given else (run.path, run.path / "job.json")
    reasons = [f"{path}: {reason}" for path in asked if (reason := paths.distrust(path))]
    if reasons:
        raise InputError(
            f"the code that the job of {run.run_id} names would run as you",
            received=reasons[0],
            expected="a run of your own, or --trust",
            hint="look at its job.json, and add --trust if you trust who wrote it",
            path=run.path,
        )


def _refuse_changes(options: Options, choice: BackendChoice) -> None:
    free = {"epochs", "allow_drift", "register_anyway", *(f"{prefix(choice.name)}{each}" for each in choice.options)}
    fixed = sorted(options.given & ({*TrainJob.__dataclass_fields__, *options.plugin_options} - free))
    if "backend" in options.given and options.values.backend != choice.name:
        fixed.append("backend")
    if fixed:
        raise OptionError(
            f"--{fixed[0].replace('_', '-')} can't be changed when resuming",
            expected="only --epochs, --allow-drift, --register-anyway and the options of its backend",
            hint="start a new run, or leave the option out",
        )

"""Every hook that a plugin can implement.

Each implementation is called by itself, the one that was loaded last first: one that raises is reported with its
plugin's name and version, and the others still run. What a plugin prints goes to stderr.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from .backend import Backend
    from .command import Command
    from .data import DatasetReader
    from .event import RunEvent
    from .job import TrainJob
    from .model import ModelBuilder

__all__ = [
    "CONTRACT",
    "PROJECT",
    "hookimpl",
    "hookspec",
    "stoker_commands",
    "stoker_add_options",
    "stoker_backends",
    "stoker_get_backend",
    "stoker_datasets",
    "stoker_get_dataset",
    "stoker_models",
    "stoker_get_model",
    "stoker_configure_job",
    "stoker_callbacks",
    "stoker_run_event",
    "stoker_export_model",
    "stoker_register_model",
]

PROJECT = "stoker"
"""The pluggy project name and the entry-point group of plugins."""

CONTRACT = 1
"""The version of the contract between stoker and its plugins: the hooks and what they promise, and the protocols
`Backend`, `DatasetReader` and `ModelBuilder` with the values that they take and give.

It grows by one when a plugin that kept the contract may no longer keep it: a hook, a method, a parameter or a field is
removed or means something else, or a promise is added. A new hook, or a new parameter of a hook, does not change it,
because no plugin has to have it. A plugin says which version it was written for with `stoker_contract = 1` in the
module or object that its entry point names. stoker refuses a plugin with another version when it loads it, and accepts
one that names no version.
"""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def stoker_commands() -> Iterable[Command]:
    """Offers commands of the command line.

    Runs at each start, before options are parsed, in the command line's process: no heavy import here.
    None offers nothing. An exception leaves the plugin's commands out and is reported. A name that two plugins offer
    makes using that command an error that names both.
    """
    raise NotImplementedError


@hookspec
def stoker_add_options(parser: argparse.ArgumentParser, command: str) -> None:
    """Adds options to a command; put them in a group of your own and begin their names with your plugin's name.

    Runs when the parser of `command` is made, in the command line's process. Values of options that begin with the
    name of a backend reach that backend (`stoker_get_backend`); all others become `TrainJob.options`. Values must be
    str, int, float, bool or None. stoker ignores what it returns. An exception leaves out the options
    that were not added yet and is reported.

    Args:
        parser: The parser of the command.
        command: Its name: "train", "runs", …
    """


@hookspec
def stoker_backends() -> Mapping[str, str]:
    """Offers backends: {name: one line about it}.

    Runs in the command line's process, for `--help` and error messages: do not import an SDK here. None offers
    nothing. An exception is reported. Using a name that two plugins offer is an error that names both.
    """
    raise NotImplementedError


@hookspec(firstresult=True)
def stoker_get_backend(name: str, options: Mapping[str, Any]) -> Backend | None:
    """Makes the backend of that name.

    Runs in the command line's process, when the backend is needed. A `StokerError` fails the command. Any other
    exception is reported, the next plugin is asked, and the command fails if none of them knows the name.

    Args:
        name: One of the names of `stoker_backends`.
        options: The values of the options of `train` that begin with the backend's name, without it: for
            `--ray-address`, {"address": …}. When a run is resumed or looked at, they are the recorded
            ones, paths as texts. They are kept in the run's folder, so they can't be secrets.

    Returns:
        The backend; None if the name is not yours.
    """


@hookspec
def stoker_datasets() -> Mapping[str, str]:
    """Offers data sets: {name: one line about it}, for listings and error messages.

    Runs in the command line's process. None offers nothing. An exception is reported. Using a name that two
    plugins offer is an error that names both.
    """
    raise NotImplementedError


@hookspec(firstresult=True)
def stoker_get_dataset(name: str) -> DatasetReader | None:
    """Makes the reader of the data set of that name.

    Runs in the command line's process (to check the data before a run) and in the training process. An exception has
    the same effect as in `stoker_get_backend`.

    Args:
        name: The value of `--dataset`.

    Returns:
        The reader; None if the name is not yours.
    """


@hookspec
def stoker_models() -> Mapping[str, str]:
    """Offers models: {name: one line about it}, for listings and error messages.

    Runs in the command line's process: do not import Keras here. None offers nothing. An exception is reported.
    Using a name that two plugins offer is an error that names both.
    """
    raise NotImplementedError


@hookspec(firstresult=True)
def stoker_get_model(name: str) -> ModelBuilder | None:
    """Returns the function that builds the model of that name.

    Runs in the command line's process (to check the name) and in the training process; import Keras inside the
    function that you return. An exception has the same effect as in `stoker_get_backend`.

    Args:
        name: The value of `--model`.

    Returns:
        The builder; None if the name is not yours.
    """


@hookspec
def stoker_configure_job(job: TrainJob) -> TrainJob | None:
    """Changes a job before it is submitted.

    Runs in the command line's process; each implementation gets the result of the one before.
    A `StokerError` fails the command: the job can't be trained as it is. Any other exception is reported and the job
    is left as it was.

    Args:
        job: The job.

    Returns:
        The job to submit instead; None leaves it as it is.
    """


@hookspec
def stoker_callbacks(job: TrainJob, run_dir: Path) -> Iterable[Any]:
    """Offers Keras callbacks for the training.

    Runs in the training process, after the model is built; Keras may be imported. None offers nothing. An exception is
    reported in the run's log and the training continues without them.

    Args:
        job: The job.
        run_dir: The folder of the run.

    Returns:
        Instances of `keras.callbacks.Callback`.
    """
    raise NotImplementedError


@hookspec
def stoker_run_event(event: RunEvent, job: TrainJob, run_dir: Path) -> None:
    """Observes a run: submitted, started, epoch, checkpointed, finished, failed, cancelled.

    Runs in the process where the event happens: the command line's for `submitted`, else the training process,
    between epochs; be quick. stoker ignores what it returns. An exception is reported and changes
    nothing.

    Args:
        event: What happened.
        job: The job of the run.
        run_dir: The folder of the run.
    """


@hookspec
def stoker_export_model(model: Any, folder: Path) -> str | None:
    """Writes a finished model in another form too, beside `model.keras`.

    Runs in the training process, once for each run that ends well, for each plugin that has this hook; Keras may be
    imported. The folder appears in the outputs, with the digest of each file, when all have written. None adds nothing
    to its `README.txt`. An exception is reported; what was written until then stays.

    Args:
        model: The `keras.Model`; leave it as it is.
        folder: Where to write, under names that nothing there has; `model.keras` is there already.

    Returns:
        What was written and how to load it: a paragraph for `README.txt`, with an empty line before it.
    """


@hookspec
def stoker_register_model(model: Path, name: str, options: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Registers a finished model somewhere else, beside the local registry.

    Runs in the training process, when a run with `--register` has completed and the local registry has the model.
    An exception is reported.

    Args:
        model: The folder with the model's files.
        name: The name to register it under.
        options: `TrainJob.options`.

    Returns:
        What identifies the registered version; None if you did not register it.
    """


@hookspec(firstresult=True)
def _stoker_run_job(job: TrainJob) -> Callable[..., Any] | None:
    """Offers what runs a job in place of the training; private, and no part of the contract.

    It is there for the payloads of the conformance suite, whose plugin a job names. Runs in the training process. An
    exception is reported, and the job is trained.

    Args:
        job: The job.

    Returns:
        A function with the parameters and the result of `engine.training.train.run`; None trains.
    """

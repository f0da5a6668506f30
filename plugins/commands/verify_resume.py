"""`stoker verify-resume RUN`: kills a run's job on purpose, resumes it, and compares the bits of the results."""

from __future__ import annotations

import argparse
import contextlib
import math
import random
import signal
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from ...engine.backend import Backend
from ...engine.command import Command, positive_int
from ...engine.errors import InputError, RunError, StokerError
from ...engine.hookspecs import hookimpl
from ...engine.job import TrainJob
from ...engine.plugin.context import Context
from ...engine.rundir import RunDirectory
from ...engine.runs.find import find_run, list_runs
from ...engine.terminal.interrupt import interrupted_by_signals
from .job import require_trust
from .train import add_runs_dir, add_trust

_LOOK_S = 0.02
_NOT_SHOWN_IN = ("no:tensorboard", "no:mlflow")
"""Trackers that are left out, because these runs are experiments and not kept."""


@hookimpl
def stoker_commands() -> Iterable[Command]:
    """Offers the command `verify-resume`."""
    summary = "kill a run's job on purpose, resume it, and compare the bits"
    return [Command(name="verify-resume", summary=summary, add_options=add_options, run=run)]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds the run, the epochs to train and the number of kills."""
    parser.add_argument("run", metavar="RUN", help="run whose job to try, on this machine, in a temporary folder")
    add_runs_dir(parser)
    add_trust(parser)
    parser.add_argument("--epochs", type=positive_int, default=3, metavar="N", help="epochs to train (default: 3)")
    parser.add_argument("--kills", type=positive_int, default=3, metavar="N", help="times to kill it (default: 3)")


def run(options: argparse.Namespace, context: Context) -> int:
    """Trains once in one piece, then again with kills at random moments, and compares the results.

    Returns:
        0 if all bits are equal, 1 if not, or if no kill left a checkpoint to resume from.
    """
    if options.epochs < 2:
        raise InputError("a resume needs a checkpoint to continue from", received="--epochs 1", expected="2 or more")
    tried = find_run(options.runs_dir, options.run)
    require_trust(tried, given=options.trust)
    job = tried.job()
    plugins = (*job.plugins, *_NOT_SHOWN_IN)
    job = replace(job, epochs=options.epochs, register="", allow_drift=False, plugins=plugins)
    context.plugins.add_requested(job.plugins)
    with _temporary_folder() as folder:
        began = time.monotonic()
        whole = _whole(job, folder, context)
        seconds = time.monotonic() - began
        print(f"in one piece: {_counted(options.epochs, 'epoch')}, {seconds:.1f} s")
        killed, kills = _killed(job, folder, context, options.kills, _Pace.of(whole, seconds))
        equal = _bits(whole, job.epochs) == _bits(killed, job.epochs)
        resumes = killed.log.read_text(errors="replace").count("resumed after epoch")
    after = f"after {_counted(kills, 'kill')} and {_counted(resumes, 'resume')} from a checkpoint"
    print(f"{after}: all variables of the model and the optimizer are {'equal' if equal else 'NOT equal'}")
    if not resumes:
        print("nothing was tested: the job ends too soon after its first checkpoint; give it more --epochs")
    return 0 if equal and resumes else 1


class _Pace(NamedTuple):
    """How long a job takes: until its first epoch begins, and for each epoch, in seconds."""

    start_s: float
    epoch_s: float

    @classmethod
    def of(cls, whole: RunDirectory, seconds: float) -> _Pace:
        """Measures a run that took `seconds` in all."""
        training_s = max((line["time_s"] for line in whole.metrics()), default=0.0)
        return cls(start_s=max(seconds - training_s, 0.0), epoch_s=training_s / max(_epochs(whole), 1))


@contextmanager
def _temporary_folder() -> Iterator[Path]:
    """Yields a folder for runs; at its end, however it comes, no process trains below it and it is gone."""
    with interrupted_by_signals(), tempfile.TemporaryDirectory(prefix="stoker-verify-") as name:
        try:
            yield Path(name)
        finally:
            for left in list_runs(Path(name)):
                with contextlib.suppress(StokerError):  # it was not started yet
                    _local().cancel(left.handle())


def _local() -> Backend:
    from ..local.backend import LocalBackend

    return LocalBackend()


def _whole(job: TrainJob, root: Path, context: Context) -> RunDirectory:
    from ...engine.runs import launch

    started = launch.submit(job, _local(), root, context.plugins)
    _wait(started)
    return started


def _killed(job: TrainJob, root: Path, context: Context, kills: int, pace: _Pace) -> tuple[RunDirectory, int]:
    """Trains with kills at random moments; returns the run, and how many of them met it before it had finished."""
    from ...engine.runs import launch

    done = 0
    started = launch.submit(job, _local(), root, context.plugins)
    for epochs in _moments(kills, job.epochs):
        pause_s = random.uniform(0, pace.epoch_s + (0 if epochs else pace.start_s))
        if _kill_after(started, epochs, pause_s):
            done += 1
            print(f"killed with {_counted(_epochs(started), 'epoch')} finished")
        if started.summary():
            break
        launch.resume(started, job, _local(), context.plugins)
    _wait(started)
    return started, done


def _moments(kills: int, epochs: int) -> list[int]:
    """Returns after how many epochs each kill comes, in order; at least one comes after a checkpoint."""
    return sorted([random.randint(1, epochs - 1), *(random.randint(0, epochs - 1) for _ in range(kills - 1))])


def _kill_after(started: RunDirectory, epochs: int, pause_s: float) -> bool:
    """Kills the process of a run some time after an epoch, unless it has finished by then; returns whether it did."""
    deadline = math.inf
    while time.monotonic() < deadline:
        if _local().status(started.handle()).state.ended:
            return False
        if deadline == math.inf and _epochs(started) >= epochs:
            deadline = time.monotonic() + pause_s
        time.sleep(_LOOK_S)
    record = started.status_record()
    if record is None or record.process is None or not record.process.send(signal.SIGKILL):
        return False
    while not _local().status(started.handle()).state.ended:
        time.sleep(_LOOK_S)
    return True


def _wait(started: RunDirectory) -> None:
    while not _local().status(started.handle()).state.ended:
        time.sleep(_LOOK_S)
    if not started.summary():
        log = started.log.read_text(errors="replace")
        raise RunError("the job does not train here", received=log.strip().rpartition("\n")[2])


def _counted(count: int, what: str) -> str:
    """Returns a number of things in words: "1 kill", "3 kills"."""
    return f"{count} {what}{'' if count == 1 else 's'}"


def _epochs(started: RunDirectory) -> int:
    return max((line["epoch"] for line in started.metrics()), default=0)


def _bits(trained: RunDirectory, epochs: int) -> dict[str, bytes]:
    """Returns every variable of the last checkpoint."""
    from ...engine.training.checkpoint import Checkpoints, load_arrays

    path = Checkpoints(trained.checkpoints).path_of(epochs)
    if not path.is_dir():
        raise InputError("the job ended before its last epoch", expected=path, hint="try fewer --epochs")
    return {name: array.tobytes() for name, array in load_arrays(path).items()}

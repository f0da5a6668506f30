"""`stoker exec RUN_DIR`: trains in this process. Every backend starts it on its machine; people don't."""

from __future__ import annotations

import argparse
import contextlib
import math
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from types import FrameType

from ...engine import locks
from ...engine.command import Command
from ...engine.errors import StorageError
from ...engine.hookspecs import hookimpl
from ...engine.job import TrainJob
from ...engine.plugin.context import Context
from ...engine.rundir import RunDirectory
from ...engine.status import RunState
from .job_arguments import with_arguments

_INSISTS_S = 1.0
"""Who asks again within this time, as a terminal and a shell do together, has asked once."""


@hookimpl
def stoker_commands() -> Iterable[Command]:
    """Offers the command `exec`; without a summary it stays out of the help."""
    return [Command(name="exec", summary="", add_options=add_options, run=run)]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds the argument that names the run's folder, and what may follow."""
    parser.add_argument("run_dir", type=Path, metavar="RUN_DIR", help="a folder with job.json")
    words = "options of the job with other values than in job.json, as `--name value`; the last one counts"
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help=words)


def run(options: argparse.Namespace, context: Context) -> int:
    """Trains, and ends the process as soon as everything is written."""
    stop = threading.Event()
    asked_s = math.inf

    def ask_to_stop(number: int, frame: FrameType | None) -> None:
        nonlocal asked_s
        if time.monotonic() > asked_s + _INSISTS_S:
            os._exit(128 + number)
        asked_s = min(asked_s, time.monotonic())
        stop.set()

    signal.signal(signal.SIGTERM, ask_to_stop)
    signal.signal(signal.SIGINT, ask_to_stop)
    from ...engine.training.runtime import remove_generated_files

    run_dir = RunDirectory(options.run_dir.resolve())
    locks.keep_lock(run_dir.lock)
    job = run_dir.job()
    context.plugins.add_requested(job.plugins)
    given = options.arguments[1:] if options.arguments[:1] == ["--"] else options.arguments
    effective = with_arguments(job, given, context)
    if effective != job:
        run_dir.replace_job(effective)
        job = effective
    try:
        state = _runner(job, context)(job, run_dir, context.plugins, stop)
    except (StorageError, OSError) as error:  # so that not even the status, or the log, could be written
        with contextlib.suppress(OSError):
            print(f"error: {error}", file=sys.stderr, flush=True)
        os._exit(os.EX_IOERR)
    sys.stdout.flush()
    sys.stderr.flush()
    remove_generated_files()
    # TensorFlow takes up to a second to shut down, and everything that matters is on the disk.
    os._exit(0 if state is RunState.COMPLETED else 1)


def _runner(job: TrainJob, context: Context) -> Callable[..., RunState]:
    """Returns what runs the job: the training, unless it is a job of the conformance suite."""
    from ...engine.training import train

    return context.plugins.runner(job) or train.run

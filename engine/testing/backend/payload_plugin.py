"""A plugin for the jobs of the conformance suite: offers a payload in place of the training.

A job loads it by its name in `TrainJob.plugins`, wherever stoker is installed. A job without the option `payload` is
trained as usual.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from ...hookspecs import hookimpl
from ...job import TrainJob
from ...plugin.plugins import Plugins
from ...rundir import RunDirectory
from ...status import RunState
from . import payloads


@hookimpl
def _stoker_run_job(job: TrainJob) -> Callable[..., RunState] | None:
    """Offers the payload that the job asks for."""
    return run if payloads.OPTION in job.options else None


def run(job: TrainJob, run_dir: RunDirectory, plugins: Plugins, stop: threading.Event) -> RunState:
    """Runs a payload.

    Args:
        job: The job, which names the payload.
        run_dir: The folder of the run.
        plugins: Those of the process; none of them observes a payload.
        stop: Set to end it early.

    Returns:
        How it ended.
    """
    return payloads.perform(job, run_dir, stop)

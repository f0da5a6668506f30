"""A plugin for the jobs of the conformance suite: puts a payload in place of the training.

A job loads it by its name in `TrainJob.plugins`, wherever stoker is installed. When it is loaded, it replaces the one
function that the training process calls, `stoker.engine.training.train.run`. That is not a hook, and other plugins may
not do it. A job without the option `payload` is trained as usual.
"""

from __future__ import annotations

import threading

from ...job import TrainJob
from ...plugin.plugins import Plugins
from ...rundir import RunDirectory
from ...status import RunState
from ...training import train
from . import payloads

_train = train.run


def run(job: TrainJob, run_dir: RunDirectory, plugins: Plugins, stop: threading.Event) -> RunState:
    """Runs the payload that the job asks for, or trains if it asks for none; see `engine.training.train.run`."""
    if payloads.OPTION in job.options:
        return payloads.perform(job, run_dir, stop)
    return _train(job, run_dir, plugins, stop)


train.run = run

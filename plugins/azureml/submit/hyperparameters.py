"""The hyperparameters of a job as people see them: arguments of the run, and tags that the studio sorts by."""

from __future__ import annotations

from collections.abc import Mapping

from ....engine.job import TrainJob, option_text

_OF_JOB = ("batch_size", "learning_rate", "epochs", "seed", "validation_fraction", "class_weight", "keep")
"""The fields of a job that decide what comes of it, in the order in which they are shown."""
_OF_TRACKERS = ("mlflow", "tensorboard")
"""How the options begin that only say where a run is recorded."""

_MOST_TAGS, _LONGEST_NAME, _LONGEST_VALUE = 40, 100, 1000
"""The service takes 50 tags of a run, names of 100 characters and values of 1,000, as "Service limits in Azure Machine
Learning" says; some are stoker's and the service's own."""


def hyperparameters(job: TrainJob) -> dict[str, str]:
    """Returns the options that decide what comes of a job, as the command line calls them: {"batch-size": "50"}.

    Options of plugins are all here, whether or not the model uses them, which shows only when it is built. What has no
    value is left out.
    """
    of_job = {name: getattr(job, name) for name in _OF_JOB}
    of_plugins = {name: value for name, value in job.options.items() if not name.startswith(_OF_TRACKERS)}
    texts = {name: option_text(value) for name, value in {**of_job, **of_plugins}.items()}
    return {name.replace("_", "-"): text for name, text in texts.items() if text}


def tags(of_job: Mapping[str, str]) -> dict[str, str]:
    """Returns hyperparameters as tags: as many as the service takes, their values cut to its length."""
    short = {name: text[:_LONGEST_VALUE] for name, text in of_job.items() if len(name) <= _LONGEST_NAME}
    return dict(list(short.items())[:_MOST_TAGS])

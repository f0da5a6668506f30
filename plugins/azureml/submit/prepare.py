"""What is sent for a job, its package and its environment, and what Azure ML wants of a package."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ....engine.job import TrainJob
from ....engine.package import Entry, Limits, Package
from ..reference import RUN_ID
from ..settings import AzureSettings
from .environment import Environment, make_environment
from .hyperparameters import hyperparameters

ENTRY = Entry(
    source=Path(__file__).resolve().parents[1] / "node" / "run.py",
    run_id=RUN_ID,
    data_folder="--data-folder",
    checkpoints="--checkpoints",
    job_options="--job-options",
)
"""What a node starts."""

LIMITS = Limits(bytes=300 * 10**6, files=2000, service="Azure ML")
"""What the service takes as a snapshot."""

IGNORE_FILES = (".amlignore", ".gitignore")
"""The files whose rules hold for a snapshot, too, if the SDK makes it."""

NOT_SENT = ("plugins/azureml_emulator/",)
"""What of the engine only a user's own machine needs."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Prepared:
    """What is sent for a job.

    Attributes:
        package: Its files.
        environment: What its node has installed.
        hyperparameters: What its script is started with, and what the run is tagged with.
    """

    package: Package
    environment: Environment
    hyperparameters: Mapping[str, str]

    @classmethod
    def of(cls, job: TrainJob, settings: AzureSettings) -> Prepared:
        """Reads, checks and packs all that a job needs.

        Raises:
            InputError: A file can't be sent, or the environment lacks what is needed.
        """
        package = package_of(job)
        environment = make_environment(settings, package.requirements)
        return cls(package=package, environment=environment, hyperparameters=hyperparameters(job))


def package_of(job: TrainJob) -> Package:
    """Returns the package of a job as Azure ML takes it.

    Raises:
        InputError: A file is missing, holds a secret, or the package is too large.
    """
    return Package.of(job, entry=ENTRY, without=NOT_SENT, limits=LIMITS, ignore_files=IGNORE_FILES)

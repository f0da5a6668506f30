"""The installed distributions that a job needs beside what its code imports: plugins and trackers."""

from __future__ import annotations

import contextlib
import importlib.metadata
from collections.abc import Iterable

from ..hookspecs import PROJECT
from ..job import TrainJob
from ..plugin import discovery

IN_TRAINING = (
    "stoker_get_dataset",
    "stoker_get_model",
    "stoker_callbacks",
    "stoker_run_event",
    "stoker_export_model",
    "stoker_register_model",
)
"""The hooks that the training process calls; an installed plugin that has none of them is not needed there."""

TRACKERS = {
    "mlflow": ("mlflow", "mlflow-skinny", "alembic", "sqlalchemy"),
    "tensorboard": ("tensorboard",),
}
"""What the trackers that come with stoker need: {option that turns one on: distributions, as far as installed}."""


def installed_plugins(left_out: Iterable[str]) -> dict[str, str]:
    """Returns the installed packages whose plugins have a part in a training: {name: version}."""
    needed = {}
    for record, load in discovery.installed():
        if record.name in left_out or not record.version or record.origin == PROJECT:
            continue
        try:
            plugin = load()
        except Exception:  # noqa: BLE001 - a broken plugin; the command line has said so
            continue
        if any(hasattr(plugin, hook) for hook in IN_TRAINING):
            needed[record.origin] = record.version
    return needed


def trackers(job: TrainJob) -> dict[str, str]:
    """Returns what the trackers need that the job turns on: {name: version}."""
    found = {}
    for name in (name for option, names in TRACKERS.items() if job.options.get(option) for name in names):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


def local_distributions(requirements: Iterable[str]) -> list[str]:
    """Returns a warning for each distribution that no index has in this form: it came from a folder or a URL."""
    found = []
    for name in requirements:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError, ValueError):  # metadata without a name
            if importlib.metadata.distribution(name).read_text("direct_url.json"):
                found.append(f"{name} was installed here from a folder or URL; the node takes it from a package index")
    return found

"""The contents of a run's folder, under the names that MLflow's users look for."""

from __future__ import annotations

import platform
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ....engine import VERSION
from ....engine.event import EventKind
from ....engine.job import TrainJob
from ....engine.rundir import RunDirectory

_LONGEST = 500
"""Characters of a parameter's value that every MLflow server takes (mlflow.utils.validation, older ones)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """One figure of one epoch.

    Attributes:
        name: Its name in `metrics.jsonl`, with the characters that MLflow takes.
        epoch: Which epoch, counted from 1; MLflow calls it the step.
        value: The figure.
        time_s: When the epoch ended, in seconds since 1970.
    """

    name: str
    epoch: int
    value: float
    time_s: float

    @property
    def key(self) -> tuple[str, int, str]:
        """What distinguishes it from the figures that are known."""
        return self.name, self.epoch, repr(self.value)


def figures(run: RunDirectory) -> Iterator[Figure]:
    """Yields the figures of a run so far."""
    ends_s = {event.data.get("epoch"): event.time_s for event in run.events() if event.kind is EventKind.EPOCH}
    for line in run.metrics():
        name = re.sub(r"[^/\w.\- :]", "_", line["name"])
        epoch = int(line["epoch"])
        yield Figure(name=name, epoch=epoch, value=float(line["value"]), time_s=ends_s.get(epoch, time.time()))


def began_s(run: RunDirectory) -> float:
    """Returns when a run was submitted, in seconds since 1970."""
    return next((event.time_s for event in run.events()), time.time())


def parameters(job: TrainJob, run: RunDirectory) -> dict[str, str]:
    """Returns a job and what its model is trained with as text values, without trackers and what had no effect."""
    facts = run.model_facts() or {}
    fields = job.to_json()
    del fields["schema"], fields["given"]
    every = fields.pop("options").items()
    options = {name: value for name, value in every if not name.startswith(("mlflow", "tensorboard"))}
    values = {**fields, **options, "plugins": ", ".join(job.plugins)}
    asked = {name: value for name, value in values.items() if name not in facts.get("unused_options", ())}
    trained = _flat({name: facts[name] for name in ("optimizer", "optimizers", "loss", "parameters") if name in facts})
    return {name: str(value)[:_LONGEST] for name, value in (asked | trained).items() if value not in ("", None)}


def _flat(value: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Mappings within mappings as one: {"optimizer": {"class": "Adam"}} is {"optimizer.class": "Adam"}."""
    found: dict[str, Any] = {}
    for name, entry in value.items():
        if isinstance(entry, Mapping):
            found |= _flat(entry, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = entry
    return found


def tags(job: TrainJob, run: RunDirectory) -> dict[str, str]:
    """Returns what identifies a run, and the state of its source code."""
    source = (run.environment() or {}).get("source", {})
    found = {
        "stoker.run_id": run.run_id,
        "stoker.version": VERSION,
        "stoker.job_sha256": job.digest(),
        "stoker.git.changed": ", ".join(source.get("changed", ()))[:5000],  # servers take tags of 5,000 characters
        "stoker.git.diff_sha256": source.get("diff_sha256", ""),
        "mlflow.source.name": "stoker",
        "mlflow.source.type": "LOCAL",
        "mlflow.source.git.commit": source.get("commit", ""),
    }
    return {name: value for name, value in found.items() if value}


def model_notes(run: RunDirectory, mlflow_run_id: str, place: str) -> dict[str, str]:
    """Returns the files that `mlflow.keras.load_model` and `mlflow.pyfunc.load_model` read: {name: text}."""
    from mlflow.models import Model

    packages = dict((run.environment() or {}).get("packages", {}))
    described: Any = Model(run_id=mlflow_run_id, artifact_path=place)
    described.add_flavor(
        "keras",
        data=".",  # the folder, in which the flavor looks for `model.keras`
        keras_version=packages.get("keras", ""),
        keras_backend="tensorflow",
        save_exported_model=False,
    )
    described.add_flavor("python_function", loader_module="mlflow.keras", python_version=platform.python_version())
    needs = "".join(f"{name}=={version}\n" for name, version in packages.items() if name != "stoker")
    return {"requirements.txt": needs, "MLmodel": described.to_yaml()}

"""What a registered model says about itself: its framework, the versions, what it was trained on, and digests."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ....engine.rundir import RunDirectory
from ..rest import paths
from ..rest.answer import part
from ..sdk.sdk import COMMIT
from . import outputs
from .status import CloudRun

FRAMEWORK = "TensorFlow"
"""`Model.Framework.TENSORFLOW` of azureml-core, which takes the place of its `TFKERAS`: `Model._register_with_asset`
warns of that one."""

_MOST_FILES, _LONGEST_NAME = 30, 90
"""Of the data, so that name and number of the properties stay below 100 and 50."""


def describe(cloud_run: CloudRun, run: Mapping[str, Any], figures: Mapping[str, str]) -> dict[str, Any]:
    """Returns what a model is registered with beside its name, its files and its tags, as the SDK posts it.

    The sample input is the data set that the run has mounted: its examples are what the model takes.

    Args:
        cloud_run: The run.
        run: Its last attempt, which has completed.
        figures: Its final figures.

    Raises:
        BackendError: The record of the run can't be read.
    """
    environment = _environment(cloud_run, str(run["runId"]))
    versions = {name: str(part(environment, "packages").get(name, "")) for name in ("tensorflow", "keras", "stoker")}
    found: dict[str, Any] = {"framework": FRAMEWORK, "frameworkVersion": versions["tensorflow"]}
    found["description"] = _sentence(cloud_run.reference.run_id, environment, versions, figures)
    found["properties"] = _properties(run, environment, versions)
    saved_id = _data_set(cloud_run, str(run["runId"]))
    found["datasets"] = [{"name": "training", "id": saved_id}] if saved_id else []
    found["sampleInputData"] = f"aml://dataset/{saved_id}" if saved_id else ""
    return {name: value for name, value in found.items() if value != ""}


def _environment(cloud_run: CloudRun, run_id: str) -> Mapping[str, Any]:
    """Returns the environment that the run has recorded; {} if it has recorded none."""
    with tempfile.TemporaryDirectory(prefix="stoker-azureml-") as folder:
        outputs.fetch_record(cloud_run.service, run_id, Path(folder))
        return RunDirectory(Path(folder)).environment() or {}


def _sentence(
    run_id: str, environment: Mapping[str, Any], versions: Mapping[str, str], figures: Mapping[str, str]
) -> str:
    data = part(environment, "dataset").get("name", "")
    trained = f"Keras model, trained{f' on {data}' if data else ''} by stoker {versions['stoker']}".rstrip()
    return "; ".join([f"{trained} in the run {run_id}", *(f"{name} {value}" for name, value in figures.items())])


def _properties(run: Mapping[str, Any], environment: Mapping[str, Any], versions: Mapping[str, str]) -> dict[str, str]:
    """Returns the run, what it was made from, and the SHA-256 of each file of the data."""
    package = str(part(run, "tags").get("package", ""))
    facts = {
        "run": str(run["runId"]),
        "package": f"sha256:{package}" if package else "",
        "commit": str(part(run, "properties").get(COMMIT, "")),
        **versions,
    }
    sources = part(part(environment, "dataset"), "sources")
    data = {f"data/{name}"[:_LONGEST_NAME]: str(digest) for name, digest in sources.items() if _is_digest(digest)}
    return {name: value for name, value in (facts | dict(list(data.items())[:_MOST_FILES])).items() if value}


def _is_digest(source: Any) -> bool:
    """Returns whether a source is a digest; others are paths of the node, or addresses."""
    return str(source).startswith("sha256:")


def _data_set(cloud_run: CloudRun, run_id: str) -> str:
    """Returns the id of the data set that a run has mounted; "" if it has mounted none."""
    route = paths.run_details(cloud_run.reference.experiment, run_id)
    definition = part(cloud_run.service.get(route) or {}, "runDefinition")
    for mounted in part(definition, "data").values():
        return str(part(part(mounted, "dataLocation"), "dataset").get("id", ""))
    return ""

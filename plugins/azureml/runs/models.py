"""Registers the model of a run in the workspace, once for each content."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

from ....engine.backend import ModelVersion
from ....engine.errors import BackendError, InputError
from ....engine.job import check_name
from ....engine.metrics import final_figures
from ....engine.registry import MODEL_FILE
from ..rest.client import Service
from . import outputs
from .status import CloudRun, status_of

DIGEST = "sha256"
"""The tag of a registered model that has the digest of its main file."""

_SERVICE = "modelmanagement/v1.0"
_FOLDER = re.compile(r"[\w. -]+(?:/[\w. -]+)*")


def register(cloud_run: CloudRun, model: str, name: str) -> ModelVersion:
    """Registers the model of a finished run.

    Args:
        cloud_run: The run.
        model: The folder of the model below the run's outputs.
        name: The name to register it under.

    Raises:
        InputError: The name is none, or the folder holds no model.
        BackendError: The run has not finished, or the service does not take it.
    """
    check_name("the name to register", name)
    run = _finished(cloud_run)
    digest = _digest(cloud_run.service, str(run["runId"]), model)
    found = find(cloud_run.service, name, digest)
    if found is None:
        _register(cloud_run, run, model, name, digest)
        found = find(cloud_run.service, name, digest)
    if found is None:
        raise BackendError(f"the model {name} was registered, and the workspace does not know it")
    return found


def find(service: Service, name: str, digest: str) -> ModelVersion | None:
    """The oldest version of a model that has this content; None if there is none."""
    found = [
        entry
        for entry in service.list(_SERVICE, f"/models?name={quote(name, safe='')}")
        if (entry.get("kvTags") or {}).get(DIGEST) == digest
    ]
    oldest = min(found, key=lambda entry: int(entry["version"]), default=None)
    if oldest is None:
        return None
    scope = service.scope
    location = f"azureml://{scope.subscription}/{scope.group}/{scope.workspace}/models/{name}/{oldest['version']}"
    return ModelVersion(name=name, version=int(oldest["version"]), digest=digest, location=location)


def _finished(cloud_run: CloudRun) -> dict[str, Any]:
    """The last attempt of the run, which must have completed."""
    run = cloud_run.newest()
    if str(run.get("status")) != "Completed":
        state = status_of(run, 1).state
        raise BackendError(f"the run {run['runId']} has not finished: {state}", hint="wait until it has completed")
    return run


def _digest(service: Service, run_id: str, model: str) -> str:
    """The SHA-256 of the model's main file."""
    parts = PurePosixPath(model).parts
    if not _FOLDER.fullmatch(model) or ".." in parts:
        raise InputError("not a folder of a model", received=repr(model), expected="one below the outputs: model")
    listed = dict(outputs.listed(service, run_id, model))
    url = listed.get(f"{model}/{MODEL_FILE}")
    if url is None:
        raise InputError(f"no {MODEL_FILE} in the outputs {model!r} of the run {run_id}")
    return outputs.sha256(service, url)


def _register(cloud_run: CloudRun, run: dict[str, Any], model: str, name: str, digest: str) -> None:
    """Registers it as the SDK does, which repeats itself blindly: a lost answer would make a second version."""
    service, run_id = cloud_run.service, str(run["runId"])
    prefix = f"ExperimentRun/dcid.{run_id}/{outputs.FOLDER}{model}"
    asset = {"name": name, "artifacts": [{"prefix": prefix}], "runid": run_id}
    made = service.ask("POST", service.address(_SERVICE, "/assets"), json=asset) or {}
    figures = final_figures(cloud_run.log(0).decode(errors="replace").splitlines())
    entry = {
        "name": name,
        "datasets": [],
        "url": f"aml://asset/{made['id']}",
        "mimeType": "application/json",
        "unpack": False,
        "runId": run_id,
        "experimentName": cloud_run.reference.experiment,
        "kvTags": {DIGEST: digest, "run": cloud_run.reference.run_id, **figures},
    }

    def done() -> bool:
        return find(service, name, digest) is not None

    service.ask("POST", service.address(_SERVICE, "/models"), json=entry, done=done)

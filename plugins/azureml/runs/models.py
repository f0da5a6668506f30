"""Registers the model of a run in the workspace; the same content makes one version."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from ....engine.backend import ModelVersion
from ....engine.errors import BackendError, InputError
from ....engine.job import check_name
from ....engine.metrics import final_figures
from ....engine.registry import MODEL_FILE
from ..rest import paths
from ..rest.answer import part, text, whole
from ..rest.client import Service
from . import outputs
from .description import describe
from .status import CloudRun, status_of

DIGEST = "sha256"
"""The tag of a registered model that holds the digest of its main file."""

_FOLDER = re.compile(r"[\w. -]+(?:/[\w. -]+)*")


def register(cloud_run: CloudRun, model: str, name: str) -> ModelVersion:
    """Registers the model of a finished run, unless the same content is registered already.

    Args:
        cloud_run: The run.
        model: The folder of the model below the run's outputs.
        name: The name to register it under.

    Raises:
        InputError: The name isn't valid, or the folder holds no model.
        BackendError: The run has not finished, or the service refuses the model.
    """
    check_name("the name to register", name)
    run = _finished(cloud_run)
    digest = _digest(cloud_run, str(run["runId"]), model)
    found = find(cloud_run.service, name, digest)
    if found is None:
        _register(cloud_run, run, model, name, digest)
        found = find(cloud_run.service, name, digest)
    if found is None:
        raise BackendError(f"the model {name} was registered, but the workspace doesn't list it")
    return found


def find(service: Service, name: str, digest: str) -> ModelVersion | None:
    """Finds the oldest version of a model with this content; None if there is none.

    Args:
        service: The workspace.
        name: The name of the model.
        digest: The SHA-256 of its main file, in hexadecimal.

    Raises:
        BackendError: The versions can't be listed.
    """
    found = [entry for entry in service.list(paths.models_named(name)) if part(entry, "kvTags").get(DIGEST) == digest]
    oldest = min(found, key=lambda entry: whole(entry, "version"), default=None)
    if oldest is None:
        return None
    scope = service.scope
    version = whole(oldest, "version")
    location = f"azureml://{scope.subscription}/{scope.group}/{scope.workspace}/models/{name}/{version}"
    return ModelVersion(name=name, version=version, digest=digest, location=location)


def _finished(cloud_run: CloudRun) -> Mapping[str, Any]:
    """Returns the last attempt of the run, which must have completed."""
    run = cloud_run.newest()
    if str(run.get("status")) != "Completed":
        state = status_of(run, 1).state
        raise BackendError(f"the run {run['runId']} has not finished: {state}", hint="wait until it has completed")
    return run


def _digest(cloud_run: CloudRun, run_id: str, model: str) -> str:
    """Returns the SHA-256 of the model's main file: the one that was verified when it was fetched, or downloads it."""
    parts = PurePosixPath(model).parts
    if not _FOLDER.fullmatch(model) or ".." in parts:
        raise InputError(
            "this is no folder of a model", received=repr(model), expected="a folder of the outputs: model"
        )
    known = cloud_run.verified.get(run_id, {}).get(f"{model}/{MODEL_FILE}")
    if known:
        return known.removeprefix("sha256:")
    return outputs.verified_sha256(cloud_run.service, run_id, model, MODEL_FILE)


def _register(cloud_run: CloudRun, run: Mapping[str, Any], model: str, name: str, digest: str) -> None:
    """Registers the model with the SDK's requests. The SDK itself retries blindly: a lost answer makes two versions."""
    service, run_id = cloud_run.service, str(run["runId"])
    figures = final_figures(cloud_run.log(0).decode(errors="replace").splitlines())
    described = describe(cloud_run, run, figures)
    prefix = f"ExperimentRun/dcid.{run_id}/{outputs.FOLDER}{model}"
    asset = {"name": name, "artifacts": [{"prefix": prefix}], "runid": run_id}
    made = service.ask("POST", service.address(paths.assets()), json=asset)
    entry = {
        "name": name,
        **described,
        "url": f"aml://asset/{text({} if made is None else made, 'id')}",
        "mimeType": "application/json",
        "unpack": False,
        "runId": run_id,
        "experimentName": cloud_run.reference.experiment,
        "kvTags": {DIGEST: digest, "run": cloud_run.reference.run_id, **figures},
        "properties": {**described["properties"], MODEL_FILE: f"sha256:{digest}"},
    }

    def done() -> bool:
        return find(service, name, digest) is not None

    service.ask("POST", service.address(paths.models()), json=entry, done=done)

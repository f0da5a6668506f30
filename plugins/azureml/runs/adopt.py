"""Finds a run by its id alone: where it is and what it is of, as the workspace tells."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from ....engine.backend import FoundRun
from ....engine.errors import InputError, StokerError
from ....engine.job import TrainJob
from ..reference import JOB, RUN_ID, Reference
from ..rest.client import Service

_HISTORY = "history/v1.0"


def adopt(service: Service, run_id: str) -> FoundRun:
    """Finds a run that stoker has submitted, by the id of any of its attempts.

    Raises:
        InputError: There is none, or something else has submitted it.
        BackendError: The workspace can't be asked.
    """
    workspace = service.scope.workspace
    run = service.get(_HISTORY, f"/runs/{quote(run_id, safe='')}")
    if run is None:
        hint = "its page in the studio has the id"
        raise InputError(f"the workspace {workspace} has no run {run_id!r}", hint=hint)
    experiment = service.get(_HISTORY, f"/experimentids/{quote(str(run['experimentId']), safe='')}") or {}
    name = str(experiment.get("name"))
    found = service.get(_HISTORY, f"/experiments/{quote(name, safe='')}/runs/{quote(run_id, safe='')}/details") or {}
    first, job = _submitted(found.get("runDefinition") or {}, run_id)
    return FoundRun(run_id=first, handle=Reference(scope=service.scope, experiment=name, run_id=first).handle, job=job)


def _submitted(definition: dict[str, Any], run_id: str) -> tuple[str, TrainJob]:
    """The id of the first attempt, and the job."""
    words = list(definition.get("arguments") or ())
    try:
        first = str(words[words.index(RUN_ID) + 1])
        return first, TrainJob.from_json(json.loads(definition["environmentVariables"][JOB]))
    except (StokerError, ValueError, LookupError, TypeError) as error:
        raise InputError(
            f"the run {run_id} was not submitted by stoker, or by another version of it",
            hint="look at it in the studio: https://ml.azure.com",
        ) from error

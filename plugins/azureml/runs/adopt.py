"""Finds a run that another machine has submitted, by its id alone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ....engine import strict_json
from ....engine.backend import FoundRun
from ....engine.errors import InputError, StokerError
from ....engine.job import TrainJob
from ..reference import JOB, RUN_ID, Reference
from ..rest import paths
from ..rest.answer import part
from ..rest.client import Service


def adopt(service: Service, run_id: str) -> FoundRun:
    """Finds a run that stoker has submitted.

    Args:
        service: The workspace.
        run_id: The id of any of its attempts.

    Raises:
        InputError: There is no such run, or stoker didn't submit it.
        BackendError: The workspace can't be asked.
    """
    workspace = service.scope.workspace
    run = service.get(paths.run(run_id))
    if run is None:
        hint = "the run's page in the studio shows its id"
        raise InputError(f"the workspace {workspace} has no run {run_id!r}", hint=hint)
    experiment: Mapping[str, Any] = service.get(paths.experiment(str(run["experimentId"]))) or {}
    name = str(experiment.get("name"))
    found: Mapping[str, Any] = service.get(paths.run_details(name, run_id)) or {}
    first, job = _submitted(part(found, "runDefinition"), run_id)
    return FoundRun(run_id=first, handle=Reference(scope=service.scope, experiment=name, run_id=first).handle, job=job)


def _submitted(definition: Mapping[str, Any], run_id: str) -> tuple[str, TrainJob]:
    """Reads the id of the first attempt, and the job, from what was submitted."""
    try:
        words = list(definition["arguments"])
        first = str(words[words.index(RUN_ID) + 1])
        job = TrainJob.from_json(strict_json.loads(definition["environmentVariables"][JOB]))
    except (StokerError, ValueError, LookupError, TypeError, RecursionError) as error:
        raise InputError(
            f"the run {run_id} was not submitted by stoker, or by another version of it",
            hint="look at it in the studio: https://ml.azure.com",
        ) from error
    if not re.fullmatch(rf"{re.escape(first)}(-\d+)?", run_id):
        hint = "its options differ from those of that run; look at it in the studio: https://ml.azure.com"
        raise InputError(f"the run {run_id} was started with what stoker submitted as {first}", hint=hint)
    return first, job

"""Execution: submits and cancels runs."""

from __future__ import annotations

from ..network.message import Refusal, Request, Response, reply
from ..network.routes import Routes
from ..service import Service
from ..state.records import snapshot_files

routes = Routes(r"(?:[\w-]+\.workspace\.)?[\w-]+\.api\.azureml\.ms", "/execution/v1.0{ws}")


@routes("POST", "/experiments/{experiment}/snapshotrun")
def submit(service: Service, request: Request) -> Response:
    """Starts a run under the id that the client chose.

    Raises:
        Refusal: The cluster, the snapshot or its script does not exist; or the id is taken.
    """
    asked = request.json
    configuration, snapshot = asked["Configuration"], asked["SnapshotId"]
    target = str(configuration["target"])
    service.clusters.record(target)
    files = snapshot_files(service.store, snapshot)
    script = configuration.get("script")
    if script and script not in files:
        raise Refusal(400, "ScriptNotFound", f"the snapshot has no file '{script}'")
    run = service.runs.create(
        request.query.get("runId", ""),
        request.parts["experiment"],
        target=target,
        runDefinition=configuration,
        snapshotId=snapshot,
        submitted=True,
        parentRunId=asked.get("ParentRunId"),
        properties={"ContentSnapshotId": snapshot},
    )
    service.jobs.start(run["runId"])
    return reply({"runId": run["runId"]})


@routes("POST", "/runs/{run}/cancel")
def cancel(service: Service, request: Request) -> Response:
    """Cancels a run.

    Raises:
        Refusal: There is no such run.
    """
    service.runs.get(request.parts["run"])
    service.jobs.cancel(request.parts["run"])
    return reply({})

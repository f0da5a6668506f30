"""History: one run with its tags, properties and details, and the events that end it."""

from __future__ import annotations

from ..network.message import Request, Response, now, reply
from ..network.routes import Routes
from ..service import Service
from ..state.runs import AzureRunState, artifact, files_of
from ..state.settings import ARTIFACTS
from ..state.store import Record

routes = Routes(r"[\w-]+\.api\.azureml\.ms", "/history/v1.0{ws}")
_BY_NAME = "/experiments/{experiment}/runs/{run}"
_BY_ID = "/experimentids/{experiment_id}/runs/{run}"
_DETAILS = ("runId", "target", "status", "startTimeUtc", "endTimeUtc", "error", "warnings", "tags", "properties")
_EVENTS = {
    "Microsoft.MachineLearning.Run.Start": AzureRunState.RUNNING,
    "Microsoft.MachineLearning.Run.Completed": AzureRunState.COMPLETED,
    "Microsoft.MachineLearning.Run.Failed": AzureRunState.FAILED,
    "Microsoft.MachineLearning.Run.Canceled": AzureRunState.CANCELED,
}


@routes("GET", "/runs/{run}")
@routes("GET", _BY_NAME)
@routes("GET", _BY_ID)
def get(service: Service, request: Request) -> Response:
    """Describes a run.

    Raises:
        Refusal: There is no such run.
    """
    return reply(service.runs.dto(service.runs.get(request.parts["run"])))


@routes("PATCH", _BY_NAME)
@routes("PATCH", _BY_ID)
def patch(service: Service, request: Request) -> Response:
    """Adds tags and properties; makes the run if it does not exist, as an interactive one. Ignores the state."""
    asked, run_id = request.json, request.parts["run"]
    with service.store.lock:
        if service.runs.find(run_id) is None:
            service.runs.create(run_id, _experiment(service, request), runType=asked.get("runType") or "sdk")
        run = service.runs.annotate(run_id, tags=asked.get("tags"), properties=asked.get("properties"))
    return reply(service.runs.dto(run))


@routes("DELETE", _BY_NAME + "/tags")
def remove_tags(service: Service, request: Request) -> Response:
    """Removes tags.

    Raises:
        Refusal: There is no such run.
    """
    service.runs.get(request.parts["run"])
    return reply(service.runs.dto(service.runs.remove_tags(request.parts["run"], request.json)))


@routes("GET", _BY_NAME + "/details")
def details(service: Service, request: Request) -> Response:
    """Describes a run in full, with the addresses of its logs.

    Raises:
        Refusal: There is no such run.
    """
    run = service.runs.get(request.parts["run"])
    dto = service.runs.dto(run)
    names = [
        name for folder in ("azureml-logs/", "user_logs/") for name in files_of(service.storage, run["runId"], folder)
    ]
    return reply(
        {
            **{key: dto[key] for key in _DETAILS},
            "runDefinition": run.get("runDefinition"),
            "logFiles": {name: service.storage.url(ARTIFACTS, artifact(run["runId"], name)) for name in names},
            "inputDatasets": [],
            "outputDatasets": [],
        }
    )


@routes("POST", _BY_NAME + "/events")
def post_event(service: Service, request: Request) -> Response:
    """Records an event that a client reports; of a submitted run, it may only cancel it.

    Raises:
        Refusal: There is no such run.
    """
    run_id, event = request.parts["run"], request.json
    run = service.runs.get(run_id)
    state = _EVENTS.get(event.get("name", ""))
    if run.get("submitted"):
        if state is AzureRunState.CANCELED:
            service.jobs.cancel(run_id)
    elif state:
        service.runs.advance(run_id, state)
    return reply({})


@routes("GET", _BY_NAME + "/metricsingest/wait")
@routes("GET", _BY_ID + "/metricsingest/wait")
def wait_for_metrics(service: Service, request: Request) -> Response:
    """Answers at once, because metrics are stored as soon as they are sent.

    Raises:
        Refusal: There is no such run.
    """
    service.runs.get(request.parts["run"])
    return reply({})


@routes("GET", _BY_NAME + "/token")
@routes("GET", _BY_ID + "/token")
def token(service: Service, request: Request) -> Response:
    """Issues a new token to a job that runs for longer than a token lasts."""
    return reply({"token": service.tokens.issue(run=request.parts["run"]), "expiryTimeUtc": now()})


def _experiment(service: Service, request: Request) -> str:
    if name := request.parts.get("experiment"):
        return name
    found: Record = service.runs.experiment_by_id(request.parts["experiment_id"])
    return str(found["name"])

"""Metrics: what runs log, in the order of arrival."""

from __future__ import annotations

from ..network.message import Request, Response, not_found, reply
from ..network.routes import Routes
from ..service import Service
from ..state.store import Record

routes = Routes(r"[\w-]+\.api\.azureml\.ms", "/metric/v2.0{ws}/runs/{run}")
_KIND = "metrics"


@routes("POST", "/batch")
def post(service: Service, request: Request) -> Response:
    """Appends values to the metrics of a run.

    Raises:
        Refusal: There is no such run.
    """
    run_id = request.parts["run"]
    service.runs.get(run_id)
    with service.store.lock:
        metrics = _metrics(service, run_id)
        for sent in request.json["values"]:
            metric = metrics.setdefault(
                sent["name"], {"name": sent["name"], "columns": {}, "value": [], "properties": sent.get("properties")}
            )
            metric["columns"].update(sent["columns"])
            metric["value"] += sent["value"]
        service.store.put(_KIND, run_id, metrics)
    return reply({"errors": []})


@routes("POST", "/list")
def list_names(service: Service, request: Request) -> Response:
    """Lists the metrics of a run, without their values."""
    metrics = _metrics(service, request.parts["run"])
    value = [
        {
            "dataLocation": None,
            "metricKey": {"name": name},
            "columns": metric["columns"],
            "properties": metric["properties"],
        }
        for name, metric in metrics.items()
    ]
    return reply({"value": value, "continuationToken": None})


@routes("POST", "/full")
def full(service: Service, request: Request) -> Response:
    """Returns every value of one metric.

    Raises:
        Refusal: The run has no such metric.
    """
    name = request.json["metricName"]
    metrics = _metrics(service, request.parts["run"])
    if name not in metrics:
        raise not_found(f"the metric '{name}'")
    return reply({**metrics[name], "continuationToken": None})


def _metrics(service: Service, run_id: str) -> Record:
    return service.store.get(_KIND, run_id) or {}

"""Clusters: changed through Azure Resource Manager, read there and at the address of the workspace."""

from __future__ import annotations

from ..network.message import Refusal, Request, Response, reply
from ..network.routes import Routes
from ..service import Service
from ..state.nodes import seconds
from ..state.settings import ARM
from ..state.store import Record

management_routes = Routes(ARM, "{ws}")
routes = Routes(r"[\w-]+\.api\.azureml\.ms", "/rp/workspaces{ws}")
_ADDRESS = "Azure_AsyncOperation"


@management_routes("PUT", "/computes/{name}")
def create(service: Service, request: Request) -> Response:
    """Makes a cluster; the header has the address at which to ask how that is going.

    Raises:
        Refusal: It is no AmlCompute, its scale is wrong, or its size is not offered.
    """
    asked = request.json
    properties = asked.get("properties", {})
    if properties.get("computeType") != "AmlCompute":
        raise Refusal(400, "UnsupportedComputeType", f"the emulator has no {properties.get('computeType')}")
    _check_scale(properties["properties"]["scaleSettings"])
    name = request.parts["name"]
    service.clusters.create(name, asked)
    return _begun(service, name, 201)


@management_routes("PATCH", "/computes/{name}")
def update(service: Service, request: Request) -> Response:
    """Changes the scale of a cluster.

    Raises:
        Refusal: The scale is wrong, or there is no such cluster.
    """
    scale = request.json["properties"]["properties"]["scaleSettings"]
    _check_scale(scale)
    service.clusters.rescale(request.parts["name"], scale)
    return _begun(service, request.parts["name"], 200)


@management_routes("DELETE", "/computes/{name}")
def delete(service: Service, request: Request) -> Response:
    """Removes a cluster.

    Raises:
        Refusal: There is no such cluster, or runs are active on it.
    """
    service.clusters.record(request.parts["name"])
    service.clusters.delete(request.parts["name"])
    return reply({}, status=202, **{_ADDRESS: _operation(service, "-")})


@management_routes("GET", "/computeOperations/{name}")
def operation(service: Service, request: Request) -> Response:
    """Says how making a cluster is going; `-` stands for an operation that is done."""
    name = request.parts["name"]
    state = "Succeeded" if name == "-" else service.clusters.state(name)
    if state == "Failed":
        return reply({"status": state, "error": service.clusters.record(name)["failure"]["error"]})
    return reply({"status": "InProgress" if state == "Creating" else state})


@management_routes("GET", "/computes/{name}")
@routes("GET", "/computes/{name}")
def get(service: Service, request: Request) -> Response:
    """Describes one cluster with its nodes."""
    return reply(_dto(service, request.parts["name"]))


@management_routes("GET", "/computes")
@routes("GET", "/computes")
def list_all(service: Service, request: Request) -> Response:
    """Describes all clusters."""
    return reply({"value": [_dto(service, name) for name in service.clusters.names()]})


@management_routes("POST", "/computes/{name}/listNodes")
def list_nodes(service: Service, request: Request) -> Response:
    """Lists the nodes of a cluster."""
    counts = service.clusters.nodes(request.parts["name"]).counts()
    states = [name.removesuffix("NodeCount") for name, count in counts.items() for _ in range(count)]
    return reply({"nodes": [{"nodeId": f"node-{number}", "nodeState": state} for number, state in enumerate(states)]})


def _begun(service: Service, name: str, status: int) -> Response:
    return reply(_dto(service, name), status=status, **{_ADDRESS: _operation(service, name)})


def _operation(service: Service, name: str) -> str:
    return f"https://{ARM}{service.settings.scope}/computeOperations/{name}?api-version=2020-02-02"


def _check_scale(scale: Record) -> None:
    try:
        least, most = int(scale["minNodeCount"]), int(scale["maxNodeCount"])
        seconds(scale["nodeIdleTimeBeforeScaleDown"])
    except (KeyError, TypeError, ValueError) as error:
        raise Refusal(400, "InvalidScaleSettings", f"the scale settings can't be read: {error!r}") from error
    if not 0 <= least <= most:
        raise Refusal(400, "InvalidScaleSettings", f"minNodeCount {least} and maxNodeCount {most} do not fit")


def _dto(service: Service, name: str) -> Record:
    record, nodes = service.clusters.record(name), service.clusters.nodes(name)
    asked = record["properties"]
    error = service.clusters.quota_error(name)
    current, target = nodes.current, nodes.target
    return {
        "id": f"{service.settings.scope}/computes/{name}",
        "name": name,
        "type": "Microsoft.MachineLearningServices/workspaces/computes",
        "location": service.settings.location,
        "tags": record.get("tags") or {},
        **({"identity": record["identity"]} if record.get("identity") else {}),
        "properties": {
            "computeType": "AmlCompute",
            "computeLocation": service.settings.location,
            "description": asked.get("description"),
            "resourceId": None,
            "isAttachedCompute": False,
            "createdOn": record["createdOn"],
            "modifiedOn": record["modifiedOn"],
            "provisioningState": service.clusters.state(name),
            "provisioningErrors": [record["failure"]] if record["failure"] else None,
            "properties": {
                "subnet": None,
                "vmPriority": "Dedicated",
                **asked["properties"],
                "allocationState": "Steady" if current == target else "Resizing",
                "allocationStateTransitionTime": record["modifiedOn"],
                "currentNodeCount": current,
                "targetNodeCount": target,
                "nodeStateCounts": nodes.counts(),
                "errors": [error] if error else None,
            },
        },
    }

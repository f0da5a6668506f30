"""Environments: definitions by name; each change makes a version."""

from __future__ import annotations

from ..network.message import Request, Response, not_found, reply
from ..network.routes import Routes
from ..service import Service
from ..state.store import Record, Store

routes = Routes(r"[\w-]+\.api\.azureml\.ms", "/environment/v1.0{ws}")
_KIND = "environments"


@routes("PUT", "/environments/{name}")
def register(service: Service, request: Request) -> Response:
    """Registers a definition; registering the same one twice makes one version."""
    name = request.parts["name"]
    definition = {**request.json, "name": name}
    definition.pop("version", None)
    with service.store.lock:
        versions = _versions(service.store, name)
        for known in versions:
            if {**known, "version": None} == {**definition, "version": None}:
                return reply(known)
        made = {**definition, "version": str(len(versions) + 1)}
        return reply(service.store.put(_KIND, f"{name}:{made['version']}", made))


@routes("GET", "/environments/{name}")
@routes("GET", "/environments/{name}/versions/{version}")
def get(service: Service, request: Request) -> Response:
    """Returns one version of an environment, or the newest.

    Raises:
        Refusal: There is no such environment.
    """
    name, version = request.parts["name"], request.parts.get("version")
    versions = [one for one in _versions(service.store, name) if version in {None, one["version"]}]
    if not versions:
        raise not_found(f"the environment '{name}'")
    return reply(versions[-1])


@routes("GET", "/environments")
def list_all(service: Service, request: Request) -> Response:
    """Lists the newest version of each environment."""
    newest = {one["name"]: one for one in service.store.all(_KIND)}
    return reply({"value": list(newest.values()), "continuationToken": None})


def _versions(store: Store, name: str) -> list[Record]:
    return sorted(store.all(_KIND, lambda one: one["name"] == name), key=lambda one: int(one["version"]))

"""Models: the assets that point at files, and the versions registered from them."""

from __future__ import annotations

import uuid

from ..network.message import Request, Response, not_found, now, reply
from ..network.routes import Routes
from ..service import Service
from ..state.store import Record
from .pages import page

routes = Routes(r"[\w-]+\.api\.azureml\.ms", "/modelmanagement/v1.0{ws}")
_ASSETS = "assets"
_KIND = "models"


@routes("POST", "/assets")
def create_asset(service: Service, request: Request) -> Response:
    """Records where the files of a model are."""
    made = {**request.json, "id": uuid.uuid4().hex, "createdTime": now()}
    return reply(service.store.put(_ASSETS, made["id"], made))


@routes("GET", "/assets/{id}")
def asset(service: Service, request: Request) -> Response:
    """Says where the files of a model are.

    Raises:
        Refusal: There is no such asset.
    """
    return reply(_get(service, _ASSETS, request.parts["id"]))


@routes("POST", "/models")
def register(service: Service, request: Request) -> Response:
    """Registers a model as the next version of its name."""
    asked = request.json
    with service.store.lock:
        versions = [one["version"] for one in service.store.all(_KIND, lambda one: one["name"] == asked["name"])]
        version = max(versions, default=0) + 1
        made: Record = {
            **asked,
            "id": f"{asked['name']}:{version}",
            "version": version,
            "createdTime": now(),
            "modifiedTime": now(),
            "kvTags": asked.get("kvTags") or {},
            "properties": asked.get("properties") or {},
            # The SDK raises a TypeError if this is null.
            "datasets": asked.get("datasets") or [],
        }
        return reply(service.store.put(_KIND, made["id"], made))


@routes("GET", "/models")
def query(service: Service, request: Request) -> Response:
    """Lists the models that fit a query, newest first; oldest first where the workspace is odd."""
    found = service.store.all(_KIND, lambda one: _fits(one, request))
    found.sort(key=lambda one: (one["createdTime"], one["version"]))
    if request.query.get("latestVersionOnly", "").lower() == "true":
        found = list({one["name"]: one for one in found}.values())
    if not service.settings.odd:
        found.reverse()
    return page(service, request, found[: int(request.query.get("count") or len(found))], "$skipToken")


@routes("GET", "/models/{id}")
def get(service: Service, request: Request) -> Response:
    """Describes one version of a model.

    Raises:
        Refusal: There is no such version.
    """
    return reply(_get(service, _KIND, request.parts["id"]))


@routes("PATCH", "/models/{id}")
def patch(service: Service, request: Request) -> Response:
    """Changes the tags, properties and description of a model by a JSON patch.

    Raises:
        Refusal: There is no such version.
    """
    _get(service, _KIND, request.parts["id"])
    with service.store.change(_KIND, request.parts["id"]) as model:
        for step in request.json:
            _apply(model, step)
        model["modifiedTime"] = now()
        return reply(dict(model))


@routes("DELETE", "/models/{id}")
def delete(service: Service, request: Request) -> Response:
    """Removes one version of a model.

    Raises:
        Refusal: There is no such version.
    """
    _get(service, _KIND, request.parts["id"])
    service.store.delete(_KIND, request.parts["id"])
    return reply({})


def _get(service: Service, kind: str, key: str) -> Record:
    found = service.store.get(kind, key)
    if found is None:
        raise not_found(f"'{key}' among the {kind}")
    return found


def _fits(model: Record, request: Request) -> bool:
    query = request.query
    tags = [tag for tag in query.get("tags", "").split(",") if tag]
    return (
        query.get("name") in {None, "", model["name"]}
        and query.get("runId") in {None, "", model.get("runId")}
        and all(_has_tag(model["kvTags"], tag) for tag in tags)
    )


def _has_tag(tags: Record, wanted: str) -> bool:
    name, equals, value = wanted.partition("=")
    return name in tags and (not equals or str(tags[name]) == value)


def _apply(model: Record, step: Record) -> None:
    *folders, last = step["path"].strip("/").split("/")
    parent = model
    for folder in folders:
        parent = parent[folder]
    if step["op"] == "remove":
        parent.pop(last, None)
    else:
        parent[last] = step["value"]

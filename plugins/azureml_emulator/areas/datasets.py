"""Data sets: named ones with versions, and the saved definitions that runs refer to."""

from __future__ import annotations

import json
import uuid
from typing import Any

from ..network.message import Refusal, Request, Response, not_found, now, reply
from ..network.routes import Routes
from ..service import Service
from ..state.records import DATA_ASSETS, SAVED_DATASETS
from ..state.store import Record

routes = Routes(r"[\w-]+\.api\.azureml\.ms")
_NAMED = "datasets"
_UNREGISTERED = "unregistered-"


@routes("POST", "/dataset/v1.0{ws}/datasets")
def register(service: Service, request: Request) -> Response:
    """Registers a definition under a name; a name in use takes a new version only with `updateDefinitionIfExists`.

    Raises:
        Refusal: The name is in use for another definition.
    """
    asked = request.json
    with service.store.lock:
        known = service.store.get(_NAMED, asked["name"])
        if known is None:
            known = {"datasetId": str(uuid.uuid4()), "name": asked["name"], "createdTime": now(), "versions": []}
        elif _same(known["versions"][-1]["dataflow"], asked["latest"]["dataflow"]):
            return reply(_dto(known))
        elif request.query.get("updateDefinitionIfExists", "").lower() != "true":
            raise Refusal(409, "DatasetNameInUse", f"there is already a dataset registered under '{asked['name']}'")
        return reply(_dto(_add_version(service, known, asked)))


@routes("GET", "/dataset/v1.0{ws}/datasets/query/name={name}")
def by_name(service: Service, request: Request) -> Response:
    """Describes a named data set, in one version or the newest.

    Raises:
        Refusal: There is no such data set or version.
    """
    known = service.store.get(_NAMED, request.parts["name"])
    version = request.query.get("versionId") or None
    if known is None or (version and not any(one["versionId"] == version for one in known["versions"])):
        raise not_found(f"the dataset '{request.parts['name']}'")
    return reply(_dto(known, version))


@routes("GET", "/dataset/v1.0{ws}/datasets/{id}")
def by_id(service: Service, request: Request) -> Response:
    """Describes a named data set by its id.

    Raises:
        Refusal: There is no such data set.
    """
    for known in service.store.all(_NAMED, lambda one: one["datasetId"] == request.parts["id"]):
        return reply(_dto(known))
    raise not_found(f"the dataset with the id '{request.parts['id']}'")


@routes("GET", "/dataset/v1.0{ws}/datasets")
def list_all(service: Service, request: Request) -> Response:
    """Describes all named data sets, each in its newest version."""
    return reply({"value": [_dto(one) for one in service.store.all(_NAMED)], "continuationToken": None})


@routes("POST", "/dataset/v1.0{ws}/saveddatasets")
def save(service: Service, request: Request) -> Response:
    """Saves a definition without a name."""
    asked = request.json
    made = {
        "id": str(uuid.uuid4()),
        "datasetType": asked.get("datasetType"),
        "dataflowJson": asked["dataflowJson"],
        "properties": asked.get("properties") or {},
    }
    return reply(service.store.put(SAVED_DATASETS, made["id"], made))


@routes("GET", "/dataset/v1.0{ws}/saveddatasets/{id}")
def saved(service: Service, request: Request) -> Response:
    """Returns a saved definition by its id.

    Raises:
        Refusal: There is no such definition.
    """
    return reply(_saved(service, request.parts["id"]))


@routes("GET", "/data/v1.0{ws}/dataversion/{name}/versions/{version}")
def data_version(service: Service, request: Request) -> Response:
    """Returns a saved definition in the form that the data runtime reads.

    Raises:
        Refusal: There is no such definition, or no such data asset of the second SDK.
    """
    name = request.parts["name"]
    if not name.startswith(_UNREGISTERED):
        asset = service.store.get(DATA_ASSETS, f"{name}:{request.parts['version']}")
        if asset is None:
            raise not_found(f"the data asset '{name}'")
        return reply({"dataVersion": asset})
    found = _saved(service, name.removeprefix(_UNREGISTERED))
    return reply({"legacyDataflow": found["dataflowJson"], "dataVersion": {"dataType": "UriFolder"}})


def _saved(service: Service, identifier: str) -> Record:
    found = service.store.get(SAVED_DATASETS, identifier)
    if found is None:
        raise not_found(f"the saved dataset '{identifier}'")
    return found


def _add_version(service: Service, known: Record, asked: Record) -> Record:
    latest = asked["latest"]
    saved_id = latest.get("savedDatasetId") or str(uuid.uuid4())
    properties = latest.get("properties") or {}
    kept = {"id": saved_id, "datasetType": asked.get("datasetType"), "dataflowJson": latest["dataflow"]}
    service.store.put(SAVED_DATASETS, saved_id, {**kept, "properties": properties})
    known["versions"].append(
        {
            "versionId": str(len(known["versions"]) + 1),
            "savedDatasetId": saved_id,
            "dataflow": latest["dataflow"],
            "properties": properties,
            "createdTime": now(),
            "description": asked.get("description"),
            "tags": asked.get("tags") or {},
        }
    )
    known["datasetType"] = asked.get("datasetType")
    return service.store.put(_NAMED, known["name"], known)


def _dto(known: Record, version: str | None = None) -> Record:
    chosen = next(one for one in reversed(known["versions"]) if version in {None, one["versionId"]})
    fields = {key: known[key] for key in ("datasetId", "name", "datasetType", "createdTime")}
    described = {"description": chosen["description"], "tags": chosen["tags"]}
    return {**fields, **described, "isVisible": True, "latest": {**chosen, "datasetId": known["datasetId"]}}


def _same(one: str, other: str) -> bool:
    return one == other or _parsed(one) == _parsed(other)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text.split()

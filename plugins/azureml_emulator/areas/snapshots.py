"""Snapshots: the files that a client submits; it sends only those that the parent snapshot lacks."""

from __future__ import annotations

import uuid

from ..network.message import Refusal, Request, Response, reply
from ..network.routes import Routes
from ..service import Service
from ..state.records import SNAPSHOT_FILES, snapshot_files
from ..state.settings import SNAPSHOTS
from ..state.storage import size_of
from ..state.store import Record

routes = Routes(r"[\w-]+\.api\.azureml\.ms", "/content/v{version}{ws}/snapshots")


@routes("GET", "/latest/metadata")
def latest(service: Service, request: Request) -> Response:
    """Says that there is no latest snapshot, so that a client which has lost its own sends everything."""
    return reply({"id": "00000000-0000-0000-0000-000000000000", "root": {}})


@routes("POST", "/getblob")
def addresses(service: Service, request: Request) -> Response:
    """Gives the addresses to send the files to."""
    group = uuid.uuid4().hex
    names = request.json["FileNames"]
    return reply(
        {
            "fileNodes": [
                {"fullName": name, "blobUri": service.storage.url(SNAPSHOTS, f"{group}/{number}")}
                for number, name in enumerate(names)
            ]
        }
    )


@routes("POST", "/{id}")
def create(service: Service, request: Request) -> Response:
    """Makes a snapshot of the files of a tree: those that were sent, and the rest from the parent.

    Raises:
        Refusal: A file was not sent, or the snapshot is too large.
    """
    asked = request.json
    known = _parent_files(service, asked.get("ParentSnapshotId"))
    known |= {node["FullName"]: _blob_name(node["BlobUri"]) for node in asked["FileRevisionList"]["FileNodes"]}
    names = _files(asked["DirTreeNode"])
    if missing := [name for name in names if name not in known]:
        raise Refusal(400, "MissingFiles", f"the content of {missing[0]!r} was not sent")
    files = {name: known[name] for name in names}
    _check_limits(service, files)
    service.store.put(SNAPSHOT_FILES, request.parts["id"], {"id": request.parts["id"], "files": files})
    return reply({"id": request.parts["id"]})


@routes("GET", "/{id}/metadata")
def get(service: Service, request: Request) -> Response:
    """Lists the files of a snapshot.

    Raises:
        Refusal: There is no such snapshot.
    """
    return reply({"id": request.parts["id"], "files": sorted(snapshot_files(service.store, request.parts["id"]))})


def _parent_files(service: Service, parent: str | None) -> dict[str, str]:
    if not parent or not service.store.get(SNAPSHOT_FILES, parent):
        return {}
    return snapshot_files(service.store, parent)


def _blob_name(address: str) -> str:
    return address.partition("?")[0].partition(f"/{SNAPSHOTS}/")[2]


def _files(node: Record, folder: str = "") -> list[str]:
    names = []
    for name, child in node["children"].items():
        path = f"{folder}{name}"
        names += [path] if child["type"] == "File" else _files(child, f"{path}/")
    return names


def _check_limits(service: Service, files: dict[str, str]) -> None:
    settings = service.settings
    if len(files) > settings.snapshot_files:
        message = f"the snapshot has {len(files)} files; it may have {settings.snapshot_files}"
        raise Refusal(400, "SnapshotFileCountExceeded", message)
    size = 0
    for name, blob in files.items():
        record = service.storage.get(SNAPSHOTS, blob)
        if record is None:
            raise Refusal(400, "MissingFiles", f"the content of {name!r} was not sent")
        size += size_of(record)
    if size > settings.snapshot_bytes:
        message = f"the snapshot has {size} bytes; it may have {settings.snapshot_bytes}"
        raise Refusal(400, "SnapshotSizeExceeded", message)

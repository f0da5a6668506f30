"""Artifacts: the files of runs, and where to read and write them."""

from __future__ import annotations

from collections.abc import Callable

from ..network.message import Refusal, Request, Response, not_found, reply
from ..network.routes import Routes
from ..service import Service
from ..state.settings import ARTIFACTS
from ..state.store import Record

routes = Routes(r"[\w-]+\.api\.azureml\.ms", "/artifact/v2.0{ws}/artifacts")


@routes("POST", "/batch/metadata/{origin}/{container}")
def create(service: Service, request: Request) -> Response:
    """Where to put new files; one that is there is not replaced."""
    origin, container = request.parts["origin"], request.parts["container"]
    paths = [one["path"] for one in request.json["paths"]]
    taken = [path for path in paths if service.storage.get(ARTIFACTS, f"{origin}/{container}/{path}")]
    if taken:
        raise Refusal(409, "ArtifactAlreadyExists", f"the artifact '{taken[0]}' already exists")
    return reply(
        {
            "artifacts": {path: _artifact(origin, container, path) for path in paths},
            "artifactContentInformation": {path: _content(service, origin, container, path) for path in paths},
            "errors": {},
        }
    )


@routes("GET", "/prefix/contentinfo/{origin}/{container}/{path:path}")
def by_prefix(service: Service, request: Request) -> Response:
    """Where to read all files below a folder, or the one file of that path."""
    return _listing(service, request, _content)


@routes("GET", "/contentinfo/{origin}/{container}/{path:path}")
def content(service: Service, request: Request) -> Response:
    """Where to read one file."""
    origin, container, path = (request.parts[part] for part in ("origin", "container", "path"))
    if service.storage.get(ARTIFACTS, f"{origin}/{container}/{path}") is None:
        raise not_found(f"the artifact '{path}'")
    return reply(_content(service, origin, container, path))


@routes("GET", "/{origin}/{container}")
@routes("GET", "/{origin}/{container}/{path:path}")
def all_of_them(service: Service, request: Request) -> Response:
    """The names of all files."""
    return _listing(service, request, lambda _, *parts: _artifact(*parts))


def _listing(service: Service, request: Request, tell: Callable[[Service, str, str, str], Record]) -> Response:
    origin, container = request.parts["origin"], request.parts["container"]
    path = request.parts.get("path", "").strip("/")
    start = len(f"{origin}/{container}/")
    names = [name[start:] for name in service.storage.names(ARTIFACTS, f"{origin}/{container}/{path}")]
    inside = [name for name in names if not path or name == path or name.startswith(f"{path}/")]
    return reply({"value": [tell(service, origin, container, name) for name in inside], "continuationToken": None})


def _artifact(origin: str, container: str, path: str) -> Record:
    identifier = f"{origin}/{container}/{path}"
    return {"artifactId": identifier, "origin": origin, "container": container, "path": path}


def _content(service: Service, origin: str, container: str, path: str) -> Record:
    address = service.storage.url(ARTIFACTS, f"{origin}/{container}/{path}")
    return {"contentUri": address, "origin": origin, "container": container, "path": path}

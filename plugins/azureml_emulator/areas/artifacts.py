"""Artifacts: the files of runs, and the addresses to read and write them."""

from __future__ import annotations

from collections.abc import Callable

from ..network.message import Refusal, Request, Response, not_found, reply
from ..network.routes import Routes
from ..service import Service
from ..state.settings import ARTIFACTS
from ..state.store import Record
from .pages import page

routes = Routes(r"[\w-]+\.api\.azureml\.ms", "/artifact/v2.0{ws}/artifacts")


@routes("POST", "/batch/metadata/{origin}/{container}")
def create(service: Service, request: Request) -> Response:
    """Gives the addresses for new files; refuses to replace one that exists.

    Raises:
        Refusal: One of the files exists.
    """
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
def list_contents(service: Service, request: Request) -> Response:
    """Gives the addresses of all files below a folder, or of the one file at that path."""
    return _listing(service, request, _content)


@routes("GET", "/contentinfo/{origin}/{container}/{path:path}")
def content(service: Service, request: Request) -> Response:
    """Gives the address of one file.

    Raises:
        Refusal: There is no such file.
    """
    origin, container, path = (request.parts[part] for part in ("origin", "container", "path"))
    if service.storage.get(ARTIFACTS, f"{origin}/{container}/{path}") is None:
        raise not_found(f"the artifact '{path}'")
    return reply(_content(service, origin, container, path))


@routes("GET", "/{origin}/{container}")
@routes("GET", "/{origin}/{container}/{path:path}")
def list_all(service: Service, request: Request) -> Response:
    """Lists the names of all files, or of those below a folder."""
    return _listing(service, request, lambda _, *parts: _artifact(*parts))


def _listing(service: Service, request: Request, describe: Callable[[Service, str, str, str], Record]) -> Response:
    origin, container = request.parts["origin"], request.parts["container"]
    path = request.parts.get("path", "").strip("/")
    start = len(f"{origin}/{container}/")
    names = [name[start:] for name in service.storage.names(ARTIFACTS, f"{origin}/{container}/{path}")]
    inside = [name for name in names if not path or name == path or name.startswith(f"{path}/")]
    return page(service, request, [describe(service, origin, container, name) for name in inside])


def _artifact(origin: str, container: str, path: str) -> Record:
    identifier = f"{origin}/{container}/{path}"
    return {"artifactId": identifier, "origin": origin, "container": container, "path": path}


def _content(service: Service, origin: str, container: str, path: str) -> Record:
    address = service.storage.url(ARTIFACTS, f"{origin}/{container}/{path}")
    return {"contentUri": address, "origin": origin, "container": container, "path": path}

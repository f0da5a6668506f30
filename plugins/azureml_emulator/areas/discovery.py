"""Discovery: the address of each service."""

from __future__ import annotations

from ..network.message import Request, Response, reply
from ..network.routes import Routes
from ..service import Service
from ..state.settings import STUDIO

routes = Routes(r"[\w-]+\.api\.azureml\.ms", "/discovery", open=True)
_SERVICES = ("api", "experimentation", "history", "hyperdrive", "modelmanagement", "pipelines")


@routes("GET", "")
@routes("GET", "/workspaces/{id}")
def answer(service: Service, request: Request) -> Response:
    """Lists the addresses; all services are at one host."""
    addresses = dict.fromkeys(_SERVICES, f"https://{service.settings.api}")
    return reply({**addresses, "studio": f"https://{STUDIO}"})

"""What all service areas share, and the way from a request to the area that answers it."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path

from .jobs.jobs import Jobs
from .network.message import Refusal, Request, Response, not_found
from .network.routes import Route
from .state.clusters import Clusters
from .state.runs import Runs
from .state.settings import Settings
from .state.storage import Storage
from .state.store import Store
from .state.tokens import Tokens


class Service:
    """The emulated services, without the network.

    Args:
        folder: Where everything is kept.
        settings: What the subscription looks like.
        environment: What the process of a job needs to find the emulator.

    Attributes:
        settings: What the subscription looks like.
        workspace_id: The workspace's id.
        store: Everything that is remembered.
        tokens: Who may ask.
        storage: The blobs.
        runs: The experiments and their runs.
        clusters: The clusters and their nodes.
        jobs: The runs that are under way.
    """

    def __init__(self, folder: Path, settings: Settings, environment: Mapping[str, str]) -> None:
        self.settings = settings
        self.store = Store(folder / "records")
        key = self._key()
        # Its own for each folder, so that what clients cache by it is not mixed up.
        self.workspace_id = str(uuid.uuid5(uuid.NAMESPACE_URL, settings.scope + key))
        self.tokens = Tokens(key, settings.tenant_id)
        self.storage = Storage(folder / "blobs", self.store, self.tokens, settings.blob)
        self.runs = Runs(self.store, settings)
        self.clusters = Clusters(self.store, settings)
        self.jobs = Jobs(self, folder / "jobs", environment)
        self._routes = tuple(_all_routes())
        self.jobs.bury()

    def _key(self) -> str:
        kept = self.store.get("keys", "tokens") or self.store.put("keys", "tokens", {"key": Tokens.new_key()})
        return str(kept["key"])

    def answer(self, request: Request) -> Response:
        """Answers a request; a refusal is an answer too."""
        try:
            for route in self._routes:
                if found := route.match(request):
                    return self._answer(route, found)
            raise not_found(f"{request.method} {request.host}{request.path}")
        except Refusal as refusal:
            return refusal.response()

    def _answer(self, route: Route, request: Request) -> Response:
        if not route.open:
            self.tokens.check(request)
        self._check_scope(request)
        try:
            return route.handler(self, request)
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            raise Refusal(400, "InvalidRequest", f"the request is not as expected: {error!r}") from error

    def _check_scope(self, request: Request) -> None:
        settings = self.settings
        names = {
            "subscription": ("SubscriptionNotFound", settings.subscription_id),
            "group": ("ResourceGroupNotFound", settings.resource_group),
            "workspace": ("ResourceNotFound", settings.workspace_name),
        }
        for part, (code, known) in names.items():
            if part in request.parts and request.parts[part].lower() != known.lower():
                raise Refusal(404, code, f"the {part} '{request.parts[part]}' could not be found")


def _all_routes() -> Iterable[Route]:
    from . import areas

    for area in areas.AREAS:
        yield from area

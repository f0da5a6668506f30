"""What all service areas share, and the way from a request to the area that answers it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from .jobs.jobs import Jobs
from .network.message import Refusal, Request, Response, not_found
from .network.routes import Route, Routes
from .state.odd import Oddness
from .state.settings import Settings
from .state.workspace import Workspace


class Service:
    """The emulated services, without the network.

    Args:
        folder: Where everything is kept.
        settings: What the subscription looks like.
        environment: The variables that lead a job's process to the emulator.
        routes: The service areas; of several routes that fit a request, the first answers.

    Attributes:
        settings: What the subscription looks like.
        workspace_id: The workspace's id.
        store: The records.
        tokens: Issues and checks tokens.
        storage: The blobs.
        runs: The experiments and their runs.
        clusters: The clusters and their nodes.
        jobs: The runs in progress.
    """

    def __init__(
        self, folder: Path, settings: Settings, environment: Mapping[str, str], *, routes: Iterable[Routes]
    ) -> None:
        workspace = Workspace.open(folder, settings)
        self.settings = settings
        self.workspace_id = workspace.workspace_id
        self.store = workspace.store
        self.tokens = workspace.tokens
        self.storage = workspace.storage
        self.runs = workspace.runs
        self.clusters = workspace.clusters
        self.jobs = Jobs(workspace, folder / "jobs", environment)
        self._routes = tuple(route for area in routes for route in area)
        self._odd = Oddness() if settings.odd else None
        self.jobs.fail_orphans()

    def answer(self, request: Request) -> Response:
        """Answers a request; a refusal is an answer too."""
        try:
            for route in self._routes:
                if found := route.match(request):
                    return self._oddly(self._odd, route, found) if self._odd else self._answer(route, found)
            raise not_found(f"{request.method} {request.host}{request.path}")
        except Refusal as refusal:
            return refusal.response()

    def _oddly(self, odd: Oddness, route: Route, request: Request) -> Response:
        return odd.refusal(route, request) or odd.altered(request, self._answer(route, request))

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

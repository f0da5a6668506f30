"""Requests to a workspace's services: one small request for each thing, retried after transient failures."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar
from urllib.parse import parse_qs, quote, urlsplit

from ....engine.errors import BackendError, UnreachableError
from ..reference import Scope
from ..sdk import hints, sdk
from ..sdk.sign_in import sign_in
from . import paths
from .answer import Answer, entries, parse, part, text
from .paths import Route
from .response import ConflictError, Piece, TransientError, check, refuse_page, shown

T = TypeVar("T")

_CONNECT_S = 10.0
_SIGN_IN_S, _HEADER_S = 60.0, 60.0
_OF_STORAGE = "x-ms-request-id"
"""A header of every response of the Blob service, as "Get Blob" in its REST reference says."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Patience:
    """How long things may take.

    Attributes:
        request_s: One response, in seconds.
        total_s: A request with its retries; it may end one response later.
        pause_s: Between the first two tries; it doubles each time.
        cluster_s: Until a cluster is ready.
        submit_s: Until a run is submitted, once its files are uploaded.
        cancel_s: Until a cancelled run has ended.
    """

    request_s: float = 20.0
    total_s: float = 45.0
    pause_s: float = 0.5
    cluster_s: float = 1200.0
    submit_s: float = 120.0
    cancel_s: float = 300.0


class MissingWorkspaceError(BackendError):
    """The workspace doesn't exist, or no longer does."""


class Service:
    """The services of one workspace.

    Args:
        scope: The workspace.
        kind: How to sign in, one of `settings.AUTHS`.
        patience: How long things may take.
    """

    def __init__(self, scope: Scope, kind: str, patience: Patience) -> None:
        self.scope = scope
        self.patience = patience
        self._kind = kind
        self._lock = threading.RLock()
        self._signed: dict[str, str] = {}
        self._header_until = 0.0

    @cached_property
    def auth(self) -> Any:
        """The SDK's authentication object."""
        return sign_in(self._kind)

    @property
    def workspace(self) -> Mapping[str, Any]:
        """The properties of the workspace; raises what `resource` raises."""
        return part(self.resource, "properties")

    @property
    def region(self) -> str:
        """The workspace's region; raises what `resource` raises."""
        return str(self.resource.get("location") or "")

    @cached_property
    def resource(self) -> Mapping[str, Any]:
        """Azure's description of the workspace.

        Raises:
            MissingWorkspaceError: There is no such workspace.
            BackendError: Azure can't be asked.
        """
        found = self.ask("GET", paths.workspace(self.scope), missing=True)
        if found is None:
            raise MissingWorkspaceError(
                f"there is no workspace {self.scope.workspace!r} in the resource group {self.scope.group!r}",
                hint="check config.json, and that the account may see the subscription",
            )
        return found

    @cached_property
    def addresses(self) -> Mapping[str, str]:
        """The address of each service, by its name."""
        with self._lock:
            found = self.ask("GET", text(self.workspace, "discoveryUrl"))
        return {name: str(value).rstrip("/") for name, value in (found or {}).items()}

    def address(self, route: Route) -> str:
        """Returns the address of something in the workspace."""
        name = route.service.partition("/")[0]
        base = self.addresses.get(name) or self.addresses.get("api", "")
        return f"{base}/{route.service}{quote(self.scope.path)}{route.path}"

    def page(self, run_id: str) -> str:
        """Returns the address of a run's page in the studio.

        The SDK prints the same one, except for the tenant. It takes the account's tenant; stoker takes the workspace's,
        where the page is.
        """
        tenant = str(self.workspace.get("tenantId") or "")
        return paths.run_page(self.addresses.get("studio", ""), self.scope, run_id, tenant)

    def get(self, route: Route) -> Answer | None:
        """Returns what a service knows of something; None if there is no such thing."""
        return self.ask("GET", self.address(route), missing=True)

    def list(self, route: Route) -> Iterator[Mapping[str, Any]]:
        """Yields the entries of all pages of a listing."""
        token, sign = "", "&" if "?" in route.path else "?"
        while True:
            more = f"{sign}{route.next_page}={quote(token, safe='')}" if token else ""
            page: Mapping[str, Any] = self.get(Route(route.service, f"{route.path}{more}")) or {}
            yield from entries(page, "value")
            following = _next_token(page, route.next_page)
            if following in {"", token}:  # the same token again would give the same page forever
                return
            token = following

    def ask(
        self,
        method: str,
        url: str,
        *,
        missing: bool = False,
        json: Any = None,
        done: Callable[[], bool] | None = None,
    ) -> Answer | None:
        """Sends a request and returns the JSON of its response. Transient failures are retried.

        Args:
            method: The method of the request.
            url: Its address.
            missing: Whether a 404 is a response like others, for which None is returned.
            json: The body to send.
            done: Tells whether a request that seemed to fail was carried out. It is called before each retry of a
                request that must not be carried out twice; if it was, None is returned.

        Raises:
            BackendError: There is no response, or it is an error.
        """
        where = f"{method} {shown(url)}"

        def once() -> Answer | None:
            response = self._send(method, url, headers=self._header(), json=json)
            if response.status_code == 401:  # the header may have been withdrawn before its time
                self._header_until = 0.0
                response = self._send(method, url, headers=self._header(), json=json)
            if response.status_code == 404 and missing:
                return None
            check(method, url, response)
            refuse_page(where, response)
            return parse(where, response.content)

        return self._retry(where, once, done)

    def read(self, url: str, offset: int, limit: int | None = None) -> Piece | None:
        """Reads a blob from an offset on; None if it isn't there (any more).

        A piece may have fewer bytes than were asked for, also before the end: RFC 9110 allows that.

        Args:
            url: A signed address.
            offset: Where to begin, in bytes.
            limit: How many bytes to read at most; None reads all.

        Raises:
            BackendError: It can't be read.
        """
        last = "" if limit is None else str(offset + limit - 1)
        what = f"reading {shown(url)}"

        def once() -> Piece | None:
            response = self._send("GET", url, headers={"x-ms-range": f"bytes={offset}-{last}"})
            if response.status_code in {403, 404}:
                return None
            if response.status_code != 416:
                check("GET", url, response)
            if _OF_STORAGE not in response.headers:  # else a page may well be the content
                refuse_page(what, response)
            return Piece.of(response, offset)

        return self._retry(what, once)

    def read_rest(self, url: str, offset: int) -> bytes | None:
        """Reads a blob from an offset to the end that it has now; None if it isn't there (any more).

        Args:
            url: A signed address.
            offset: Where to begin, in bytes.

        Raises:
            BackendError: It can't be read.
        """
        pieces, end = b"", offset + 1
        while offset + len(pieces) < end:
            piece = self.read(url, offset + len(pieces))
            if piece is None:
                return None
            if not pieces:  # what is written from now on is for the next call
                end = piece.total
            if not piece.content:
                break
            pieces += piece.content
        return pieces

    @cached_property
    def _session(self) -> Any:
        import requests

        return requests.Session()

    def _header(self) -> dict[str, str]:
        """Returns the header that signs a request. The SDK, which renews it in time, is asked once a minute."""
        with self._lock:
            if time.monotonic() >= self._header_until:
                header = self.auth.get_authentication_header
                try:
                    self._signed = sdk.bounded("can't sign in to Azure", header, _SIGN_IN_S)
                except BackendError as error:
                    if not self._signed:
                        raise
                    # It worked before: the network is away, or the user can sign in again beside this process.
                    raise UnreachableError(error.what, received=error.received, hint=error.hint) from error
                self._header_until = time.monotonic() + _HEADER_S
            return dict(self._signed)

    def _send(self, method: str, url: str, **more: Any) -> Any:
        timeout = (_CONNECT_S, self.patience.request_s)
        return self._session.request(method, url, timeout=timeout, allow_redirects=False, **more)

    def _retry(self, what: str, once: Callable[[], T | None], done: Callable[[], bool] | None = None) -> T | None:
        """Calls `once` until it succeeds, and returns its value.

        Args:
            what: What it does, for the message.
            once: The call.
            done: As `ask` takes it.

        Raises:
            UnreachableError: It is still failing when the time is up.
            BackendError: It failed for good.
        """
        import requests

        deadline = time.monotonic() + self.patience.total_s
        pause_s, conflict = self.patience.pause_s, False
        while True:
            try:
                return once()
            except TransientError as error:
                if conflict and isinstance(error, ConflictError):
                    raise
                fault: BackendError = error
                conflict = isinstance(error, ConflictError)
            except (requests.RequestException, ValueError) as error:
                received = sdk.message_of(error)
                fault = BackendError(f"{what}: no usable answer", received=received, hint=hints.of_error(error))
                if fault.hint == hints.CERTIFICATES:  # which the next try would not change
                    raise UnreachableError(fault.what, received=received, hint=fault.hint) from error
            except OSError as error:  # no answer at all: the file of certificates that the environment names is gone
                what = f"{what}: the request could not be made"
                raise BackendError(what, received=str(error), hint=hints.of_error(error)) from error
            if done and done():
                return None
            pause_s = max(pause_s, fault.retry_after_s) if isinstance(fault, TransientError) else pause_s
            if time.monotonic() + pause_s > deadline:
                raise UnreachableError(fault.what, received=fault.received, hint=fault.hint) from fault
            time.sleep(pause_s)
            pause_s *= 2


def _next_token(page: Mapping[str, Any], parameter: str) -> str:
    """Returns the token of the page after this one, which some listings only have in the link to it; "" at the end."""
    token = str(page.get("continuationToken") or "")
    following = parse_qs(urlsplit(str(page.get("nextLink") or "")).query)
    return token or following.get(parameter, [""])[0]

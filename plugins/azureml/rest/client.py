"""Direct requests to a workspace's services: one cheap request for one thing, repeated where that is safe."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import quote

from ....engine.errors import BackendError
from ..reference import Scope
from ..sdk import sdk
from ..sdk.sign_in import sign_in
from .response import TransientError, check, shown

ARM = "https://management.azure.com"
_ARM_VERSION = "2022-05-01"
_CONNECT_S = 10.0
_SIGN_IN_S, _HEADER_S = 60.0, 60.0
_STUDIO = "https://ml.azure.com"


@dataclass(frozen=True, kw_only=True, slots=True)
class Patience:
    """How long things may take.

    Attributes:
        request_s: One answer, in seconds.
        total_s: A request with its repetitions; it may end one answer later.
        pause_s: Between the first two tries; it doubles each time.
        cluster_s: Until a cluster is there.
        submit_s: Until a run is submitted, when its files are up.
        cancel_s: Until a cancelled run has ended.
    """

    request_s: float = 20.0
    total_s: float = 45.0
    pause_s: float = 0.5
    cluster_s: float = 1200.0
    submit_s: float = 120.0
    cancel_s: float = 300.0


class Service:
    """The services of one workspace.

    Args:
        scope: The workspace.
        kind: How to sign in.
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
        """The properties of the workspace; raises as `resource`."""
        return dict(self.resource["properties"])

    @property
    def region(self) -> str:
        """Where the workspace is; raises as `resource`."""
        return str(self.resource.get("location") or "")

    @cached_property
    def resource(self) -> Mapping[str, Any]:
        """What Azure knows of the workspace.

        Raises:
            BackendError: It is not there, or can't be asked for.
        """
        found = self.ask("GET", f"{ARM}{quote(self.scope.path)}?api-version={_ARM_VERSION}", missing=True)
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
            found = self.ask("GET", str(self.workspace["discoveryUrl"]))
        return {name: str(value).rstrip("/") for name, value in (found or {}).items()}

    def address(self, service: str, path: str) -> str:
        """The address of something in the workspace.

        Args:
            service: The service with its version: "history/v1.0".
            path: What comes after the workspace, quoted.
        """
        name = service.partition("/")[0]
        base = self.addresses.get(name) or self.addresses.get("api", "")
        return f"{base}/{service}{quote(self.scope.path)}{path}"

    def page(self, run_id: str) -> str:
        """The address of a run's page in the studio, which is for people; the same as the SDK has it."""
        scope, tenant = self.scope, self.workspace.get("tenantId")
        group = f"/subscriptions/{scope.subscription}/resourcegroups/{scope.group}"
        where = f"wsid={group}/workspaces/{scope.workspace}" + (f"&tid={tenant}" if tenant else "")
        return f"{self.addresses.get('studio') or _STUDIO}/runs/{run_id}?{where}"

    def get(self, service: str, path: str) -> dict[str, Any] | None:
        """What a service answers; None if there is no such thing."""
        return self.ask("GET", self.address(service, path), missing=True)

    def list(self, service: str, path: str, parameter: str = "continuationToken") -> Iterator[dict[str, Any]]:
        """The entries of all pages of a listing.

        Args:
            service: As `address` takes it.
            path: As `address` takes it.
            parameter: What the service calls the token that the next page is asked for with.
        """
        token, sign = "", "&" if "?" in path else "?"
        while True:
            more = f"{sign}{parameter}={quote(token, safe='')}" if token else ""
            page = self.get(service, f"{path}{more}") or {}
            yield from page.get("value") or ()
            following = str(page.get("continuationToken") or "")
            if following in {"", token}:  # the same again: the service gives the same page for ever
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
    ) -> dict[str, Any] | None:
        """What an address answers, as JSON. The request is repeated where it failed in passing.

        Args:
            method: Of the request.
            url: The address.
            missing: Whether a 404 is an answer: None.
            json: What to send.
            done: Asked before the request is repeated, if that is not safe: whether it was carried out all the same.

        Raises:
            BackendError: There is no answer, or it is an error.
        """
        found: dict[str, Any] | None = None

        def once() -> None:
            nonlocal found
            response = self._send(method, url, headers=self._header(), json=json)
            if response.status_code == 404 and missing:
                found = None
                return
            check(method, url, response)
            value = response.json() if response.content else {}
            if not isinstance(value, dict):
                raise ValueError("a JSON object was expected")
            found = value

        self._repeat(f"{method} {shown(url)}", once, done)
        return found

    def read(self, url: str, offset: int, limit: int | None = None) -> bytes | None:
        """The bytes of a blob from an offset on; b"" at its end, None if it is not there (any more).

        Args:
            url: A signed address.
            offset: In bytes.
            limit: How many at most; None for all.
        """
        found: bytes | None = b""
        last = "" if limit is None else str(offset + limit - 1)

        def once() -> None:
            nonlocal found
            response = self._send("GET", url, headers={"x-ms-range": f"bytes={offset}-{last}"})
            if response.status_code in {403, 404}:
                found = None
                return
            if response.status_code == 416:
                found = b""
                return
            check("GET", url, response)
            found = response.content if response.status_code == 206 else response.content[offset:]

        self._repeat(f"reading {shown(url)}", once)
        return found

    @cached_property
    def _session(self) -> Any:
        import requests

        return requests.Session()

    def _header(self) -> dict[str, str]:
        """What signs a request; the SDK, which renews it in time, is asked once a minute."""
        with self._lock:
            if time.monotonic() >= self._header_until:
                header = self.auth.get_authentication_header
                self._signed = sdk.bounded("can't sign in to Azure", header, _SIGN_IN_S)
                self._header_until = time.monotonic() + _HEADER_S
            return dict(self._signed)

    def _send(self, method: str, url: str, **more: Any) -> Any:
        timeout = (_CONNECT_S, self.patience.request_s)
        return self._session.request(method, url, timeout=timeout, allow_redirects=False, **more)

    def _repeat(self, what: str, once: Callable[[], None], done: Callable[[], bool] | None = None) -> None:
        """Tries until it goes well, was done all the same, fails for good, or the time is up."""
        import requests

        deadline = time.monotonic() + self.patience.total_s
        pause_s = self.patience.pause_s
        while True:
            try:
                once()
                return
            except TransientError as error:
                fault: BackendError = error
            except (requests.RequestException, ValueError) as error:
                fault = BackendError(f"{what}: no usable answer", received=sdk.told(error), hint=sdk.hint_of(0))
            if done and done():
                return
            if time.monotonic() + pause_s > deadline:
                raise BackendError(fault.what, received=fault.received, hint=fault.hint) from fault
            time.sleep(pause_s)
            pause_s *= 2


class MissingWorkspaceError(BackendError):
    """There is no such workspace, or not any more."""

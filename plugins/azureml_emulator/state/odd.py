"""Answers as oddly as the protocols allow: a busy service, tokens that end, half ranges, nothing that is optional."""

from __future__ import annotations

import json
import re
import threading
from collections import Counter
from dataclasses import replace
from typing import Any

from ..network.faults import FaultKind
from ..network.message import Refusal, Request, Response
from ..network.routes import Route
from .content import BlobRefusal

_ALONE = re.compile(r"/history/.*/workspaces/[^/]+/runs/[^/]+|/artifact/.*/contentinfo/.*|/(modelmanagement|rp)/.*")
"""What stoker asks without the SDK, which gives up at the first 401: `_handle_retry` in `azureml._restclient`."""
_SIGNED = re.compile(r"/azureml/ExperimentRun/.*")
_ONCE = re.compile(r"/data/.*")
"""What the SDK asks once: `_fetch_rslex_dataflow_yaml` in `azureml.data._dataset_rest_helper` would retry, if
`requests.get` raised errors. Nor does it retry signing in; and blobs are open, which it asks for again after 15 s."""
_ENDED = 5
"""At which request for the same thing a token or a signature has ended: once, so that the next one is answered."""


class Oddness:
    """What is odd about a workspace's services; counts their requests."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asked: Counter[str] = Counter()

    def refusal(self, route: Route, request: Request) -> Response | None:
        """Returns the answer to a request that has to be sent again; None if the service answers it.

        The first request of each kind comes while the service is busy. A later one for the same thing comes with a
        token, or a signature, that has ended.

        Args:
            route: What answers the request.
            request: The request.
        """
        blob = request.host.endswith(".blob.core.windows.net")
        alone = bool(_SIGNED.fullmatch(request.path) if blob else _ALONE.fullmatch(request.path))
        if (route.open and not (alone and request.method == "GET")) or _ONCE.fullmatch(request.path):
            return None
        kind, thing = f"{request.method} {route.path.pattern}", f"{request.method} {request.path}"
        with self._lock:
            self._asked.update((kind, thing))
            first, ended = self._asked[kind] == 1, alone and self._asked[thing] == _ENDED
        if first:
            return _busy(blob=blob, alone=alone)
        return _ended(blob=blob) if ended else None

    def altered(self, request: Request, response: Response) -> Response:
        """Returns a service's answer with half of the range that was asked for, or without what is null or empty.

        All fields of what the workspace's own services answer are optional: no class in `azureml._restclient.models`
        that a client reads has a `required` one. What the SDK reads by hand stays as it is: the answers of Azure
        Resource Manager, and of snapshots (`azureml._restclient.snapshots_client`).
        """
        if response.status == 206:
            return FaultKind.SHORT_RANGE.altered(response)
        by_hand = not request.host.endswith(".api.azureml.ms") or request.path.startswith("/content/")
        if by_hand or response.status >= 300:
            return response
        return replace(response, body=json.dumps(_sparse(json.loads(response.body))).encode())


def _busy(*, blob: bool, alone: bool) -> Response:
    """Returns an answer that asks for a second of patience, in the status that whoever asks is known to wait for."""
    if blob:
        refusal: Refusal = BlobRefusal(503, "ServerBusy", "the server is busy")
    elif alone:
        refusal = Refusal(429, "TooManyRequests", "too many requests")
    else:
        refusal = Refusal(503, "ServiceUnavailable", "the service is busy")
    answer = refusal.response()
    return replace(answer, headers={**answer.headers, "Retry-After": "1"})


def _ended(*, blob: bool) -> Response:
    if blob:
        return BlobRefusal(403, "AuthenticationFailed", "the signature of the address has expired").response()
    return Refusal(401, "Unauthorized", "the bearer token has expired").response()


def _sparse(value: Any) -> Any:
    """Leaves out the fields that are null or empty."""
    if isinstance(value, list):
        return [_sparse(one) for one in value]
    if isinstance(value, dict):
        return {name: _sparse(one) for name, one in value.items() if one is not None and one not in ([], {})}
    return value

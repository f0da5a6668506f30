"""Judges the responses of services, and shortens addresses for messages."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from ....engine.errors import BackendError
from ..sdk import sdk

_TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Those that may pass by RFC 9110, 6585 (429) and 8470 (425), and 500, which the SDK retries too."""


class TransientError(BackendError):
    """A failure that may not happen again if the client retries the request."""


def is_transient(status: int) -> bool:
    """Returns whether a request with this HTTP status may succeed when it is retried."""
    return status in _TRANSIENT


def check(method: str, url: str, response: Any) -> None:
    """Raises an error unless the response is a success.

    Args:
        method: The method of the request.
        url: Its address.
        response: The response, of `requests`.

    Raises:
        TransientError: The request may succeed when it is retried.
        BackendError: It won't.
    """
    status = response.status_code
    if status < 300:
        return
    what = f"{method} {shown(url)}: the answer is {status} {response.reason}"
    kind = TransientError if is_transient(status) else BackendError
    raise kind(what, received=sdk.redacted(_message(response)), hint=sdk.hint_of(status))


def shown(url: str) -> str:
    """Shortens an address for a message: no query, which may be a signature, and no full name of the workspace."""
    parts = urlsplit(url)
    return f"{parts.hostname}/…/{parts.path.rpartition('/workspaces/')[2].partition('/')[2] or parts.path.strip('/')}"


def _message(response: Any) -> str:
    """Returns the message in the body of an error response."""
    try:
        value = response.json()
        return str((value.get("error") or value).get("message") or "")
    except (ValueError, AttributeError):
        return ""

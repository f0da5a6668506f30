"""What an answer of a service means, and how an address is shown."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from ....engine.errors import BackendError
from ..sdk import sdk

_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})


class TransientError(BackendError):
    """An answer that may be another one the next time."""


def check(method: str, url: str, response: Any) -> None:
    """Raises what a status means that is none of success.

    Raises:
        PassingError: It may be another one the next time.
        BackendError: It is for good.
    """
    status = response.status_code
    if status < 300:
        return
    what = f"{method} {shown(url)}: the answer is {status} {response.reason}"
    kind = TransientError if status in _PASSING else BackendError
    raise kind(what, received=sdk.redacted(_message(response)), hint=sdk.hint_of(status))


def _message(response: Any) -> str:
    """What the body of an error says."""
    try:
        value = response.json()
        return str((value.get("error") or value).get("message") or "")
    except (ValueError, AttributeError):
        return ""


def shown(url: str) -> str:
    """An address for a message: without the query, which may be a signature, and without the workspace's full name."""
    parts = urlsplit(url)
    return f"{parts.hostname}/…/{parts.path.rpartition('/workspaces/')[2].partition('/')[2] or parts.path.strip('/')}"

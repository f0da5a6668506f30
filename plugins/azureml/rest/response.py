"""Judges the responses of services, and shortens addresses for messages."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from ....engine.errors import BackendError, UnreachableError
from ..sdk import hints, sdk

_TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Those that may pass by RFC 9110, 6585 (429) and 8470 (425), and 500, which the SDK retries too."""

_HEAD_BYTES = 4096
"""Where the title of a web page is, and what is wrong."""

_CONTENT_RANGE = re.compile(r"bytes (?:(\d+)-(\d+)|\*)/(\d+)")
"""RFC 9110, 14.4."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Piece:
    """A part of a blob.

    Attributes:
        content: Its bytes; b"" at the end of the blob.
        total: The size of the whole blob, in bytes.
        md5: The MD5 of the whole blob, in base64; "" if the storage has none.
    """

    content: bytes
    total: int
    md5: str = ""

    @classmethod
    def of(cls, response: Any, offset: int) -> Piece:
        """Returns what a response has of a blob from an offset on.

        Args:
            response: The response, of `requests`: 200, 206, or 416 at the end of the blob.
            offset: Where the part was to begin.

        Raises:
            ValueError: The response does not have what it says.
        """
        content: bytes = response.content
        if response.status_code == 200:  # the whole, though a part was asked for
            return cls(content=content[offset:], total=len(content), md5=response.headers.get("Content-MD5", ""))
        line = response.headers.get("Content-Range", "")
        found = _CONTENT_RANGE.fullmatch(line)
        if response.status_code == 416:
            return cls(content=b"", total=int(found[3]) if found else offset)
        if not found or found[1] is None or (int(found[1]), int(found[2])) != (offset, offset + len(content) - 1):
            raise ValueError(f"{len(content):,} bytes for the range from {offset:,} on, with Content-Range {line!r}")
        return cls(content=content, total=int(found[3]), md5=response.headers.get("x-ms-blob-content-md5", ""))


class TransientError(BackendError):
    """A failure that may not happen again if the client retries the request.

    Attributes:
        retry_after_s: How long the service asks the client to wait, in seconds.
    """

    retry_after_s = 0.0


class ConflictError(TransientError):
    """What the request changes is being changed by someone else, or exists already. One retry shows which."""


class WebPageError(TransientError):
    """A web page came where JSON was due: a proxy or the sign-in page of a network has answered in Azure's place."""

    def __init__(self, what: str, title: str) -> None:
        page = f"a web page with the title {title!r}" if title else "a web page without a title"
        super().__init__(what, received=page, expected="JSON", hint=hints.INTERCEPTED)


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
        UnreachableError: Something else has answered in Azure's place.
        BackendError: It won't.
    """
    status = response.status_code
    if status < 300:
        return
    what = f"{method} {shown(url)}: the answer is {status} {response.reason}"
    if status < 400:
        place = urlsplit(response.headers.get("Location", "")).hostname or "nowhere"
        raise UnreachableError(f"{what}, which leads to {place}", hint=hints.INTERCEPTED)
    received = sdk.redacted(_message(response))
    hint = hints.of_status(status, hints.role_for(method, url), _head(response))
    if status == 409:
        raise ConflictError(what, received=received, hint=hint)
    if not is_transient(status):
        raise BackendError(what, received=received, hint=hint)
    error = TransientError(what, received=received, hint=hint)
    wait = response.headers.get("Retry-After", "")  # or a date, which Azure's services don't send
    error.retry_after_s = float(wait) if wait.isascii() and wait.isdigit() else 0.0
    if error.retry_after_s:
        error.hint = f"Azure asks to wait {wait} s before the next request; {hint}"
    raise error


def refuse_page(where: str, response: Any) -> None:
    """Refuses a web page where JSON is due.

    Args:
        where: What was asked.
        response: The response, of `requests`.

    Raises:
        WebPageError: It is a web page.
    """
    title = _page_title(response)
    if title is not None:
        raise WebPageError(f"{where}: the answer is no answer of Azure", title)


def shown(url: str) -> str:
    """Shortens an address for a message: no query, which may be a signature, and no full name of the workspace."""
    parts = urlsplit(url)
    return f"{parts.hostname}/…/{parts.path.rpartition('/workspaces/')[2].partition('/')[2] or parts.path.strip('/')}"


def _page_title(response: Any) -> str | None:
    """Returns the title of a web page; None if the body is something else, such as JSON that quotes one."""
    head = _head(response).lstrip("\ufeff \t\r\n")
    return hints.page_title(head) if head.startswith("<") else None


def _head(response: Any) -> str:
    content: bytes = response.content[:_HEAD_BYTES]
    return content.decode(errors="replace")


def _message(response: Any) -> str:
    """Returns the message in the body of an error response; of a web page, its title."""
    title = _page_title(response)
    if title is not None:
        return f"a web page with the title {title!r}"
    try:
        value = response.json()
        return str((value.get("error") or value).get("message") or "")
    except (ValueError, AttributeError):
        return ""

"""Faults on demand: what goes wrong between a client and a service, one request at a time."""

from __future__ import annotations

import enum
import re
import threading
from dataclasses import dataclass, replace

from .message import Refusal, Request, Response

_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+)")
_MESSAGES = {
    401: ("Unauthorized", "the token is not valid"),
    403: ("Forbidden", "the caller lacks the permission"),
    404: ("NotFound", "the resource was not found"),
    409: ("Conflict", "the resource is in use"),
    412: ("PreconditionFailed", "the resource has been changed since it was read"),
    429: ("TooManyRequests", "too many requests; try again later"),
    500: ("InternalServerError", "an internal error occurred"),
    503: ("ServiceUnavailable", "the service is not available"),
}

_PAGE = b"<!DOCTYPE html>\n<html><head><title>\n Sign in to the\n network </title></head><body>Welcome</body></html>\n"


class FaultKind(enum.StrEnum):
    """What may go wrong."""

    REDIRECT = "302"
    """To the sign-in page of a network, as a proxy answers in a service's place."""
    UNAUTHORIZED = "401"
    FORBIDDEN = "403"
    NOT_FOUND = "404"
    CONFLICT = "409"
    CHANGED = "412"
    THROTTLED = "429"
    SERVER_ERROR = "500"
    UNAVAILABLE = "503"
    TIME_OUT = "time-out"
    RESET_BEFORE = "reset before"
    RESET_AFTER = "reset after"
    GARBAGE = "garbage"
    WEB_PAGE = "web page"
    """Of a proxy, with the status of a success."""
    SLOW = "slow"
    SHORT_RANGE = "short range"
    """Half of the range that was asked for, as RFC 9110 (15.3.7) allows."""
    CUT = "cut"
    """Half of the body; then the connection ends."""
    DAMAGED = "damaged"
    """The first byte is another one."""
    NO_DIGEST = "no digest"
    """No header tells the digest of the content, as of a blob that was written in blocks."""

    @property
    def response(self) -> Response | None:
        """The answer that takes the place of the service's; None if the fault has no answer of this kind."""
        if self is FaultKind.GARBAGE:
            return Response(body=b"\xff\x00 not what you asked for")
        if self is FaultKind.WEB_PAGE:
            return Response(body=_PAGE, headers={"Content-Type": "text/html"})
        if self is FaultKind.REDIRECT:
            return Response(status=302, headers={"Location": "https://sign-in.example/?from=azure"})
        if not self.value.isdigit():
            return None
        return Refusal(int(self.value), *_MESSAGES[int(self.value)]).response()

    def altered(self, response: Response) -> Response:
        """Returns the service's answer as it arrives with this fault."""
        body, headers = response.body, dict(response.headers)
        half = body[: (len(body) + 1) // 2]
        if self is FaultKind.SHORT_RANGE and response.status == 206:
            start, size = _CONTENT_RANGE.sub(r"\1 \2", headers["Content-Range"]).split()
            headers |= {"Content-Length": str(len(half))}
            headers |= {"Content-Range": f"bytes {start}-{int(start) + len(half) - 1}/{size}"}
            return replace(response, body=half, headers=headers)
        if self is FaultKind.CUT:
            return replace(response, body=half, headers={"Content-Length": str(len(body)), **headers})
        if self is FaultKind.DAMAGED and body:
            return replace(response, body=bytes([body[0] ^ 1]) + body[1:])
        if self is FaultKind.NO_DIGEST:
            return replace(response, headers={name: headers[name] for name in headers if "md5" not in name.lower()})
        return response


ALTER = frozenset({FaultKind.SHORT_RANGE, FaultKind.CUT, FaultKind.DAMAGED, FaultKind.NO_DIGEST})
"""The kinds that alter the answer of the service."""


@dataclass(kw_only=True, slots=True, eq=False)
class Fault:
    """A fault to inject.

    Attributes:
        pattern: Fits a request if it is found anywhere in `METHOD host/path?query`.
        kind: What goes wrong.
        left: How many more times; None for always.
        slow_s: How long a slow answer takes, in seconds.
        hits: How many times it has happened.
    """

    pattern: re.Pattern[str]
    kind: FaultKind
    left: int | None
    slow_s: float
    hits: int = 0

    def clear(self) -> None:
        """Stops injecting it."""
        self.left = 0


class Faults:
    """The faults to inject."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Adds a fault; of several that fit a request, the first happens."""
        with self._lock:
            self._faults.append(fault)

    def take(self, request: Request, query: str) -> Fault | None:
        """Returns the fault that happens to a request, and counts it; None if none fits.

        Args:
            request: The request.
            query: Its query as it was sent.
        """
        line = f"{request.method} {request.host}{request.path}" + (f"?{query}" if query else "")
        with self._lock:
            for fault in self._faults:
                if fault.left != 0 and fault.pattern.search(line):
                    fault.left = None if fault.left is None else fault.left - 1
                    fault.hits += 1
                    return fault
        return None

"""What goes over the wire: a request, the answer to it, and the refusal that becomes an answer."""

from __future__ import annotations

import datetime
import json
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import Message
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """One request as a service area sees it.

    Attributes:
        method: In capitals: "GET".
        host: The host that the client means, in small letters, without a port.
        path: As it was sent, still quoted, without the query.
        query: The first value of each name in the query.
        headers: The headers; names are found in any case.
        body: The whole body.
        parts: The parts of the path that the route gives names to, unquoted.
    """

    method: str
    host: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Message = field(default_factory=Message)
    body: bytes = b""
    parts: Mapping[str, str] = field(default_factory=dict)

    @property
    def json(self) -> Any:
        """The body, parsed as JSON; NaN and infinities are accepted, because the SDK sends them.

        Raises:
            Refusal: The body is no JSON.
        """
        try:
            return json.loads(self.body or b"null")
        except ValueError:
            raise Refusal(400, "InvalidJson", "the body is no JSON") from None


@dataclass(frozen=True, kw_only=True, slots=True)
class Response:
    """The answer to a request.

    Attributes:
        status: The HTTP status.
        body: The whole body.
        headers: The headers, without the length.
    """

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


class Refusal(Exception):  # noqa: N818 (it is an answer, not a failure of the emulator)
    """The service says no.

    Attributes:
        status: The HTTP status.
        code: The error code, for programs.
        message: The message, for people.
    """

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message

    def response(self) -> Response:
        """Returns the answer, in the form that all services of Azure but Blob Storage use."""
        # Without `details`, the SDK can't turn its ServiceException into a text.
        error = {"code": self.code, "message": self.message, "details": []}
        return reply({"error": error, "statusCode": self.status}, status=self.status)


def reply(value: Any, *, status: int = 200, **headers: str) -> Response:
    """Makes an answer in JSON.

    Args:
        value: The value to send.
        status: The HTTP status.
        **headers: More headers; underscores in their names become hyphens.
    """
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    body = json.dumps(value).encode()
    return Response(status=status, body=body, headers={"Content-Type": "application/json; charset=utf-8", **named})


def not_found(what: str) -> Refusal:
    """Makes the refusal for something that does not exist.

    Args:
        what: What was asked for, in words.
    """
    return Refusal(404, "NotFound", f"{what} was not found")


def parse_query(query: str) -> dict[str, str]:
    """Returns the first value of each name in a query; a name without a value has ""."""
    return {name: values[0] for name, values in urllib.parse.parse_qs(query, keep_blank_values=True).items()}


def now() -> str:
    """Returns the current time as the services write it."""
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") + "Z"

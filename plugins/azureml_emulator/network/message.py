"""What goes over the wire: a request, the answer to it, and the refusal that becomes one."""

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
        method: In capitals.
        host: The host that the client means, in small letters, without a port.
        path: As it was sent, still quoted, without the query.
        query: The query's first value of each name.
        headers: Names are found in any case.
        body: All of it.
        parts: The parts of the path that the route names, unquoted.
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
        """The body as JSON; NaN and the infinities are taken, for the SDK sends them.

        Raises:
            Refusal: It is none.
        """
        try:
            return json.loads(self.body or b"null")
        except ValueError:
            raise Refusal(400, "InvalidJson", "the body is no JSON") from None


@dataclass(frozen=True, kw_only=True, slots=True)
class Response:
    """The answer.

    Attributes:
        status: The code.
        body: All of it.
        headers: What to send beside the length.
    """

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


class Refusal(Exception):  # noqa: N818 (it is an answer, not a failure of the emulator)
    """The service says no.

    Attributes:
        status: The code.
        code: What a program reads.
        message: What a person reads.
    """

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message

    def response(self) -> Response:
        """The answer, in the form that all services of Azure share, Blob Storage excepted."""
        # Without `details`, the SDK's ServiceException can't be turned into a text.
        error = {"code": self.code, "message": self.message, "details": []}
        return reply({"error": error, "statusCode": self.status}, status=self.status)


def reply(value: Any, *, status: int = 200, **headers: str) -> Response:
    """An answer in JSON; a header's underscores become hyphens."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    body = json.dumps(value).encode()
    return Response(status=status, body=body, headers={"Content-Type": "application/json; charset=utf-8", **named})


def not_found(what: str) -> Refusal:
    """The refusal for something that isn't there."""
    return Refusal(404, "NotFound", f"{what} was not found")


def parse_query(query: str) -> dict[str, str]:
    """The first value of each name; names without a value have ""."""
    return {name: values[0] for name, values in urllib.parse.parse_qs(query, keep_blank_values=True).items()}


def now() -> str:
    """This moment as the services write it."""
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") + "Z"

"""Which function answers which request."""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from .message import Request, Response

Handler = Callable[[Any, Request], Response]
"""Answers a request; the first argument is the `Service`, which stands above this room."""

_SCOPE = (
    "/subscriptions/{subscription}/resourceGroups/{group}"
    "/providers/Microsoft.MachineLearningServices/workspaces/{workspace}"
)
_PART = re.compile(r"\{(\w+)(:path)?\}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Route:
    """A pattern for requests, and the function that answers them.

    Attributes:
        method: In capitals.
        host: A pattern that the whole host must match.
        path: A pattern that the whole quoted path must match.
        handler: Answers the request.
        open: Whether it answers without a token.
    """

    method: str
    host: re.Pattern[str]
    path: re.Pattern[str]
    handler: Handler
    open: bool

    def match(self, request: Request) -> Request | None:
        """Returns the request with the parts of its path; None if it is for another route."""
        if request.method != self.method or not self.host.fullmatch(request.host):
            return None
        # Clients ask Azure Resource Manager for `//subscriptions/…`: they put a slash between its address and the path.
        found = self.path.fullmatch("/" + request.path.lstrip("/"))
        if not found:
            return None
        parts = {name: urllib.parse.unquote(text) for name, text in found.groupdict().items() if text is not None}
        return replace(request, parts=parts)


class Routes:
    """The routes of one service area.

    Args:
        host: A pattern for the hosts of the area.
        prefix: The start of all paths of the area; `{ws}` stands for the scope of the workspace.
        open: Whether the area answers without a token.
    """

    def __init__(self, host: str, prefix: str = "", *, open: bool = False) -> None:  # noqa: A002
        self._host = re.compile(host)
        self._prefix = prefix
        self._open = open
        self._routes: list[Route] = []

    def __iter__(self) -> Iterator[Route]:
        return iter(self._routes)

    def __call__(self, method: str, path: str) -> Callable[[Handler], Handler]:
        """Returns a decorator that makes a function the handler of a method and a path.

        Args:
            method: In capitals.
            path: `{name}` is one part of it, `{name:path}` all that follows, `{ws}` the scope of the workspace.
        """

        def mark(handler: Handler) -> Handler:
            pattern = compile_path(self._prefix + path)
            self._routes.append(Route(method=method, host=self._host, path=pattern, handler=handler, open=self._open))
            return handler

        return mark


def compile_path(path: str) -> re.Pattern[str]:
    """Compiles a path with named parts to a pattern; case is ignored, as Azure does."""
    path = path.replace("{ws}", _SCOPE)
    pieces = []
    end = 0
    for found in _PART.finditer(path):
        pieces.append(re.escape(path[end : found.start()]))
        pieces.append(f"(?P<{found[1]}>{'.*' if found[2] else '[^/]+'})")
        end = found.end()
    return re.compile("".join(pieces) + re.escape(path[end:]), re.IGNORECASE)

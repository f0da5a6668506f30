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
    """One pattern and the function for it.

    Attributes:
        method: In capitals.
        host: A pattern that the host must match whole.
        path: A pattern that the quoted path must match whole.
        handler: Answers.
        open: Whether it answers without a token.
    """

    method: str
    host: re.Pattern[str]
    path: re.Pattern[str]
    handler: Handler
    open: bool

    def match(self, request: Request) -> Request | None:
        """The request with its parts, or None: it is for another route."""
        if request.method != self.method or not self.host.fullmatch(request.host):
            return None
        # Azure Resource Manager is asked for `//subscriptions/…`: its address ends in a slash and the rest begins so.
        found = self.path.fullmatch("/" + request.path.lstrip("/"))
        if not found:
            return None
        parts = {name: urllib.parse.unquote(text) for name, text in found.groupdict().items() if text is not None}
        return replace(request, parts=parts)


class Routes:
    """The routes of one service area.

    Args:
        host: A pattern for the hosts at which the area is found.
        prefix: What all paths of the area begin with; `{ws}` stands for the workspace's scope.
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
        """Marks a function as the one for `method` and `path`.

        `{name}` in the path is one part of it, `{name:path}` all that follows, `{ws}` the workspace's scope.
        """

        def mark(handler: Handler) -> Handler:
            pattern = compile_path(self._prefix + path)
            self._routes.append(Route(method=method, host=self._host, path=pattern, handler=handler, open=self._open))
            return handler

        return mark


def compile_path(path: str) -> re.Pattern[str]:
    """The pattern for a path with named parts; letters may be of any case, as Azure has it."""
    path = path.replace("{ws}", _SCOPE)
    pieces = []
    end = 0
    for found in _PART.finditer(path):
        pieces.append(re.escape(path[end : found.start()]))
        pieces.append(f"(?P<{found[1]}>{'.*' if found[2] else '[^/]+'})")
        end = found.end()
    return re.compile("".join(pieces) + re.escape(path[end:]), re.IGNORECASE)

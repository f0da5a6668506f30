"""Listings page by page, in the two ways in which the services name the page after this one."""

from __future__ import annotations

import urllib.parse
from collections.abc import Sequence
from typing import Any

from ..network.message import Request, Response, reply
from ..service import Service

_SIZE = 2


def page(service: Service, request: Request, entries: Sequence[Any], parameter: str = "continuationToken") -> Response:
    """Answers with a page of a listing: all entries, or two where the workspace is odd.

    Args:
        service: The services.
        request: The request, whose query may ask for a later page.
        entries: All entries.
        parameter: The query parameter that asks for a page: "continuationToken", whose value the page before has under
            that name, or "$skipToken", which the page before has in its `nextLink`, and the last page in none.
    """
    start = int(request.query.get(parameter) or 0)
    end = start + _SIZE if service.settings.odd else len(entries)
    token = str(end) if end < len(entries) else None
    value: dict[str, Any] = {"value": entries[start:end]}
    if parameter == "continuationToken":
        value["continuationToken"] = token
    elif token:
        query = urllib.parse.urlencode({**request.query, parameter: token})
        value["nextLink"] = f"https://{request.host}{request.path}?{query}"
    return reply(value)

"""The list of the blobs in a container, page by page, in the XML of Blob Storage."""

from __future__ import annotations

from itertools import groupby
from xml.sax.saxutils import escape

from ..network.message import Request, Response
from .storage import Storage, size_of
from .store import Record

_PAGE = 5000


def listing(storage: Storage, request: Request) -> Response:
    """Lists the blobs with a prefix; with a delimiter, those in deeper folders are summed up as prefixes."""
    query = request.query
    container, prefix, delimiter = request.parts["container"], query.get("prefix", ""), query.get("delimiter", "")
    entries = _entries(storage.names(container, prefix), prefix, delimiter)
    marker = query.get("marker", "")
    left = [entry for entry in entries if entry >= marker]
    page = left[: min(_PAGE, int(query.get("maxresults") or _PAGE))]
    following = left[len(page)] if len(left) > len(page) else ""
    blobs = "".join(_entry(storage, container, entry, delimiter) for entry in page)
    head = f'<EnumerationResults ContainerName="{escape(container)}"><Prefix>{escape(prefix)}</Prefix>'
    tail = f"<NextMarker>{escape(following)}</NextMarker></EnumerationResults>"
    body = f'<?xml version="1.0" encoding="utf-8"?>{head}<Blobs>{blobs}</Blobs>{tail}'
    return Response(body=body.encode(), headers={"Content-Type": "application/xml"})


def _entries(names: list[str], prefix: str, delimiter: str) -> list[str]:
    if not delimiter:
        return names
    return [entry for entry, _ in groupby(names, lambda name: _cut(name, prefix, delimiter))]


def _cut(name: str, prefix: str, delimiter: str) -> str:
    first, cut, _ = name[len(prefix) :].partition(delimiter)
    return prefix + first + cut


def _entry(storage: Storage, container: str, entry: str, delimiter: str) -> str:
    if delimiter and entry.endswith(delimiter):
        return f"<BlobPrefix><Name>{escape(entry)}</Name></BlobPrefix>"
    record = storage.get(container, entry)
    return _blob(record) if record else ""


def _blob(record: Record) -> str:
    fields = {
        "Last-Modified": record["modified"],
        "Etag": record["etag"].strip('"'),
        "Content-Length": size_of(record),
        "Content-Type": "application/octet-stream",
        "Content-MD5": record["md5"],
        "BlobType": "BlockBlob",
        "LeaseStatus": "unlocked",
        "LeaseState": "available",
    }
    properties = "".join(f"<{name}>{escape(str(value))}</{name}>" for name, value in fields.items())
    metadata = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in record["metadata"].items())
    named = f"<Name>{escape(record['name'])}</Name><Properties>{properties}</Properties>"
    return f"<Blob>{named}<Metadata>{metadata}</Metadata></Blob>"

"""The content of a blob over the wire: ranges, headers and refusals as in Blob Storage."""

from __future__ import annotations

import re
import uuid
from pathlib import Path

from ..network.message import Refusal, Request, Response
from .storage import size_of
from .store import Record

_RANGE = re.compile(r"bytes=(\d+)-(\d*)")


class BlobRefusal(Refusal):
    """Blob Storage says no, in XML."""

    def response(self, *, head: bool = False) -> Response:
        """Returns the answer in XML.

        Args:
            head: Whether the request was a HEAD, whose answer has no body.
        """
        error = f"<Error><Code>{self.code}</Code><Message>{self.message}</Message></Error>"
        body = f'<?xml version="1.0" encoding="utf-8"?>{error}'
        headers = {"Content-Type": "application/xml", "x-ms-error-code": self.code}
        return Response(status=self.status, body=b"" if head else body.encode(), headers=headers)


def content_headers(record: Record) -> dict[str, str]:
    """Returns the headers of a blob."""
    named = {f"x-ms-meta-{name}": value for name, value in record["metadata"].items()}
    digest = {"Content-MD5": record["md5"]} if record["md5"] else {}
    return {
        "Content-Length": str(size_of(record)),
        "Content-Type": "application/octet-stream",
        "Accept-Ranges": "bytes",
        "ETag": record["etag"],
        "Last-Modified": record["modified"],
        "x-ms-blob-type": "BlockBlob",
        "x-ms-lease-status": "unlocked",
        "x-ms-request-id": str(uuid.uuid4()),
        **digest,
        **named,
    }


def read(record: Record, request: Request) -> Response:
    """Returns the content of a blob, or the range that the request asks for.

    Raises:
        BlobRefusal: The range is outside of the blob.
    """
    headers = content_headers(record)
    size = int(headers["Content-Length"])
    found = _RANGE.fullmatch(request.headers.get("x-ms-range") or request.headers.get("Range") or "")
    if not found:
        return Response(body=_bytes(record, 0, size), headers=headers)
    start, end = int(found[1]), min(int(found[2] or size - 1), size - 1)
    if start > end:
        raise BlobRefusal(416, "InvalidRange", "the range is not within the blob")
    # Clients would take a digest in this header for that of the range.
    whole = headers.pop("Content-MD5", "")
    data = _bytes(record, start, end + 1 - start)
    ranged = {"Content-Length": str(len(data)), "Content-Range": f"bytes {start}-{end}/{size}"}
    digest = {"x-ms-blob-content-md5": whole} if whole else {}
    return Response(status=206, body=data, headers={**headers, **ranged, **digest})


def _bytes(record: Record, start: int, count: int) -> bytes:
    with Path(record["file"]).open("rb") as stream:
        stream.seek(start)
        return stream.read(count)

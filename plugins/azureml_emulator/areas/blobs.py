"""Blob Storage: the blobs of the account, and the open data that anybody may read."""

from __future__ import annotations

import base64
import hashlib
import urllib.parse
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

from ..network.message import Request, Response
from ..network.routes import Handler, Routes
from ..service import Service
from ..state.blob_list import listing
from ..state.content import BlobRefusal, content_headers, read
from ..state.records import open_data_record
from ..state.settings import OPEN_DATA
from ..state.store import Record

_HOST = r"(?!azureopendatastorage\.)\w+\.blob\.core\.windows\.net"
routes = Routes(_HOST, open=True)
open_data = Routes(OPEN_DATA, open=True)
_METADATA = "x-ms-meta-"
_GIVEN_MD5 = "x-ms-blob-content-md5"
"""The digest that a client wants a blob to have; nobody compares it with the content."""

_BLOCKS = "$blocks"
"""The container of blocks that no block list names yet; no address leads there."""


def _checked(handler: Handler) -> Handler:
    """Wraps a handler: refuses requests that are not signed, and answers refusals as Blob Storage does."""

    def answer(service: Service, request: Request) -> Response:
        request = _quoted_once(service, request)
        try:
            _check_signature(service, request)
            return handler(service, request)
        except BlobRefusal as refusal:
            return refusal.response(head=request.method == "HEAD")

    return answer


def _quoted_once(service: Service, request: Request) -> Request:
    """Returns the request as it was meant: for a name with blanks, the SDK quotes the quoted path again.

    The picture of the tutorial has such a name, and Azure is known to accept it.
    """
    path, signature = urllib.parse.unquote(request.path), request.query.get("sig", "")
    if service.tokens.signs(request.path, signature) or not service.tokens.signs(path, signature):
        return request
    return replace(request, path=path, parts={name: urllib.parse.unquote(part) for name, part in request.parts.items()})


def _check_signature(service: Service, request: Request) -> None:
    kind = request.headers.get("Authorization", "").partition(" ")[0]
    if "sig" in request.query:
        if not service.tokens.signs(request.path, request.query["sig"]):
            raise BlobRefusal(403, "AuthenticationFailed", "the signature of the address is wrong")
    elif kind == "Bearer":
        service.tokens.check(request)
    elif kind != "SharedKey":
        raise BlobRefusal(401, "NoAuthenticationInformation", "the request is not signed")


@routes("GET", "/{container}")
@_checked
def get_container(service: Service, request: Request) -> Response:
    """Lists the blobs of a container; without `comp=list`, describes the container itself."""
    if request.query.get("comp") != "list":
        return Response(headers={"ETag": '"0x1"'})
    with service.store.lock:
        return listing(service.storage, request)


@routes("HEAD", "/{container}")
@_checked
def head_container(service: Service, request: Request) -> Response:
    """Describes a container; every name has one."""
    return Response(headers={"ETag": '"0x1"'})


@routes("PUT", "/{container}")
@_checked
def make_container(service: Service, request: Request) -> Response:
    """Refuses to make a container, because every name has one.

    Raises:
        BlobRefusal: Always.
    """
    raise BlobRefusal(409, "ContainerAlreadyExists", "the container exists already")


@routes("GET", "/{container}/{name:path}")
@_checked
def get(service: Service, request: Request) -> Response:
    """Returns the content of a blob, or the range that was asked for."""
    with service.store.lock:  # so that no other request replaces the content while it is read
        return read(_blob(service, request), request)


@routes("HEAD", "/{container}/{name:path}")
@_checked
def head(service: Service, request: Request) -> Response:
    """Describes a blob, without its content."""
    with service.store.lock:
        return Response(headers=content_headers(_blob(service, request)))


@routes("PUT", "/{container}/{name:path}")
@_checked
def put(service: Service, request: Request) -> Response:
    """Writes a blob as a whole, in blocks, or as a copy; or only its metadata.

    Raises:
        BlobRefusal: The blob exists and must not be replaced, or what it is made from does not fit.
    """
    if request.headers.get("If-None-Match") == "*" and service.storage.get(*_names(request)):
        raise BlobRefusal(409, "BlobAlreadyExists", "the blob exists already")
    if request.headers.get("x-ms-copy-source"):
        return _copy(service, request)
    kind = request.query.get("comp", "")
    if kind == "block":
        service.storage.put(_BLOCKS, _block_key(request, request.query["blockid"]), request.body)
        return _written(None, request)
    if kind == "blocklist":
        return _join(service, request)
    if kind in {"metadata", "properties"}:
        _blob(service, request)
        return Response(headers=content_headers(service.storage.set_metadata(*_names(request), _metadata(request))))
    return _put_whole(service, request)


@routes("DELETE", "/{container}/{name:path}")
@_checked
def delete(service: Service, request: Request) -> Response:
    """Removes a blob.

    Raises:
        BlobRefusal: There is no such blob.
    """
    _blob(service, request)
    service.storage.delete(*_names(request))
    return Response(status=202)


@open_data("GET", "/mnist")
@open_data("HEAD", "/mnist")
def open_container(service: Service, request: Request) -> Response:
    """Says that anybody may read; the data runtime asks this before it looks for a token."""
    return Response(headers={"ETag": '"0x1"', "x-ms-blob-public-access": "container"})


@open_data("GET", "/mnist/{name}")
@open_data("HEAD", "/mnist/{name}")
def open_file(service: Service, request: Request) -> Response:
    """Returns one of the four files of MNIST, as they come with stoker."""
    try:
        record = open_data_record(request.parts["name"])
        if request.method == "HEAD":
            return Response(headers=content_headers(record))
        return read(record, request)
    except BlobRefusal as refusal:
        return refusal.response(head=request.method == "HEAD")


def _blob(service: Service, request: Request) -> Record:
    found = service.storage.get(*_names(request))
    if found is None:
        raise BlobRefusal(404, "BlobNotFound", "there is no such blob")
    return found


def _names(request: Request) -> tuple[str, str]:
    return request.parts["container"], request.parts["name"]


def _put_whole(service: Service, request: Request) -> Response:
    sent = request.headers.get("Content-MD5")
    if sent and sent != _md5(request.body):
        raise BlobRefusal(400, "Md5Mismatch", "the content is not what was sent")
    given = request.headers.get(_GIVEN_MD5, "") or _md5(request.body)
    record = service.storage.put(*_names(request), request.body, _metadata(request), md5=given)
    return _written(record, request)


def _join(service: Service, request: Request) -> Response:
    keys = [_block_key(request, block.text or "") for block in ET.fromstring(request.body)]
    blocks = [block for key in keys if (block := service.storage.get(_BLOCKS, key))]
    if len(blocks) != len(keys):
        raise BlobRefusal(400, "InvalidBlockList", "a block of the list was not sent")
    data = b"".join(Path(block["file"]).read_bytes() for block in blocks)
    given = request.headers.get(_GIVEN_MD5, "")  # of blocks, the service computes no digest
    record = service.storage.put(*_names(request), data, _metadata(request), md5=given)
    for key in keys:
        service.storage.delete(_BLOCKS, key)
    return _written(record, request)


def _copy(service: Service, request: Request) -> Response:
    path = urllib.parse.unquote(urllib.parse.urlsplit(request.headers["x-ms-copy-source"]).path)
    container, _, name = path.lstrip("/").partition("/")
    with service.store.lock:
        source = service.storage.get(container, name)
        if source is None:
            raise BlobRefusal(404, "BlobNotFound", "there is no such blob to copy")
        record = service.storage.copy(*_names(request), source)
    copied = {"x-ms-copy-id": record["etag"].strip('"'), "x-ms-copy-status": "success"}
    return Response(status=202, headers={"ETag": record["etag"], "Last-Modified": record["modified"], **copied})


def _written(record: Record | None, request: Request) -> Response:
    headers = {"Content-MD5": _md5(request.body), "x-ms-request-server-encrypted": "true"}
    if record:
        headers |= {"ETag": record["etag"], "Last-Modified": record["modified"]}
    return Response(status=201, headers=headers)


def _metadata(request: Request) -> dict[str, str]:
    named = {name.lower(): value for name, value in request.headers.items()}
    return {name.removeprefix(_METADATA): value for name, value in named.items() if name.startswith(_METADATA)}


def _block_key(request: Request, block: str) -> str:
    return "/".join([*_names(request), block])


def _md5(data: bytes) -> str:
    return base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()

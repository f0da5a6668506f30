"""What a response has of a blob is what it says, or an error; a blob that grows is read to the end it had."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import requests

from stoker.engine.errors import BackendError
from stoker.plugins.azureml.reference import Scope
from stoker.plugins.azureml.rest.client import Patience, Service
from stoker.plugins.azureml.rest.paths import Route
from stoker.plugins.azureml.rest.response import Piece, TransientError, check
from stoker.plugins.azureml.runs import download

WHOLE = bytes(range(100))


def answer(status: int, content: bytes, **headers: str) -> requests.Response:
    response = requests.Response()
    response.status_code, response._content = status, content
    response.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
    return response


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (answer(206, WHOLE[10:40], Content_Range="bytes 10-39/100"), Piece(content=WHOLE[10:40], total=100)),
        (
            answer(206, WHOLE[10:], Content_Range="bytes 10-99/100", x_ms_blob_content_md5="whole", Content_MD5="part"),
            Piece(content=WHOLE[10:], total=100, md5="whole"),
        ),
        (answer(200, WHOLE, Content_MD5="whole"), Piece(content=WHOLE[10:], total=100, md5="whole")),
        (answer(200, WHOLE[:5]), Piece(content=b"", total=5)),
        (answer(416, b"", Content_Range="bytes */10"), Piece(content=b"", total=10)),
        (answer(416, b""), Piece(content=b"", total=10)),
    ],
)
def test_a_piece_is_what_the_response_has(response: Any, expected: Piece):
    assert Piece.of(response, 10) == expected


@pytest.mark.parametrize(
    "line",
    ["", "bytes", "bytes */100", "bytes 0-29/100", "bytes 10-29/100", "bytes 10-40/100", "bytes 10-39/*", "10-39/100"],
)
def test_a_piece_that_is_not_the_range_it_should_be_is_refused(line: str):
    with pytest.raises(ValueError, match="Content-Range"):
        Piece.of(answer(206, WHOLE[10:40], Content_Range=line), 10)


class Growing(Service):
    """The services of a workspace with one blob, which grows by a byte with each request and answers three at once."""

    def __init__(self) -> None:
        super().__init__(Scope(subscription="s", group="g", workspace="w"), "cli", Patience())
        self.size = 20

    def read(self, url: str, offset: int, limit: int | None = None) -> Piece | None:
        piece = Piece(content=WHOLE[: self.size][offset : offset + 3], total=self.size)
        self.size += 1
        return piece


def test_a_blob_that_grows_is_read_to_the_end_that_it_had():
    read = Growing().read_rest("", 5)
    assert read is not None
    assert WHOLE[5:20] == read[:15]
    assert len(read) < 15 + 3
    assert Growing().read_rest("", 20) == b""


@pytest.mark.parametrize(("header", "wait_s"), [({}, 0.0), ({"Retry_After": "7"}, 7.0), ({"Retry_After": "soon"}, 0.0)])
def test_a_service_that_asks_for_time_is_given_it(header: dict[str, str], wait_s: float):
    with pytest.raises(TransientError) as caught:
        check("GET", "https://host/x", answer(429, b"", **header))
    assert caught.value.retry_after_s == wait_s


class Scripted(Service):
    """The services of a workspace with one blob, which is read in these pieces."""

    def __init__(self, *pieces: Piece) -> None:
        super().__init__(Scope(subscription="s", group="g", workspace="w"), "cli", Patience())
        self.pieces = list(pieces)

    def read(self, url: str, offset: int, limit: int | None = None) -> Piece | None:
        return self.pieces.pop(0)


class Endless(Scripted):
    """A service with one blob that never ends, and with others that are not there."""

    def read(self, url: str, offset: int, limit: int | None = None) -> Piece | None:
        return Piece(content=b"x", total=1 << 40) if url == "endless" else None

    def get(self, route: Route) -> None:
        return None


def test_a_download_that_fails_ends_those_beside_it(tmp_path: Path):
    blobs = {tmp_path / url: download.Blob("run", f"outputs/{url}", url) for url in ("endless", "gone")}
    with pytest.raises(BackendError, match="the output outputs/gone is gone"):
        download.download_all(Endless(), blobs, lambda *_: None)


@pytest.mark.parametrize(
    "pieces",
    [
        (Piece(content=b"ab", total=4), Piece(content=b"c", total=5)),
        (Piece(content=b"ab", total=4), Piece(content=b"", total=4)),
        (Piece(content=b"ab", total=4), Piece(content=b"", total=2)),
        (Piece(content=b"ab", total=4, md5="one"), Piece(content=b"cd", total=4, md5="other")),
        (Piece(content=b"", total=4),),
    ],
)
def test_a_blob_that_changes_while_it_is_read_is_refused(pieces: tuple[Piece, ...], tmp_path: Path):
    with pytest.raises(BackendError, match="changed while it was read"):
        download.download(Scripted(*pieces), download.Blob("run", "outputs/file", "url"), tmp_path / "file")

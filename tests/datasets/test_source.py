"""Downloads over a real socket that misbehaves: the right bytes arrive, or no file and a reason for each mirror."""

from __future__ import annotations

import contextlib
import hashlib
import io
import resource
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests

from stoker.datasets.source.http import Patience, Transport, attempt
from stoker.datasets.source.mirrors import Wanted, download
from stoker.datasets.source.partial import Partial
from stoker.engine.errors import DatasetError, DownloadError, StorageError

from ..patience import PATIENCE_S

BODY = hashlib.shake_256(b"a file that does not compress").digest(200_000)
PATIENCE = Patience(connect_s=5, read_s=10, tries=3, pause_s=1, longest_pause_s=20, slowest_bytes_per_s=1000)
IMPATIENCE = replace(PATIENCE, read_s=1.0)
CUTS = (1, 4096, 65_536, 131_072, len(BODY) - 1)
Fault = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    """Answers with the next fault of the server's list, or properly when none is left."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        self.server.requests.append(dict(self.headers))
        fault = self.server.faults.pop(0) if self.server.faults else proper
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            fault(self)

    def answer(self, status: int, body: bytes = b"", *, length: int | None = None, **headers: str) -> None:
        self.send_response(status)
        if length != -1:
            self.send_header("Content-Length", str(len(body) if length is None else length))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.send(body)

    def send(self, body: bytes) -> None:
        self.server.sent_bytes += len(body)  # before the client can have it all and look
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.body = BODY
        self.etag = '"one"'
        self.faults: list[Fault] = []
        self.requests: list[dict[str, str]] = []
        self.sent_bytes = 0
        self.released = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/some/file.gz"

    def handle_error(self, *_: object) -> None:
        """Ignores a client that went away."""


def proper(handler: Handler) -> None:
    """Answers as a good server does, with ranges and If-Range."""
    server, range_ = handler.server, handler.headers.get("Range", "")
    if not range_ or handler.headers.get("If-Range") != server.etag:
        handler.answer(200, server.body, ETag=server.etag)
        return
    start = int(range_.removeprefix("bytes=").rstrip("-"))
    described = f"bytes {start}-{len(server.body) - 1}/{len(server.body)}"
    handler.answer(206, server.body[start:], ETag=server.etag, Content_Range=described)


def cut(size: int, **headers: str) -> Fault:
    """Promises the whole rest and closes after `size` bytes of it."""

    def fault(handler: Handler) -> None:
        start = int(handler.headers.get("Range", "bytes=0-").removeprefix("bytes=").rstrip("-"))
        rest = handler.server.body[start:]
        described = {"Content_Range": f"bytes {start}-{len(BODY) - 1}/{len(BODY)}"} if start else {}
        sent = {"ETag": handler.server.etag, **described, **headers}
        handler.answer(206 if start else 200, rest[:size], length=len(rest), **sent)
        handler.close_connection = True

    return fault


def whole(handler: Handler) -> None:
    """Ignores Range."""
    handler.answer(200, handler.server.body, ETag=handler.server.etag)


def status(code: int, **headers: str) -> Fault:
    return lambda handler: handler.answer(code, b"no", **headers)


def stall(size: int) -> Fault:
    def fault(handler: Handler) -> None:
        handler.answer(200, BODY[:size], length=len(BODY), ETag=handler.server.etag)
        handler.server.released.wait(PATIENCE_S)
        handler.close_connection = True

    return fault


def trickle(handler: Handler) -> None:
    """Sends a byte now and then, for 20 s."""
    handler.answer(200, b"", length=len(BODY))
    for byte in BODY[:400]:
        if handler.server.released.wait(0.05):
            break
        handler.send(bytes((byte,)))
    handler.close_connection = True


def chunked(size: int, *, complete: bool) -> Fault:
    def fault(handler: Handler) -> None:
        handler.answer(200, length=-1, Transfer_Encoding="chunked", ETag=handler.server.etag)
        for start in range(0, size, 10_000):
            piece = BODY[start : min(start + 10_000, size)]
            handler.send(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
        if complete:
            handler.send(b"0\r\n\r\n")
        handler.close_connection = True

    return fault


def until_closed(handler: Handler) -> None:
    """Sends neither a length nor chunks, as HTTP/1.0 did."""
    handler.answer(200, BODY, length=-1)
    handler.close_connection = True


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as started:
        yield started


@contextlib.contextmanager
def serving() -> Iterator[Server]:
    with Server() as started:
        thread = threading.Thread(target=started.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield started
        finally:
            started.released.set()
            started.shutdown()
            thread.join()


class Downloads:
    """Downloads into a folder, without ever sleeping."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.target = folder / "file"
        self.sleeps: list[float] = []
        self.patience = PATIENCE
        self.limit_bytes = 1 << 20
        self.expected = BODY

    def install(self, partial: Path, url: str) -> None:
        if partial.read_bytes() != self.expected:
            raise DatasetError(f"{url} sent another file", received="others", expected="the right bytes")
        partial.rename(self.target)

    def __call__(self, *urls: str) -> None:
        wanted = Wanted(
            name="file",
            partial=self.folder / "file.partial",
            ready=self.target.exists,
            install=self.install,
            limit_bytes=self.limit_bytes,
        )
        with requests.Session() as session:
            session.trust_env = False
            transport = Transport(
                session=session, sleep=self.sleeps.append, clock=time.monotonic, patience=self.patience
            )
            download(urls, wanted, transport)

    def fails(self, *urls: str) -> str:
        """Returns the reasons, one for each mirror; asserts that no file has the final name."""
        with pytest.raises(DownloadError) as caught:
            self(*urls)
        assert not self.target.exists()
        assert all(url in caught.value.received for url in urls)
        assert caught.value.hint
        return caught.value.received

    def succeeded(self) -> bool:
        """Returns whether the right file is there, and nothing else."""
        left = {path.name for path in self.folder.iterdir()}
        return self.target.read_bytes() == self.expected and left == {"file", "file.partial.lock"}


@pytest.fixture
def fetch(tmp_path: Path) -> Downloads:
    return Downloads(tmp_path)


def test_a_file_is_downloaded_as_it_is_stored(server: Server, fetch: Downloads) -> None:
    fetch(server.url)
    assert fetch.succeeded()
    assert server.requests[0]["Accept-Encoding"] == "identity"
    fetch(server.url)
    assert len(server.requests) == 1


@pytest.mark.parametrize("size", CUTS)
def test_after_a_cut_only_the_rest_is_asked_for(server: Server, fetch: Downloads, size: int) -> None:
    server.faults = [cut(size)]
    fetch(server.url)
    assert fetch.succeeded()
    assert server.requests[1]["Range"] == f"bytes={size}-"
    assert server.requests[1]["If-Range"] == '"one"'
    assert server.sent_bytes == len(BODY)


def test_bytes_that_arrive_restore_patience(server: Server, fetch: Downloads) -> None:
    server.faults = [cut(10_000) for _ in range(15)]
    fetch(server.url)
    assert fetch.succeeded()
    assert server.sent_bytes == len(BODY)
    assert set(fetch.sleeps) == {1}


def test_without_new_bytes_patience_ends_and_pauses_grow(server: Server, fetch: Downloads) -> None:
    server.faults = [cut(0) for _ in range(9)]
    assert "(3 attempts)" in fetch.fails(server.url)
    assert fetch.sleeps == [1, 2]


@pytest.mark.parametrize("size", CUTS)
def test_a_server_that_ignores_ranges_starts_again(server: Server, fetch: Downloads, size: int) -> None:
    server.faults = [cut(size), whole]
    fetch(server.url)
    assert fetch.succeeded()


def test_a_server_that_always_starts_again_and_stops_is_given_up(server: Server, fetch: Downloads) -> None:
    def start_and_stop(handler: Handler) -> None:
        handler.answer(200, BODY[:5000], length=len(BODY), ETag=handler.server.etag)
        handler.close_connection = True

    server.faults = [start_and_stop] * 20
    fetch.fails(server.url)
    assert len(server.requests) == 3


@pytest.mark.parametrize("size", CUTS)
def test_a_file_that_changes_meanwhile_is_not_mixed(server: Server, fetch: Downloads, size: int) -> None:
    def change(handler: Handler) -> None:
        handler.server.body, handler.server.etag = BODY[::-1], '"two"'
        proper(handler)

    server.faults = [cut(size), change]
    fetch.expected = BODY[::-1]
    fetch(server.url)
    assert fetch.succeeded()


def test_a_server_that_continues_another_version_is_not_believed(server: Server, fetch: Downloads) -> None:
    def continue_wrongly(handler: Handler) -> None:
        handler.answer(206, BODY[::-1][7000:], ETag='"two"', Content_Range=f"bytes 7000-{len(BODY) - 1}/{len(BODY)}")

    server.faults = [cut(7000), continue_wrongly]
    fetch(server.url)
    assert fetch.succeeded()


@pytest.mark.parametrize("start", [0, 6999, 7001])
def test_a_server_that_continues_elsewhere_is_not_believed(server: Server, fetch: Downloads, start: int) -> None:
    def continue_elsewhere(handler: Handler) -> None:
        described = f"bytes {start}-{len(BODY) - 1}/{len(BODY)}"
        handler.answer(206, BODY[start:], ETag='"one"', Content_Range=described)

    server.faults = [cut(7000), continue_elsewhere]
    fetch(server.url)
    assert fetch.succeeded()


@pytest.mark.parametrize("etag", ["", 'W/"one"'])
def test_without_a_strong_etag_a_download_starts_again(server: Server, fetch: Downloads, etag: str) -> None:
    server.etag = etag
    server.faults = [cut(5000)]
    fetch(server.url)
    assert fetch.succeeded()
    assert "Range" not in server.requests[1]


def test_a_refused_range_makes_it_start_again(server: Server, fetch: Downloads) -> None:
    server.faults = [cut(5000), status(416, Content_Range="bytes */100")]
    fetch(server.url)
    assert fetch.succeeded()


@pytest.mark.parametrize("code", [408, 429, 500, 502, 503, 504])
def test_a_transient_fault_of_the_server_is_retried(server: Server, fetch: Downloads, code: int) -> None:
    server.faults = [status(code), status(code)]
    fetch(server.url)
    assert fetch.succeeded()
    assert fetch.sleeps == [1, 2]


@pytest.mark.parametrize(("asked", "slept"), [("7", 7), ("100000", 20), ("soon", 1), ("-5", 1)])
def test_a_server_that_asks_to_wait_is_obeyed_within_bounds(
    server: Server, fetch: Downloads, asked: str, slept: float
) -> None:
    server.faults = [status(429, Retry_After=asked)]
    fetch(server.url)
    assert fetch.succeeded()
    assert fetch.sleeps == [slept]


@pytest.mark.parametrize("code", [400, 401, 403, 404, 410, 501])
def test_a_lasting_fault_leads_to_the_next_mirror_at_once(server: Server, fetch: Downloads, code: int) -> None:
    server.faults = [status(code)]
    fetch(f"{server.url}?first", server.url)
    assert fetch.succeeded()
    assert fetch.sleeps == []


def wrong_length(length: int) -> Fault:
    def fault(handler: Handler) -> None:
        handler.answer(200, BODY, length=length)
        handler.close_connection = True

    return fault


def html(handler: Handler) -> None:
    handler.answer(200, b"<html>Please log in to our network</html>", Content_Type="text/html")


def loop(handler: Handler) -> None:
    handler.server.faults = [loop]
    handler.answer(302, Location=handler.path)


def elsewhere(location: str) -> Fault:
    return lambda handler: handler.answer(302, Location=location)


def garbage(handler: Handler) -> None:
    handler.wfile.write(b"this is not HTTP\r\n\r\n")
    handler.close_connection = True


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (html, "another file"),
        (wrong_length(len(BODY) - 1000), "another file"),
        (wrong_length(len(BODY) + 1000), "broken"),
        (chunked(len(BODY) // 2, complete=True), "another file"),
        (loop, "redirects"),
        (elsewhere("file:///etc/hostname"), "file:///etc/hostname"),
        (elsewhere("ftp://127.0.0.1/file"), "ftp://127.0.0.1/file"),
        (elsewhere("http://[::1/file"), "invalid"),
        (elsewhere("http://:80:80/"), "port could not"),
        (trickle, "slowly"),
        (garbage, "aborted"),
        (wrong_length(1 << 30), "larger than"),
        (status(200), "another file"),
    ],
)
def test_a_mirror_with_any_fault_is_passed_over(server: Server, fetch: Downloads, fault: Fault, reason: str) -> None:
    fetch.patience = replace(IMPATIENCE if fault is trickle else PATIENCE, tries=1)
    with serving() as bad:
        bad.faults = [fault]
        reasons = fetch.fails(bad.url)
        assert reason in reasons.lower()
        bad.faults = [fault]
        fetch(bad.url, server.url)
    assert fetch.succeeded()


@pytest.mark.parametrize("size", CUTS)
def test_a_request_to_a_server_that_stalls_is_retried(server: Server, fetch: Downloads, size: int) -> None:
    server.faults = [stall(size)]
    fetch.patience = IMPATIENCE
    fetch(server.url)
    assert fetch.succeeded()
    assert server.requests[1]["Range"] == f"bytes={size}-"


def test_a_body_without_length_is_taken_whole(server: Server, fetch: Downloads) -> None:
    server.faults = [chunked(len(BODY), complete=True)]
    fetch(server.url)
    assert fetch.succeeded()


def test_a_body_that_ends_with_the_connection_is_taken_whole(server: Server, fetch: Downloads) -> None:
    server.faults = [until_closed]
    fetch(server.url)
    assert fetch.succeeded()


@pytest.mark.parametrize("size", CUTS)
def test_chunks_that_break_off_are_continued(server: Server, fetch: Downloads, size: int) -> None:
    server.faults = [chunked(size, complete=False)]
    fetch(server.url)
    assert fetch.succeeded()


def test_a_gzip_file_that_is_declared_as_an_encoding_is_left_as_it_is(server: Server, fetch: Downloads) -> None:
    server.faults = [lambda handler: handler.answer(200, BODY, Content_Encoding="gzip")]
    fetch(server.url)
    assert fetch.succeeded()


def test_a_body_that_grows_beyond_its_limit_is_stopped(server: Server, fetch: Downloads) -> None:
    def grow(handler: Handler) -> None:
        handler.answer(200, length=-1, Transfer_Encoding="chunked")
        for _ in range(16 * fetch.limit_bytes >> 16):
            handler.send(b"10000\r\n" + bytes(65_536) + b"\r\n")

    server.faults = [grow]
    assert "larger than" in fetch.fails(server.url)


def test_hosts_that_are_not_there_fail_at_once_and_each_has_its_reason(fetch: Downloads) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        refused = f"http://127.0.0.1:{taken.getsockname()[1]}/file"
        reasons = fetch.fails(refused, "http://no-such-host.invalid/file", "file:///etc/hostname", "http://[::1/file")
    assert "refused" in reasons
    assert "resolve" in reasons
    assert "only http and https" in reasons
    assert fetch.sleeps == []


def test_mirrors_are_not_asked_for_ever(server: Server, fetch: Downloads) -> None:
    fetch.patience = replace(PATIENCE, mirrors_s=0)
    server.faults = [status(404)]
    assert "took too long" in fetch.fails(f"{server.url}?first", server.url)
    assert len(server.requests) == 1


def test_an_https_address_without_tls_behind_it_is_refused(server: Server, fetch: Downloads) -> None:
    reasons = fetch.fails(server.url.replace("http:", "https:"))
    assert "ssl" in reasons.lower()
    assert fetch.sleeps == []


def test_a_disk_that_takes_no_more_is_an_error_of_the_disk(server: Server, fetch: Downloads) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(StorageError) as caught:
            fetch(server.url)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert caught.value.path == str(fetch.folder / "file.partial")
    fetch(server.url)
    assert fetch.succeeded()


@pytest.mark.parametrize("note", ["", "{", "[]", '{"url": 1}', '{"url": "http://elsewhere/", "validator": "x"}'])
def test_what_another_process_left_behind_does_no_harm(server: Server, fetch: Downloads, note: str) -> None:
    (fetch.folder / "file.partial").write_bytes(b"something else")
    (fetch.folder / "file.partial.json").write_text(note)
    fetch(server.url)
    assert fetch.succeeded()


CLIENT = """
import sys, time
from importlib.machinery import ModuleSpec
from importlib.util import module_from_spec
from pathlib import Path
spec = ModuleSpec("stoker", None, is_package=True)
spec.submodule_search_locations = [sys.argv[1]]
sys.modules["stoker"] = module_from_spec(spec)
import requests
from stoker.datasets.source.mirrors import Wanted, download
from stoker.datasets.source.partial import Partial
from stoker.datasets.source.http import Patience, Transport, attempt
target = Path(sys.argv[2]) / "file"
wanted = Wanted(name="file", partial=target.with_name("file.partial"), ready=target.exists,
                install=lambda partial, url: partial.rename(target), limit_bytes=1 << 30)
session = requests.Session()
session.trust_env = False
transport = Transport(session=session, sleep=time.sleep, clock=time.monotonic, patience=Patience())
download([sys.argv[3]], wanted, transport)
"""


def client(folder: Path, url: str) -> subprocess.Popen[bytes]:
    root = Path(__file__).resolve().parents[2]
    return subprocess.Popen([sys.executable, "-c", CLIENT, str(root), str(folder), url], cwd=folder)


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_of_several_processes_one_downloads_and_all_are_served(server: Server, fetch: Downloads) -> None:
    processes = [client(fetch.folder, server.url) for _ in range(6)]
    assert [process.wait(PATIENCE_S) for process in processes] == [0] * 6
    assert fetch.succeeded()
    assert len(server.requests) == 1


def test_certificates_that_are_gone_are_the_reason_and_not_retried(tmp_path: Path) -> None:
    with requests.Session() as session:
        session.trust_env = False
        session.verify = "/nonexistent/corporate-ca.pem"  # as REQUESTS_CA_BUNDLE sets it
        transport = Transport(session=session, sleep=time.sleep, clock=time.monotonic, patience=PATIENCE)
        outcome = attempt("https://127.0.0.1:1/file", Partial(tmp_path / "file.partial"), transport, limit_bytes=9)
    assert "corporate-ca.pem" in outcome.fault
    assert not outcome.again


class Redirects(requests.adapters.BaseAdapter):
    """Answers https with a redirect, and http with bytes."""

    def send(self, request: Any, **_: Any) -> requests.Response:
        response = requests.Response()
        response.request, response.url, response.raw = request, request.url, io.BytesIO(b"changed on the way")
        response.status_code = 302 if request.url.startswith("https:") else 200
        response.headers["Location"] = "http://example.org/data"
        return response

    def close(self) -> None:
        """Has nothing to close."""


def test_a_redirect_from_https_to_http_is_refused(tmp_path: Path):
    session = requests.Session()
    for scheme in ("https://", "http://"):
        session.mount(scheme, Redirects())
    partial = Partial(tmp_path / "data.partial")
    transport = Transport(session=session, sleep=lambda _: None, clock=time.monotonic)
    outcome = attempt("https://example.org/data", partial, transport, limit_bytes=1000)
    assert outcome.fault.startswith("it leads from https to http")
    assert not outcome.again
    assert partial.size_bytes == 0

"""One connection of a client, from `CONNECT` to its end."""

from __future__ import annotations

import contextlib
import http.server
import select
import socket
import ssl
import struct
import threading
import urllib.parse
from typing import Any, Protocol

from .authority import Authority
from .faults import ALTER, Fault, FaultKind, Faults
from .message import Request, Response, parse_query

_LINGER = struct.pack("ii", 1, 0)
_NO_BODY = {204, 304}


class Owner(Protocol):
    """What a connection needs of the proxy that accepted it."""

    @property
    def hosts(self) -> frozenset[str]:
        """The hosts that are answered for."""

    @property
    def authority(self) -> Authority:
        """Signs the certificates of those hosts."""

    @property
    def faults(self) -> Faults:
        """The faults to inject."""

    @property
    def stopping(self) -> threading.Event:
        """Is set when the emulator stops."""

    def answer(self, request: Request, /) -> Response:
        """Answers a request."""

    def record(self, method: str, host: str, path: str, answer: Response | None, *, blocked: bool = False) -> None:
        """Records a request and its answer.

        Args:
            method: In capitals.
            host: The host that the client meant.
            path: The path as it was sent, without the query.
            answer: The answer; None if the connection was reset.
            blocked: Whether the emulator does not answer for the host.
        """

    def opened(self, connection: socket.socket) -> None:
        """Notes a connection, to drop it when the emulator stops."""

    def closed(self, connection: socket.socket) -> None:
        """Forgets a connection."""


class Connection(http.server.BaseHTTPRequestHandler):
    """Reads requests and writes answers, and injects faults in between.

    Args:
        owner: The proxy that accepted the connection.
        *arguments: Those of `BaseHTTPRequestHandler`.
    """

    protocol_version = "HTTP/1.1"
    server_version = "stoker-emulator"
    sys_version = ""
    disable_nagle_algorithm = True
    timeout = 120
    wbufsize = -1

    def __init__(self, owner: Owner, *arguments: Any) -> None:
        self._owner = owner
        self._host = ""
        super().__init__(*arguments)

    def setup(self) -> None:
        """Notes the connection, to drop it when the emulator stops."""
        super().setup()
        self._owner.opened(self.connection)

    def finish(self) -> None:
        """Forgets the connection."""
        self._owner.closed(self.connection)
        with contextlib.suppress(OSError):
            super().finish()
        if isinstance(self.connection, ssl.SSLSocket):
            with contextlib.suppress(OSError):
                self.connection.close()

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002
        """Prints nothing, because requests are recorded."""

    def do_CONNECT(self) -> None:
        """Continues behind TLS as the host that was asked for; refuses a host that the emulator does not answer for."""
        host = self.path.rpartition(":")[0].lower()
        if host not in self._owner.hosts:
            self._refuse_host(host, "")
            return
        self.send_response(200, "Connection established")
        self.end_headers()
        self.wfile.flush()
        self._wrap(host)

    def _wrap(self, host: str) -> None:
        plain = self.connection
        secured = self._owner.authority.context(host).wrap_socket(plain, server_side=True)
        self._owner.closed(plain)
        self._owner.opened(secured)
        self.connection = self.request = secured
        self.rfile = secured.makefile("rb", -1)
        self.wfile = secured.makefile("wb", -1)
        self._host = host
        # Some clients send CONNECT in HTTP/1.0, after which a connection would be closed.
        self.close_connection = False

    def _answer(self) -> None:
        target = urllib.parse.urlsplit(self.path)
        host = self._host or (target.hostname or "")
        if host not in self._owner.hosts:
            self._refuse_host(host, target.path)
            return
        request = Request(
            method=self.command,
            host=host,
            path=target.path,
            query=parse_query(target.query),
            headers=self.headers,
            body=self._body(),
        )
        fault = self._owner.faults.take(request, target.query)
        response = self._owner.answer(request) if fault is None else self._faulty(request, fault)
        self._owner.record(request.method, host, request.path, response)
        if response:
            self._send(response)
        else:
            self._reset()

    def do_GET(self) -> None:
        """Answers a request."""
        self._answer()

    def do_HEAD(self) -> None:
        """Answers a request."""
        self._answer()

    def do_POST(self) -> None:
        """Answers a request."""
        self._answer()

    def do_PUT(self) -> None:
        """Answers a request."""
        self._answer()

    def do_PATCH(self) -> None:
        """Answers a request."""
        self._answer()

    def do_DELETE(self) -> None:
        """Answers a request."""
        self._answer()

    def _refuse_host(self, host: str, path: str) -> None:
        refusal = Response(status=403, body=b"the emulator answers for no such host\n")
        self._owner.record(self.command, host, path, refusal, blocked=True)
        self.close_connection = True
        self._send(refusal)

    def _body(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            return b"".join(iter(self._chunk, b""))
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _chunk(self) -> bytes:
        size = int(self.rfile.readline().partition(b";")[0], 16)
        data = self.rfile.read(size)
        self.rfile.readline()
        return data

    def _faulty(self, request: Request, fault: Fault) -> Response | None:
        """Returns the answer of a fault; None if the connection is to be reset."""
        if fault.kind is FaultKind.TIME_OUT:
            self._hang()
        if fault.kind is FaultKind.RESET_AFTER:
            self._owner.answer(request)
        if fault.kind is FaultKind.SLOW:
            self._owner.stopping.wait(fault.slow_s)
            return self._owner.answer(request)
        if fault.kind in ALTER:
            return fault.kind.altered(self._owner.answer(request))
        return fault.kind.response

    def _hang(self) -> None:
        """Answers nothing until the client gives up or the emulator stops."""
        while not self._owner.stopping.is_set():
            if select.select([self.connection], [], [], 0.1)[0]:
                return

    def _reset(self) -> None:
        """Drops the connection, so that the client sees a reset and not an end."""
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER)
            self.connection.close()

    def _send(self, response: Response) -> None:
        self.send_response(response.status)
        headers = {"Content-Length": str(len(response.body)), **response.headers}
        if self.command != "HEAD" and int(headers["Content-Length"]) > len(response.body):  # it was cut
            self.close_connection = True
        for name, value in headers.items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD" and response.status not in _NO_BODY:
            self.wfile.write(response.body)
        self.wfile.flush()

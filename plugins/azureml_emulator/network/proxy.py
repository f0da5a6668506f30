"""The forward proxy: ends TLS for the hosts that the emulator answers for, and refuses all others."""

from __future__ import annotations

import contextlib
import http.server
import socket
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from .authority import Authority
from .connection import Connection
from .faults import Faults
from .message import Request, Response


@dataclass(frozen=True, kw_only=True, slots=True)
class Recorded:
    """A request that was received.

    Attributes:
        method: In capitals; `CONNECT` if the connection was refused.
        host: The host that the client meant.
        path: As it was sent, without the query.
        blocked: Whether the emulator does not answer for the host.
        status: The HTTP status of the answer; 0 if there was none.
        size: The size of the body of the answer, in bytes.
    """

    method: str
    host: str
    path: str
    blocked: bool
    status: int
    size: int


class Proxy:
    """Listens on 127.0.0.1 and answers each connection in a separate thread.

    Args:
        port: The port to listen at; 0 takes a free one.
        hosts: The hosts to answer for.
        authority: Signs the certificates of those hosts.
        faults: The faults to inject.
        answer: Answers a request.

    Attributes:
        port: The port that it listens at.
        hosts: The hosts that it answers for.
        authority: Signs the certificates of those hosts.
        faults: The faults to inject.
        answer: Answers a request.
        requests: The requests that were received, oldest first.
        stopping: Is set when the emulator stops.
    """

    def __init__(
        self,
        *,
        port: int,
        hosts: frozenset[str],
        authority: Authority,
        faults: Faults,
        answer: Callable[[Request], Response],
    ) -> None:
        self.hosts = hosts
        self.authority = authority
        self.faults = faults
        self.answer = answer
        self.requests: list[Recorded] = []
        self.stopping = threading.Event()
        self._connections: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", port), partial(Connection, self))
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), name="emulator", daemon=True)

    def start(self) -> None:
        """Starts to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Stops listening and drops all connections."""
        self.stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        with self._lock:
            left = list(self._connections)
        for connection in left:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def record(self, method: str, host: str, path: str, answer: Response | None, *, blocked: bool = False) -> None:
        """Records a request and its answer.

        Args:
            method: In capitals.
            host: The host that the client meant.
            path: The path as it was sent, without the query.
            answer: The answer; None if the connection was reset.
            blocked: Whether the emulator does not answer for the host.
        """
        status, size = (answer.status, len(answer.body)) if answer else (0, 0)
        self.requests.append(Recorded(method=method, host=host, path=path, blocked=blocked, status=status, size=size))

    def opened(self, connection: socket.socket) -> None:
        """Notes a connection, to drop it when the emulator stops."""
        with self._lock:
            self._connections.add(connection)

    def closed(self, connection: socket.socket) -> None:
        """Forgets a connection."""
        with self._lock:
            self._connections.discard(connection)


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignores a client that hangs up; anything else is an error of the emulator, and is printed."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]

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
    """A request that came in.

    Attributes:
        method: In capitals; `CONNECT` where a connection was refused.
        host: The host that was meant.
        path: As it was sent, without the query.
        blocked: Whether the host is none that the emulator answers for.
        status: The code of the answer, or 0: none was given.
        size: How many bytes the body of the answer has.
    """

    method: str
    host: str
    path: str
    blocked: bool
    status: int
    size: int


class Proxy:
    """Listens on 127.0.0.1, and answers each connection in a thread of its own.

    Args:
        port: Where; 0 takes a free one.
        hosts: Those that are answered for.
        authority: Signs their certificates.
        faults: What is to go wrong.
        answer: Answers a request.

    Attributes:
        port: Where.
        requests: What came in, oldest first.
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
        """Begins to answer."""
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
        """Remembers a request."""
        status, size = (answer.status, len(answer.body)) if answer else (0, 0)
        self.requests.append(Recorded(method=method, host=host, path=path, blocked=blocked, status=status, size=size))

    def opened(self, connection: socket.socket) -> None:
        """Remembers a connection, to drop it in the end."""
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
        """A client that hangs up is no error; anything else is one of the emulator, and shows as such."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]

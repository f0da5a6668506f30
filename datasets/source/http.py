"""One attempt to download a file from one address: a request, its answer, and the bytes, resumed where they ended."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, BinaryIO

import requests
import urllib3.exceptions

from ...engine import files
from ...engine.data import ProgressCallback
from .partial import Partial, validator_of

_PIECE_BYTES = 1 << 16
_TRANSIENT_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})
_LASTING_ERRORS = (
    requests.exceptions.SSLError,
    requests.exceptions.ProxyError,
    requests.exceptions.TooManyRedirects,
    urllib3.exceptions.SSLError,
    ValueError,
)
"""Errors that are not transient. A wrong address, or a redirect to one, raises a ValueError."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Patience:
    """How long to wait for a server, in seconds, and how often to retry.

    Attributes:
        connect_s: How long to wait for a connection.
        read_s: How long to wait for the next bytes.
        tries: How many attempts in a row may bring no new bytes before the next mirror is tried.
        pause_s: The pause before the second attempt; it doubles with each further one.
        longest_pause_s: The longest pause, whatever a server asks for.
        slowest_bytes_per_s: A server that sends less than this over `read_s` is given up.
        mirrors_s: After this time, no further mirror is tried.
    """

    connect_s: float = 10
    read_s: float = 30
    tries: int = 5
    pause_s: float = 0.5
    longest_pause_s: float = 60
    slowest_bytes_per_s: float = 100
    mirrors_s: float = 3600


@dataclass(frozen=True, kw_only=True, slots=True)
class Transport:
    """The connection to the network, and the clock.

    Attributes:
        session: Makes the requests.
        sleep: Waits for so many seconds.
        clock: Returns the time in seconds, from any beginning, never going back.
        patience: How long to wait, and how often to retry.
    """

    session: requests.Session
    sleep: Callable[[float], None]
    clock: Callable[[], float]
    patience: Patience = Patience()


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """How an attempt ended.

    Attributes:
        fault: What went wrong; "" if the whole file has arrived.
        again: Whether another attempt at the same address can help.
        pause_s: How long the server asks to wait before it, in seconds; 0 if it doesn't say.
    """

    fault: str = ""
    again: bool = False
    pause_s: float = 0


def attempt(
    url: str, partial: Partial, transport: Transport, *, limit_bytes: int, progress: ProgressCallback | None = None
) -> Outcome:
    """Requests from `url` what `partial` lacks, and appends what arrives.

    Args:
        url: The address.
        partial: What has arrived so far.
        transport: The connection to the network.
        limit_bytes: A larger file is refused.
        progress: Receives the progress in bytes.

    Raises:
        StorageError: The bytes can't be written.
    """
    patience = transport.patience
    timeout = (patience.connect_s, patience.read_s)
    try:
        with transport.session.get(url, headers=_headers(url, partial), stream=True, timeout=timeout) as response:
            hops = [url, *(hop.url or "" for hop in (*response.history, response))]
            if any(one.startswith("https:") and two.startswith("http:") for one, two in itertools.pairwise(hops)):
                return Outcome(fault="it leads from https to http, where others could change the file on its way")
            refusal = _begin(url, partial, response)
            if refusal:
                return refusal
            return _Receiver(partial, response, transport, limit_bytes).receive(progress, url)
    except (OSError, urllib3.exceptions.HTTPError, ValueError) as error:  # requests' own errors are OSErrors
        return Outcome(fault=_reason(error), again=_is_transient(error))


def _headers(url: str, partial: Partial) -> dict[str, str]:
    """Returns the request's headers; they ask for the rest only if the server's file is still the same."""
    headers = {"Accept-Encoding": "identity", "User-Agent": "stoker"}
    validator = partial.validator(url)
    if validator:
        headers |= {"Range": f"bytes={partial.size_bytes}-", "If-Range": validator}
    return headers


def _begin(url: str, partial: Partial, response: requests.Response) -> Outcome | None:
    """Prepares `partial` for the body; returns an outcome if there is no body to receive."""
    status = response.status_code
    if status == 206 and _continues(url, partial, response):
        return None
    if status in {206, 416}:
        partial.discard()
        return Outcome(fault=f"the server could not resume where it had stopped (status {status})", again=True)
    if status == 200:
        partial.restart(url, response.headers)
        return None
    pause_s = _retry_after(response)
    fault = f"status {status} {response.reason or ''}".rstrip()
    return Outcome(fault=fault, again=status in _TRANSIENT_STATUS, pause_s=pause_s)


def _continues(url: str, partial: Partial, response: requests.Response) -> bool:
    """Returns whether the body is the rest of `partial`: it begins at its end and is of the same version."""
    range_ = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    if not range_ or int(range_[1]) != partial.size_bytes:
        return False
    return validator_of(response.headers) in {"", partial.validator(url)}


def _retry_after(response: requests.Response) -> float:
    """Returns the seconds in the header Retry-After, 0 if there are none; its other form, a date, is ignored."""
    value = response.headers.get("Retry-After", "")
    return float(value) if value.isascii() and value.isdigit() else 0


class _Receiver:
    """Receives one body."""

    def __init__(self, partial: Partial, response: requests.Response, transport: Transport, limit_bytes: int) -> None:
        self._partial = partial
        self._transport = transport
        self._limit_bytes = limit_bytes
        # urllib3 before 2.1 has no `read1`, which returns what has arrived; its `read` waits for a whole piece.
        self._read: Callable[..., bytes] = getattr(response.raw, "read1", response.raw.read)
        self._size = partial.size_bytes
        length = response.headers.get("Content-Length", "")
        self._total = self._size + int(length) if length.isascii() and length.isdigit() else 0

    def receive(self, progress: ProgressCallback | None, url: str) -> Outcome:
        """Appends the body to the partial file until it ends or is given up."""
        if self._total > self._limit_bytes:
            return self._too_large()
        with files.storage_errors(self._partial.path):
            sink = self._partial.path.open("ab")
        with sink:
            outcome = self._copy(sink, progress, f"downloading {url.rpartition('/')[2]}")
        if not outcome.fault and self._size < self._total:
            return Outcome(fault=f"the answer ended after {self._size} of {self._total} bytes", again=True)
        return outcome

    def _copy(self, sink: BinaryIO, progress: ProgressCallback | None, what: str) -> Outcome:
        pace = _Pace(self._transport)
        while piece := self._read(_PIECE_BYTES, decode_content=False):
            with files.storage_errors(self._partial.path):
                sink.write(piece)
                sink.flush()
            self._size += len(piece)
            if self._size > self._limit_bytes:
                return self._too_large()
            if pace.too_slow(len(piece)):
                return Outcome(fault="the server sends too slowly")
            if progress:
                progress(what, self._size, self._total)
        return Outcome()

    def _too_large(self) -> Outcome:
        return Outcome(fault=f"the file is larger than {self._limit_bytes} bytes, so it is not the right one")


class _Pace:
    """Measures how fast bytes arrive."""

    def __init__(self, transport: Transport) -> None:
        self._clock = transport.clock
        self._window_s = transport.patience.read_s
        self._least_bytes = transport.patience.slowest_bytes_per_s * self._window_s
        self._since, self._bytes = self._clock(), 0

    def too_slow(self, size_bytes: int) -> bool:
        """Counts bytes that have arrived; returns whether too few did in the last window."""
        self._bytes += size_bytes
        now = self._clock()
        if now - self._since < self._window_s:
            return False
        enough = self._bytes >= self._least_bytes
        self._since, self._bytes = now, 0
        return not enough


def _is_transient(error: Exception) -> bool:
    """Returns whether a retry may get past an error of the network; a refused or unknown host is no such error."""
    cause: Any = error.args[0] if error.args else None
    if isinstance(getattr(cause, "reason", None), urllib3.exceptions.NewConnectionError):
        return False
    if isinstance(error, OSError) and not isinstance(error, requests.RequestException):
        return False  # a file of this machine, such as the certificates that REQUESTS_CA_BUNDLE names
    return not isinstance(error, _LASTING_ERRORS)


def _reason(error: Exception) -> str:
    """Returns what an error of the network says, in few words."""
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return "no connection in time"
    if isinstance(error, requests.exceptions.Timeout | urllib3.exceptions.TimeoutError):
        return "no answer in time"
    cause: Any = error.args[0] if error.args else ""
    reason: Any = getattr(cause, "reason", None) or cause or type(error).__name__
    if isinstance(reason, urllib3.exceptions.ProxyError):  # what failed, and the error behind it
        return f"{reason.args[0]}: {_plain(reason.original_error)}"
    return _plain(reason)


def _plain(error: object) -> str:
    """Returns an error on one line, without the object concerned.

    urllib3 begins with it: "HTTPSConnection(host='…', port=443): Failed to …", "<…Connection …>: …".
    """
    return re.sub(r"^(\w*Connection\w*\([^)]*\)|<[^>]*>): ", "", " ".join(str(error).split()))

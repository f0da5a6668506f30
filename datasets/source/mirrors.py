"""Downloads a file from the first mirror that has the right one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...engine import locks
from ...engine.data import ProgressCallback
from ...engine.errors import DatasetError, DownloadError
from .http import Outcome, Transport, attempt
from .partial import Partial


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """A file to download.

    Attributes:
        name: Its name in messages.
        partial: The file that collects its bytes; the folder must exist.
        ready: Returns whether the file is installed already; called while no other process is downloading it.
        install: Called as `install(partial, url)` when all bytes have arrived: checks them and puts the file where it
            belongs. A `DatasetError` means that they are not the right ones.
        limit_bytes: A larger file can't be the right one.
    """

    name: str
    partial: Path
    ready: Callable[[], bool]
    install: Callable[[Path, str], None]
    limit_bytes: int


def download(
    urls: Sequence[str], wanted: Wanted, transport: Transport, *, progress: ProgressCallback | None = None
) -> list[str]:
    """Downloads a file and installs it, unless it is installed already.

    If several processes want the same file, one downloads it and the others wait for it. An interrupted download keeps
    its bytes, and the next one resumes from there if the server's file is still the same.

    Args:
        urls: The addresses of the file, in the order of preference; http or https.
        wanted: The file.
        transport: The connection to the network.
        progress: Receives the progress in bytes.

    Returns:
        The addresses that were passed over, each with the reason.

    Raises:
        DownloadError: No address gave the right file; the message has the reason for each.
        StorageError: The disk can't be written.
    """
    with locks.lock(wanted.partial.with_name(f"{wanted.partial.name}.lock")):
        return [] if wanted.ready() else _from_first(urls, wanted, transport, progress)


def _from_first(
    urls: Sequence[str], wanted: Wanted, transport: Transport, progress: ProgressCallback | None
) -> list[str]:
    faults: list[str] = []
    begun = transport.clock()
    for url in urls:
        late = bool(faults) and transport.clock() - begun > transport.patience.mirrors_s
        fault = "not tried, because the others took too long" if late else _from_one(url, wanted, transport, progress)
        if not fault:
            return faults
        faults.append(f"{url}: {fault}")
    raise DownloadError(
        f"no mirror gave the right {wanted.name}",
        received="".join(f"\n    {fault}" for fault in faults),
        expected="the file that the catalogue of data sets describes",
        hint="check the network and HTTPS_PROXY, or pass a folder that holds the files with --data-folder",
    )


def _from_one(url: str, wanted: Wanted, transport: Transport, progress: ProgressCallback | None) -> str:
    """Tries one mirror until it gives the file or is given up; returns why it was given up, or ""."""
    if not url.lower().startswith(("http://", "https://")):
        return "only http and https are allowed"
    partial = Partial(wanted.partial)
    fault = _persist(url, partial, wanted, transport, progress)
    if fault:
        return fault
    try:
        wanted.install(partial.path, url)
    except DatasetError as error:
        return f"{error.what} (received {error.received}, expected {error.expected})"
    finally:
        partial.discard()
    return ""


def _persist(
    url: str, partial: Partial, wanted: Wanted, transport: Transport, progress: ProgressCallback | None
) -> str:
    """Retries as long as patience lasts; new bytes restore it. Returns the fault, or ""."""
    patience = transport.patience
    failures, furthest_bytes = 0, partial.size_bytes if partial.validator(url) else 0
    while True:
        outcome = attempt(url, partial, transport, limit_bytes=wanted.limit_bytes, progress=progress)
        if not outcome.fault:
            return ""
        if partial.size_bytes > furthest_bytes:
            failures, furthest_bytes = 0, partial.size_bytes
        failures += 1
        if not outcome.again or failures >= patience.tries:
            return outcome.fault + (f" ({failures} attempts)" if failures > 1 else "")
        transport.sleep(_pause_s(outcome, failures, transport))


def _pause_s(outcome: Outcome, failures: int, transport: Transport) -> float:
    """Returns the pause that the server asks for, else twice the one before, within bounds."""
    patience = transport.patience
    return min(outcome.pause_s or patience.pause_s * 2 ** (failures - 1), patience.longest_pause_s)

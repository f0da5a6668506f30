"""Downloads files of runs side by side: each whole, compared with the digest that the storage has, with progress."""

from __future__ import annotations

import base64
import hashlib
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_EXCEPTION, CancelledError, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

from ....engine import files
from ....engine.data import ProgressCallback
from ....engine.errors import BackendError
from ..rest import paths
from ..rest.answer import text
from ..rest.client import Service
from ..rest.response import Piece

AGAIN = "fetch the outputs again"
_PIECE_BYTES = 8 << 20
_AT_ONCE = 4

_Arrived = Callable[[int, int | None], None]
"""Takes how many bytes have arrived; with the first ones of a file also its size, else None."""


@dataclass(frozen=True, slots=True)
class Blob:
    """A file of a run.

    Attributes:
        run_id: The attempt that wrote it.
        path: Its path among the files of the run.
        url: The signed address of its content.
    """

    run_id: str
    path: str
    url: str


def address(service: Service, run_id: str, path: str) -> str:
    """Returns a new signed address of a file of a run; "" if there is no such file.

    Raises:
        BackendError: The service can't be asked.
    """
    found = service.get(paths.artifact(run_id, path))
    return "" if found is None else text(found, "contentUri")


def download_all(service: Service, blobs: Mapping[Path, Blob], progress: ProgressCallback) -> list[Path]:
    """Downloads files side by side; returns those that were compared with a digest.

    Args:
        service: The workspace.
        blobs: What to download, and into which file.
        progress: Called with the bytes of all files; their total is unknown until each of them has begun to arrive.

    Raises:
        BackendError, StorageError: As `download`; the other downloads end with their next piece then.
    """
    arrived = _Sum(len(blobs), progress)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        futures = {path: pool.submit(download, service, blob, path, arrived) for path, blob in blobs.items()}
        try:
            for ended in wait(futures.values(), return_when=FIRST_EXCEPTION).done:
                ended.result()
            return [path for path, future in futures.items() if future.result()]
        finally:
            arrived.stopped = True
            pool.shutdown(wait=False, cancel_futures=True)


def download(service: Service, blob: Blob, path: Path, arrived: _Arrived = lambda *_: None) -> bool:
    """Downloads a blob into a file, piece by piece; a piece that fails is retried.

    Args:
        service: The workspace.
        blob: The blob.
        path: The file.
        arrived: Called with each piece.

    Returns:
        Whether the content was compared with a digest; it can't be where the storage has none of the blob.

    Raises:
        BackendError: The blob can't be read, is gone, or arrived changed.
        StorageError: The file can't be written.
    """
    digest, size_bytes, total, md5, url = hashlib.md5(usedforsecurity=False), 0, None, "", blob.url
    with files.storage_errors(path), path.open("wb") as stream:
        while size_bytes != total:
            piece, url = _read(service, blob, url, size_bytes)
            stuck = piece.total < size_bytes or (not piece.content and piece.total != size_bytes)
            if stuck or (total is not None and (piece.total, piece.md5) != (total, md5)):
                raise BackendError(f"the output {path.name} changed while it was read", hint=AGAIN)
            stream.write(piece.content)
            digest.update(piece.content)
            arrived(len(piece.content), piece.total if total is None else None)
            size_bytes, total, md5 = size_bytes + len(piece.content), piece.total, piece.md5
    found = base64.b64encode(digest.digest()).decode()
    if md5 and md5 != found:
        raise BackendError(
            f"the output {path.name} arrived changed", received=f"MD5 {found}", expected=f"MD5 {md5}", hint=AGAIN
        )
    return bool(md5)


def _read(service: Service, blob: Blob, url: str, offset: int) -> tuple[Piece, str]:
    """Reads a piece of a blob; asks for another address if the signature of this one has expired, and returns it."""
    piece = service.read(url, offset, _PIECE_BYTES)
    if piece is None:
        url = address(service, blob.run_id, blob.path)
        if not url:
            raise BackendError(f"the output {blob.path} is gone", hint=AGAIN)
        piece = service.read(url, offset, _PIECE_BYTES)
    if piece is None:
        raise BackendError(
            f"the output {blob.path} can't be read", hint="may the account read the workspace's storage?"
        )
    return piece, url


class _Sum:
    """Adds up what arrives of several files, in several threads.

    Attributes:
        stopped: Whether nothing more is wanted; ends the download that something arrives of.
    """

    def __init__(self, count: int, progress: ProgressCallback) -> None:
        self.stopped = False
        self._lock = threading.Lock()
        self._progress = progress
        self._unknown, self._done_bytes, self._total_bytes = count, 0, 0

    def __call__(self, done_bytes: int, size_bytes: int | None) -> None:
        if self.stopped:
            raise CancelledError
        with self._lock:
            self._done_bytes += done_bytes
            if size_bytes is not None:
                self._unknown -= 1
                self._total_bytes += size_bytes
            self._progress("fetching", self._done_bytes, 0 if self._unknown else self._total_bytes)

"""Uploads the files of a folder to a datastore: only those that are missing there, with progress in bytes."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from ....engine.backend import Reporter
from ....engine.data import ProgressCallback
from ....engine.errors import BackendError, few
from ....engine.terminal.text import megabytes
from ..progress import bytes_reported
from ..sdk import hints, sdk
from .folder import PIECE_BYTES, Content, checked_pieces

_BYTES_PER_S = 200_000
"""A slow line."""

_FAILED = "the data can't be uploaded"


def longest_s(size_bytes: int) -> float:
    """Returns how long the upload of so many bytes may take on a slow line, in seconds."""
    return size_bytes / _BYTES_PER_S


def upload(client: Any, folder: Path, held: Mapping[str, Content], prefix: str, report: Reporter) -> None:
    """Uploads the files whose blobs are missing or hold, or may hold, something else.

    A blob counts as the file if its MD5 does. Each file is compared with its digest while it is sent, and a blob is
    only made of one that has not changed.

    Args:
        client: The client of the datastore's container, of `sdk.storage`.
        folder: The folder with the files.
        held: {path below it: what the file held when its digest was computed}.
        prefix: What the names of their blobs begin with.
        report: Takes a line for each step.

    Raises:
        DatasetError: A file has changed meanwhile.
        BackendError: A file can't be uploaded, the upload takes too long, or other files lie there too.
    """
    missing = sdk.bounded(_FAILED, lambda: _missing(client, held, prefix), role=hints.STORAGE)
    if not missing:
        return
    total = sum(one.size_bytes for one in missing.values())
    report(f"uploading {len(missing)} of {len(held)} files, {megabytes(total)}")
    began = time.monotonic()
    limit_s = sdk.CALL_S + longest_s(total)
    with bytes_reported(report) as progress:
        sdk.bounded(_FAILED, lambda: _send(client, folder, missing, prefix, progress), limit_s, role=hints.STORAGE)
    incomplete = sdk.bounded(_FAILED, lambda: _missing(client, held, prefix))
    if incomplete:
        hint = "submit again: only what is missing is uploaded"
        raise BackendError(f"{few(incomplete)} did not arrive whole", hint=hint)
    report(f"uploaded in {time.monotonic() - began:.1f} s")


def _missing(client: Any, held: Mapping[str, Content], prefix: str) -> dict[str, Content]:
    """Returns the files whose blobs are missing, or are not known to be the same.

    Raises:
        BackendError: There are other files, which a job would get too.
    """
    there = {blob.name.removeprefix(f"{prefix}/"): blob for blob in client.list_blobs(name_starts_with=f"{prefix}/")}
    foreign = [name for name, blob in there.items() if name not in held and blob.size]
    if foreign:
        hint = f"a job would read them as data: delete them below {prefix} of the default datastore, in the studio"
        raise BackendError("the datastore has other files among the data", received=few(foreign), hint=hint)
    return {name: one for name, one in held.items() if not _is_same(there.get(name), one)}


def _is_same(blob: Any, one: Content) -> bool:
    return blob is not None and blob.size == one.size_bytes and _md5(blob) == one.md5


def _md5(blob: Any) -> bytes:
    """Returns the digest that the storage has of a blob; b"" if it has none."""
    return bytes(blob.content_settings.content_md5 or b"")


def _send(client: Any, folder: Path, held: Mapping[str, Content], prefix: str, progress: ProgressCallback) -> None:
    from azureml._vendor.azure_storage.blob import ContentSettings

    total, before = sum(one.size_bytes for one in held.values()), 0
    for name, one in held.items():
        # Of a file that has changed, the last piece is an error, before the blob is made.
        pieces = checked_pieces(folder / name, one)
        data = b"".join(pieces) if one.size_bytes <= PIECE_BYTES else pieces
        sent = partial(_add, progress, before, total)
        settings = ContentSettings(content_type="application/octet-stream", content_md5=bytearray(one.md5))
        client.upload_blob(f"{prefix}/{name}", data, overwrite=True, progress_hook=sent, content_settings=settings)
        before += one.size_bytes


def _add(progress: ProgressCallback, before: int, total: int, sent: int, _: int | None) -> None:
    """Adds the SDK's progress with one file to that with the files before."""
    progress("uploading", before + sent, total)

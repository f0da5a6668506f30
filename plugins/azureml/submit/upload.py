"""Puts the files of a folder on a datastore: those that are not there yet, and says how far it is, in bytes."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ....engine.data import ProgressCallback
from ....engine.errors import BackendError
from ..progress import Reporter, bytes_told, megabytes
from ..sdk import sdk

_PIECE = 4 * 2**20
_BYTES_PER_S = 200_000
_FAILED = "the data can't be uploaded"


def longest_s(size_bytes: int) -> float:
    """How long so many bytes may take to go up, in seconds: as on a slow line."""
    return size_bytes / _BYTES_PER_S


def upload(store: Any, folder: Path, places: Sequence[str], prefix: str, say: Reporter) -> None:
    """Uploads what is not there in its full size.

    Args:
        store: The SDK's datastore.
        folder: Where the files are.
        places: Their paths below it.
        prefix: What the names of their blobs begin with.
        say: Told what is going on.

    Raises:
        BackendError: It can't be done, or does not end.
    """
    client = store.blob_service.get_container_client(store.container_name)
    sizes = {place: (folder / place).stat().st_size for place in places}
    missing = sdk.bounded(_FAILED, lambda: _missing(client, sizes, prefix))
    if not missing:
        return
    total = sum(missing.values())
    say(f"uploading {len(missing)} of {len(sizes)} files, {megabytes(total)}")
    began = time.monotonic()
    with bytes_told(say) as report:
        sdk.bounded(_FAILED, lambda: _send(client, folder, missing, prefix, report), sdk.CALL_S + longest_s(total))
    torn = sdk.bounded(_FAILED, lambda: _missing(client, sizes, prefix))
    if torn:
        hint = "submit again: only what is missing goes up"
        raise BackendError(f"{', '.join(torn)} did not arrive whole", hint=hint)
    say(f"uploaded in {time.monotonic() - began:.1f} s")


def _missing(client: Any, sizes: Mapping[str, int], prefix: str) -> dict[str, int]:
    """Those of the files that are not there in their full size."""
    there = {blob.name: blob.size for blob in client.list_blobs(name_starts_with=f"{prefix}/")}
    return {place: size for place, size in sizes.items() if there.get(f"{prefix}/{place}") != size}


def _send(client: Any, folder: Path, sizes: Mapping[str, int], prefix: str, report: ProgressCallback) -> None:
    total, before = sum(sizes.values()), 0
    for place, size in sizes.items():
        with (folder / place).open("rb") as stream:
            data = stream.read() if size <= _PIECE else iter(partial(stream.read, _PIECE), b"")
            sent = partial(_report, report, before, total)
            client.upload_blob(f"{prefix}/{place}", data, overwrite=True, progress_hook=sent)
        before += size


def _report(report: ProgressCallback, before: int, total: int, sent: int, _: int | None) -> None:
    """Takes what the SDK tells of one file."""
    report("uploading", before + sent, total)

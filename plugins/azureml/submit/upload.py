"""Uploads the files of a folder to a datastore: only those that are missing there, with progress in bytes."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ....engine.backend import Reporter
from ....engine.data import ProgressCallback
from ....engine.errors import BackendError
from ....engine.terminal.text import megabytes
from ..progress import bytes_reported
from ..sdk import sdk

_PIECE_BYTES = 4 << 20
_BYTES_PER_S = 200_000
"""A slow line."""

_FAILED = "the data can't be uploaded"

NO_KEY = "give the datastore an account key, under Data in the studio; or register the files, and use --azureml-dataset"
"""What to do about a datastore to which the SDK uploads nothing: `_ensure_credential` of its `AzureBlobDatastore`."""


def longest_s(size_bytes: int) -> float:
    """Returns how long the upload of so many bytes may take on a slow line, in seconds."""
    return size_bytes / _BYTES_PER_S


def upload(store: Any, folder: Path, names: Sequence[str], prefix: str, report: Reporter) -> None:
    """Uploads the files whose blobs are missing or incomplete.

    Args:
        store: The SDK's datastore.
        folder: The folder with the files.
        names: Their paths below it.
        prefix: What the names of their blobs begin with.
        report: Takes a line for each step.

    Raises:
        BackendError: A file can't be uploaded, or the upload takes too long.
    """
    if store.credential_type == "None":
        raise BackendError(f"{_FAILED}: the datastore {store.name} has no key", hint=NO_KEY)
    client = store.blob_service.get_container_client(store.container_name)
    sizes = {name: (folder / name).stat().st_size for name in names}
    missing = sdk.bounded(_FAILED, lambda: _missing(client, sizes, prefix))
    if not missing:
        return
    total = sum(missing.values())
    report(f"uploading {len(missing)} of {len(sizes)} files, {megabytes(total)}")
    began = time.monotonic()
    limit_s = sdk.CALL_S + longest_s(total)
    with bytes_reported(report) as progress:
        sdk.bounded(_FAILED, lambda: _send(client, folder, missing, prefix, progress), limit_s)
    incomplete = sdk.bounded(_FAILED, lambda: _missing(client, sizes, prefix))
    if incomplete:
        hint = "submit again: only what is missing is uploaded"
        raise BackendError(f"{', '.join(incomplete)} did not arrive whole", hint=hint)
    report(f"uploaded in {time.monotonic() - began:.1f} s")


def _missing(client: Any, sizes: Mapping[str, int], prefix: str) -> dict[str, int]:
    """Returns the files whose blobs are missing or of another size."""
    there = {blob.name: blob.size for blob in client.list_blobs(name_starts_with=f"{prefix}/")}
    return {name: size for name, size in sizes.items() if there.get(f"{prefix}/{name}") != size}


def _send(client: Any, folder: Path, sizes: Mapping[str, int], prefix: str, progress: ProgressCallback) -> None:
    total, before = sum(sizes.values()), 0
    for name, size in sizes.items():
        with (folder / name).open("rb") as stream:
            data = stream.read() if size <= _PIECE_BYTES else iter(partial(stream.read, _PIECE_BYTES), b"")
            sent = partial(_add, progress, before, total)
            client.upload_blob(f"{prefix}/{name}", data, overwrite=True, progress_hook=sent)
        before += size


def _add(progress: ProgressCallback, before: int, total: int, sent: int, _: int | None) -> None:
    """Adds the SDK's progress with one file to that with the files before."""
    progress("uploading", before + sent, total)

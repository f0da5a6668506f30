"""Brings a named data set into the cache: from the copy bundled with stoker, from a mirror, or from an archive."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ...engine import cache, files, locks
from ...engine.command import command_line
from ...engine.data import ProgressCallback
from ...engine.errors import DatasetError
from ..idx.content import looks_like
from . import store
from .catalogue import Archive, KnownFile, KnownSet
from .identity import stored_md5

if TYPE_CHECKING:
    from .http import Transport

BUNDLED = Path(__file__).resolve().parents[1] / "bundled"
"""The folder with the files that come with stoker, compressed."""
LOG = "download.log"
"""The file, beside those of a data set in the cache, with what mirrors said that were passed over."""


def fetch(
    known: KnownSet,
    *,
    offline: bool = False,
    transport: Transport | None = None,
    progress: ProgressCallback | None = None,
) -> list[str]:
    """Makes sure that a data set is in the cache; files found there are measured, not read.

    No host is asked for a set that is bundled. A node of a backend gets stoker's code without the bundled files, so a
    set that it lacks is downloaded there like any other.

    Args:
        known: The data set.
        offline: Forbids downloads.
        transport: The connection to the network; None makes the real one.
        progress: Receives the progress of long work.

    Returns:
        Notes for the user.

    Raises:
        DatasetError: It is not in the cache, and `offline` forbids downloading it.
        DownloadError: No mirror gave it.
        StorageError: The cache can't be written.
    """
    if not _missing(known):
        return []
    folder = files.make_folder(store.place_of(known.name, ""))
    with locks.lock(folder / "lock"):
        missing = _missing(known)
        if is_bundled(known):
            _unpack(known, missing, progress)
            return []
        if offline:
            fetches = command_line("data", "fetch", known.name)
            raise DatasetError(
                f"the data set {known.name} is not on this machine yet, and downloads are not allowed",
                expected=f"its files in {folder}",
                hint=f"run `{fetches}` where there is a network, or pass --data-folder",
            )
        with _network(transport) as network:
            return _download(known, missing, network, progress)


def is_bundled(known: KnownSet) -> bool:
    """Returns whether this stoker has a copy of the data set."""
    return known.bundled and all((BUNDLED / f"{file.name}.gz").is_file() for file in known.files.values())


def _missing(known: KnownSet) -> list[KnownFile]:
    return [file for file in known.files.values() if not store.find(store.place_of(known.name, file.name))]


@contextlib.contextmanager
def _network(transport: Transport | None) -> Iterator[Transport]:
    """Yields the given transport, or the real one."""
    if transport:
        yield transport
        return
    import time

    import requests

    from .http import Transport

    with requests.Session() as session:
        yield Transport(session=session, sleep=time.sleep, clock=time.monotonic)


def _unpack(known: KnownSet, missing: Iterable[KnownFile], progress: ProgressCallback | None) -> None:
    """Puts bundled files into the cache."""
    for file in missing:
        source, target = BUNDLED / f"{file.name}.gz", store.place_of(known.name, file.name)
        store.keep(source, target, origin="bundled", expected_sha256=file.sha256, progress=progress)


def _download(
    known: KnownSet, missing: Sequence[KnownFile], transport: Transport, progress: ProgressCallback | None
) -> list[str]:
    """Downloads files; returns one line about it. What mirrors said that were passed over goes into a log."""
    if known.archive:
        faults = _extract(known, known.archive, missing, transport, progress)
    else:
        faults = [fault for file in missing for fault in _download_file(known, file, transport, progress)]
    folder = store.place_of(known.name, "")
    note = f"{known.name} was downloaded, and is kept in {folder}"
    if not all(file.sha256 for file in known.files.values()):
        openly = any(_origin(known, file).startswith("http:") for file in missing)
        note += (
            f"; it {'came over http, and ' if openly else ''}has the MD5 in {known.digests_from}; no SHA-256 of its "
            "raw files is documented, so they were recorded now and are checked from now on "
            f"(`{command_line('data', 'info', known.name)}` shows them)"
        )
    if faults:
        files.append_line(folder / LOG, "\n".join(faults))
        note += f"; what the mirrors said that failed is in {folder / LOG}"
    return [note]


def _origin(known: KnownSet, file: KnownFile) -> str:
    """Returns the address that a file in the cache came from."""
    record = store.recorded(store.place_of(known.name, file.name))
    return record.origin if record else ""


def _download_file(
    known: KnownSet, file: KnownFile, transport: Transport, progress: ProgressCallback | None
) -> list[str]:
    from .mirrors import Wanted, download

    target = store.place_of(known.name, file.name)

    def install(partial: Path, url: str) -> None:
        _check_md5(partial, file.gz_md5, url)
        _store(file, partial, target, url, progress)

    wanted = Wanted(
        name=f"{file.name} of {known.name}",
        partial=target.with_name(f"{file.name}.partial"),
        ready=lambda: store.find(target) is not None,
        install=install,
        limit_bytes=file.limit_bytes,
    )
    return download([f"{mirror}{file.name}.gz" for mirror in known.mirrors], wanted, transport, progress=progress)


def _extract(
    known: KnownSet,
    archive: Archive,
    missing: Iterable[KnownFile],
    transport: Transport,
    progress: ProgressCallback | None,
) -> list[str]:
    from .archive import extract

    path, faults = _download_archive(archive, transport, progress)
    for file in missing:
        target = store.place_of(known.name, file.name)
        packed = target.with_name(f"{file.name}.gz")
        member = f"{archive.folder}/{file.name}.gz"
        try:
            extract(path, member, packed, limit_bytes=file.limit_bytes, progress=progress)
            _store(file, packed, target, f"{archive.urls[0]}#{member}", progress)
        finally:
            packed.unlink(missing_ok=True)
    return faults


def _download_archive(
    archive: Archive, transport: Transport, progress: ProgressCallback | None
) -> tuple[Path, list[str]]:
    """Returns the archive in the cache, where it stays for the other sets in it; downloads it if it is missing.

    Returns the faults of the addresses that were passed over too.
    """
    from .mirrors import Wanted, download

    target = files.make_folder(cache.root() / "archives") / archive.name

    def install(partial: Path, url: str) -> None:
        _check_md5(partial, archive.md5, url)
        files.replace(partial, target)
        store.write_record(target, sha256=files.sha256_file(target), origin=url)

    wanted = Wanted(
        name=archive.name,
        partial=target.with_name(f"{archive.name}.partial"),
        ready=lambda: store.find(target) is not None,
        install=install,
        limit_bytes=archive.limit_bytes,
    )
    return target, download(archive.urls, wanted, transport, progress=progress)


def _store(file: KnownFile, packed: Path, target: Path, origin: str, progress: ProgressCallback | None) -> None:
    """Unpacks a file into the cache; its digest must be the documented one, or the one recorded before."""
    record = store.recorded(target)
    expected = file.sha256 or (record.sha256 if record else "")
    store.keep(packed, target, origin=origin, expected_sha256=expected, progress=progress)


def _check_md5(path: Path, expected: str, url: str) -> None:
    if expected and (received := stored_md5(path)) != expected:
        with path.open("rb") as stream:
            beginning = stream.read(256)
        raise DatasetError(
            f"{url} sent another file, which looks like {looks_like(beginning)[0]}",
            received=f"MD5 {received}",
            expected=f"MD5 {expected}",
            path=path,
        )

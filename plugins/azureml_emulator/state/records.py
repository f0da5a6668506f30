"""Records that both a service area and a job read: saved data sets, snapshots and the open data."""

from __future__ import annotations

from pathlib import Path

from ..network.message import not_found
from .content import BlobRefusal
from .store import Record, Store

DATA_ASSETS = "dataassets"
"""The data assets of the second SDK, by `NAME:VERSION`, each with its `dataUri` and `dataType`."""

SAVED_DATASETS = "saved-datasets"
"""The kind of the records of data set definitions, by id."""

SNAPSHOT_FILES = "snapshots"
"""The kind of the records of snapshots, by id."""

_BUNDLED = Path(__file__).resolve().parents[3] / "datasets" / "bundled"
_MODIFIED = "Wed, 21 Oct 2020 07:28:00 GMT"


def snapshot_files(store: Store, identifier: str) -> dict[str, str]:
    """Returns the files of a snapshot: {path: name of the blob}.

    Raises:
        Refusal: There is no such snapshot.
    """
    found = store.get(SNAPSHOT_FILES, identifier)
    if found is None:
        raise not_found(f"the snapshot '{identifier}'")
    return dict(found["files"])


def open_data_record(name: str) -> Record:
    """Returns a file of the open data, in the form of a blob's record.

    Raises:
        BlobRefusal: There is no such file.
    """
    path = _BUNDLED / name
    if not name.endswith(".gz") or path.parent != _BUNDLED or not path.is_file():
        raise BlobRefusal(404, "BlobNotFound", "there is no such blob")
    return {"file": str(path), "etag": f'"{name}"', "modified": _MODIFIED, "md5": "", "metadata": {}}

"""The recorded digest is that of the bytes that train: small files are read each time, large ones once in a boot."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stoker.datasets import idx
from stoker.datasets.source import mapped, store
from stoker.engine.errors import DatasetError
from stoker.engine.process import ProcessIdentity

NUMBERS = np.arange(40, dtype=np.int16).reshape(5, 8)


@pytest.fixture(autouse=True)
def cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STOKER_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    idx.write(tmp_path / "numbers-idx2-int16", NUMBERS)
    return tmp_path / "numbers-idx2-int16"


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes every file a large one."""
    monkeypatch.setattr(mapped, "_SMALL_BYTES", 0)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Returns the files that are read whole, in order."""
    seen: list[Path] = []

    def spy(path: Path, **options: Any) -> Any:
        seen.append(path)
        return original(path, **options)

    original = idx.open_digested
    monkeypatch.setattr(idx, "open_digested", spy)
    return seen


def flip_the_last_bit(path: Path) -> None:
    """Changes a bit as a failing disk does: the size and the time of the last change stay."""
    status, content = path.stat(), path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def opened(path: Path) -> str:
    """Returns the digest of a file, after comparing it with the file's, and the array with what it should be."""
    array, sha256 = mapped.open_mapped(path)
    assert sha256 == hashlib.sha256(path.read_bytes()).hexdigest() == idx.sha256(array)
    assert array.tolist()[0] == NUMBERS.tolist()[0]
    assert not array.flags.writeable
    return sha256


def test_a_small_file_is_read_each_time(path: Path, cache_folder: Path, reads: list[Path]) -> None:
    assert opened(path) == opened(path)
    assert reads == [path, path]
    assert not cache_folder.exists()


@pytest.mark.usefixtures("large")
def test_a_large_file_is_read_once_until_it_changes(path: Path, reads: list[Path]) -> None:
    assert opened(path) == opened(path)
    assert len(reads) == 1
    before = opened(path)
    flip_the_last_bit(path)
    assert opened(path) != before
    assert len(reads) == 2


@pytest.mark.usefixtures("large")
def test_a_large_file_is_read_again_in_the_next_boot(
    path: Path, reads: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened(path)
    here = replace(ProcessIdentity.current(), boot="another")
    monkeypatch.setattr(ProcessIdentity, "current", classmethod(lambda _: here))
    opened(path)
    opened(path)
    assert len(reads) == 2


@pytest.mark.usefixtures("large")
def test_a_file_that_is_replaced_while_it_is_opened_is_read(
    path: Path, reads: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened(path)
    original = idx.open_mapped

    def replacing(path: Path) -> Any:
        flip_the_last_bit(path)
        return original(path)

    monkeypatch.setattr(idx, "open_mapped", replacing)
    opened(path)
    assert len(reads) == 2


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize("odd", ["", "{", "[]", "[" * 10_000, '{"sha256": 1}', "a digest", "a folder", "a pipe"])
def test_an_odd_note_is_passed_over(path: Path, cache_folder: Path, odd: str) -> None:
    opened(path)
    (note,) = (cache_folder / "digests").iterdir()
    state = json.loads(note.read_text())["state"]
    note.unlink()
    if odd == "a digest":
        note.write_text(json.dumps({"sha256": 5, "state": state}))
    elif odd == "a folder":
        note.mkdir()
    elif odd == "a pipe":
        os.mkfifo(note)
    else:
        note.write_text(odd)
    opened(path)


@pytest.mark.usefixtures("large")
def test_without_a_cache_a_large_file_is_read_each_time(path: Path, cache_folder: Path, reads: list[Path]) -> None:
    cache_folder.write_text("in the way")
    opened(path)
    opened(path)
    assert len(reads) == 2


@pytest.mark.usefixtures("large")
def test_a_file_that_is_gone_is_named(path: Path) -> None:
    path.unlink()
    with pytest.raises(DatasetError, match="no such file") as caught:
        mapped.open_mapped(path)
    assert caught.value.path == str(path)


@pytest.mark.parametrize("odd", ["[" * 10_000, '{"sha256": "0", "size_bytes": "12", "origin": "here"}', "a pipe"])
def test_an_odd_record_of_a_cached_file_does_not_count(path: Path, odd: str) -> None:
    store.write_record(path, sha256="0", origin="here")
    assert store.find(path)
    record = path.with_name(f"{path.name}.json")
    record.unlink()
    if odd == "a pipe":
        os.mkfifo(record)
    else:
        record.write_text(odd)
    assert store.recorded(path) is None

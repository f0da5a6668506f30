"""The user's folder: its four files are found wherever they lie, and only files that belong together are taken."""

from __future__ import annotations

import gzip
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stoker.datasets import idx
from stoker.datasets.idx import locate as locate_module
from stoker.datasets.idx.locate import locate
from stoker.datasets.readers.folder import FolderReader
from stoker.datasets.source import store
from stoker.datasets.source.identity import content_sha256
from stoker.engine.data import Dataset
from stoker.engine.errors import DatasetError, OptionError, StorageError

PLAIN = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
LETTERS = tuple(f"emnist-letters-{name}".replace("t10k", "test") for name in PLAIN)
DOTTED = tuple(name.replace("-idx", ".idx") for name in PLAIN)
ARRAYS = (
    np.arange(6 * 4, dtype=np.uint8).reshape(6, 2, 2),
    np.array([0, 1, 2, 0, 1, 2], np.uint8),
    np.arange(3 * 4, dtype=np.uint8).reshape(3, 2, 2),
    np.array([2, 1, 0], np.uint8),
)


@pytest.fixture(autouse=True)
def cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STOKER_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def write_set(
    folder: Path, names: tuple[str, ...] = PLAIN, *, suffix: str = "", changed: Mapping[int, Any] | None = None
) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for position, (name, array) in enumerate(zip(names, ARRAYS, strict=True)):
        idx.write(folder / f"{name}{suffix}", (changed or {}).get(position, array))
    return folder


def load(folder: Path) -> Dataset:
    return FolderReader().load(folder)


def refused(folder: Path) -> DatasetError:
    with pytest.raises(DatasetError) as caught:
        load(folder)
    error = caught.value
    assert error.what
    assert error.expected
    assert error.hint
    return error


def assert_whole(dataset: Dataset) -> None:
    assert dataset.train.images.tolist() == ARRAYS[0].tolist()
    assert dataset.train.labels.tolist() == ARRAYS[1].tolist()
    assert dataset.test.images.tolist() == ARRAYS[2].tolist()
    assert dataset.test.labels.tolist() == ARRAYS[3].tolist()


@pytest.mark.parametrize("names", [PLAIN, LETTERS, DOTTED])
@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("below", ["", "https%3A/%2Fexample.org/mnist", "a b/it's/new\nline/数字"])
def test_the_files_are_found_wherever_they_lie(tmp_path: Path, names: tuple[str, ...], suffix: str, below: str) -> None:
    write_set(tmp_path / "data" / below, names, suffix=suffix)
    dataset = load(tmp_path / "data")
    assert_whole(dataset)
    assert dataset.name == "data"
    assert dataset.classes == 3
    assert dataset.shape == (2, 2)
    assert dataset.notes == ()
    paths = [tmp_path / "data" / below / f"{name}{suffix}" for name in names]
    assert dict(dataset.sources) == {str(path): f"sha256:{content_sha256(path)}" for path in paths}


def test_labels_are_native_integers_and_images_stay_on_the_disk(tmp_path: Path) -> None:
    write_set(tmp_path / "data", changed={0: ARRAYS[0].astype(np.int16), 2: ARRAYS[2].astype(np.int16)})
    dataset = load(tmp_path / "data")
    assert dataset.train.labels.dtype == np.int32
    assert dataset.train.labels.dtype.isnative
    assert dataset.train.images.dtype == np.dtype(">i2")
    assert not dataset.train.images.flags.writeable
    assert not dataset.train.images.flags.owndata


def test_the_shallowest_complete_set_is_taken(tmp_path: Path) -> None:
    write_set(tmp_path / "data" / "b" / "older", changed={1: ARRAYS[1][::-1], 3: ARRAYS[3]})
    write_set(tmp_path / "data" / "b")
    (tmp_path / "data" / "train-images-idx3-ubyte").write_bytes(b"a part of another set")
    assert_whole(load(tmp_path / "data"))


def test_two_complete_sets_at_one_depth_are_an_error_that_names_both(tmp_path: Path) -> None:
    write_set(tmp_path / "data" / "a")
    write_set(tmp_path / "data" / "b")
    error = refused(tmp_path / "data")
    assert str(tmp_path / "data" / "a") in error.received
    assert str(tmp_path / "data" / "b") in error.received


def test_two_sets_in_one_folder_are_distinguished_by_the_beginning_of_their_names(tmp_path: Path) -> None:
    write_set(tmp_path / "data", LETTERS)
    write_set(tmp_path / "data", PLAIN)
    assert "emnist-letters" in refused(tmp_path / "data").received
    found = locate(tmp_path / "data", prefer="emnist-letters")
    assert [path.name for path in found.values()] == list(LETTERS)


def test_a_raw_file_is_preferred_to_its_compressed_twin(tmp_path: Path) -> None:
    write_set(tmp_path / "data")
    for name in PLAIN:
        (tmp_path / "data" / f"{name}.gz").write_bytes(b"damaged")
    assert_whole(load(tmp_path / "data"))


def test_files_spread_over_folders_are_taken_if_there_is_no_choice(tmp_path: Path) -> None:
    whole = write_set(tmp_path / "whole")
    for name in PLAIN:
        part = tmp_path / "data" / name.split("-")[0]
        part.mkdir(parents=True, exist_ok=True)
        shutil.copy(whole / name, part)
    assert_whole(load(tmp_path / "data"))
    shutil.copytree(tmp_path / "data" / "train", tmp_path / "data" / "another")
    assert "unclear" in refused(tmp_path / "data").what


@pytest.mark.parametrize("missing", PLAIN)
def test_a_missing_file_is_named_and_so_is_where_it_was_searched(tmp_path: Path, missing: str) -> None:
    write_set(tmp_path / "data" / "deep")
    (tmp_path / "data" / "deep" / missing).unlink()
    error = refused(tmp_path / "data")
    assert missing in error.expected
    assert all(name not in error.expected for name in PLAIN if name != missing)
    assert str(tmp_path / "data") in error.what


def test_a_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    assert "no such folder" in refused(tmp_path / "missing").what
    (tmp_path / "file").touch()
    assert "is not a folder" in refused(tmp_path / "file").what
    (tmp_path / "empty").mkdir()
    assert "no data files" in refused(tmp_path / "empty").what
    with pytest.raises(DatasetError) as caught:
        FolderReader().load(None)
    assert "--data-folder" in caught.value.hint


def test_links_that_lead_in_a_circle_end_the_search(tmp_path: Path) -> None:
    write_set(tmp_path / "data" / "a" / "b")
    (tmp_path / "data" / "a" / "up").symlink_to(tmp_path / "data")
    (tmp_path / "data" / "gone").symlink_to(tmp_path / "missing")
    assert_whole(load(tmp_path / "data"))


def test_a_whole_disk_is_not_searched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locate_module, "_MOST_FOLDERS", 20)
    for number in range(20):
        (tmp_path / "data" / str(number)).mkdir(parents=True)
    assert "too many folders" in refused(tmp_path / "data").what
    write_set(tmp_path / "data")
    assert_whole(load(tmp_path / "data"))


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({1: ARRAYS[1][:5]}, "don't belong together"),
        ({0: ARRAYS[1], 1: ARRAYS[0]}, "images and labels are swapped"),
        ({0: ARRAYS[1]}, "can't be a file of images"),
        ({1: ARRAYS[1].astype(np.float32)}, "can't be a file of labels"),
        ({3: ARRAYS[3].reshape(3, 1)}, "can't be a file of labels"),
        ({2: ARRAYS[2].reshape(3, 4)}, "their examples differ"),
        ({2: ARRAYS[2].astype(np.float32)}, "their examples differ"),
        ({1: np.array([0, 1, 2, 0, -4, 2], np.int8)}, "can't be a class"),
        ({3: np.array([0, 70_000, 1], np.int32)}, "can't be a class"),
        ({3: np.array([0, 7, 9], np.uint8)}, "labels that the training set does not have"),
        ({0: ARRAYS[0][:0], 1: ARRAYS[1][:0]}, "nothing to train on"),
        ({2: ARRAYS[2][:0], 3: ARRAYS[3][:0]}, "nothing to train on"),
        ({0: ARRAYS[0][:, :0], 2: ARRAYS[2][:, :0]}, "nothing to train on"),
    ],
)
def test_files_that_do_not_belong_together_are_refused(tmp_path: Path, changed: Mapping[int, Any], reason: str) -> None:
    write_set(tmp_path / "data", changed=changed)
    assert reason in refused(tmp_path / "data").what


def test_the_labels_that_training_lacks_are_named(tmp_path: Path) -> None:
    write_set(tmp_path / "data", changed={3: np.array([0, 7, 9], np.uint8)})
    assert refused(tmp_path / "data").received == "7, 9"


def test_labels_that_begin_at_one_are_taken_as_they_are(tmp_path: Path) -> None:
    write_set(tmp_path / "data", LETTERS, changed={1: ARRAYS[1] + 1, 3: ARRAYS[3] + 1})
    assert load(tmp_path / "data").classes == 4


def test_a_compressed_file_is_unpacked_once_for_each_of_its_states(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache_folder: Path
) -> None:
    folder = write_set(tmp_path / "data", suffix=".gz")
    assert_whole(load(folder))
    with monkeypatch.context() as patched:
        patched.setattr(idx, "unpack", None)
        dataset = load(folder)
        assert_whole(dataset)
        assert not dataset.train.images.flags.owndata
    twins = set((cache_folder / "unpacked").glob("*-*"))
    idx.write(folder / f"{PLAIN[3]}.gz", np.array([0, 0, 1], np.uint8))
    assert load(folder).test.labels.tolist() == [0, 0, 1]
    again = set((cache_folder / "unpacked").glob("*-*"))
    assert len(again) == len(twins) == 8
    assert len(again - twins) == 2


def test_an_interrupted_unpacking_does_not_count(tmp_path: Path, cache_folder: Path) -> None:
    folder = write_set(tmp_path / "data", suffix=".gz")
    load(folder)
    for record in (cache_folder / "unpacked").glob("*.json"):
        record.write_text('{"sha256": "torn')
        record.with_suffix("").write_bytes(b"torn")
    assert_whole(load(folder))


def test_a_bit_that_the_unpacked_copy_has_lost_is_refused_by_name(tmp_path: Path, cache_folder: Path) -> None:
    folder = write_set(tmp_path / "data", suffix=".gz")
    load(folder)
    twins = [path for path in (cache_folder / "unpacked").glob("*-*") if path.suffix != ".json"]
    assert len(twins) == 4
    for twin in twins:
        good = twin.read_bytes()
        twin.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
        assert refused(folder).path == str(twin)
        twin.write_bytes(b"\7" + good[1:])
        assert "remove" in refused(folder).hint
        twin.unlink()
        assert_whole(load(folder))


def test_a_compressed_file_that_was_changed_with_its_time_set_back_is_unpacked_again(tmp_path: Path) -> None:
    def write(labels: list[int]) -> None:
        idx.write(tmp_path / "labels", np.array(labels, np.uint8))
        with (folder / f"{PLAIN[1]}.gz").open("r+b") as stream:
            stream.write(gzip.compress((tmp_path / "labels").read_bytes(), 0, mtime=0))
            stream.truncate()
        os.utime(folder / f"{PLAIN[1]}.gz", (0, 0))

    folder = write_set(tmp_path / "data", suffix=".gz")
    write([0, 1, 2, 0, 1, 2])
    assert load(folder).train.labels.tolist() == [0, 1, 2, 0, 1, 2]
    write([2, 1, 0, 2, 1, 0])
    assert load(folder).train.labels.tolist() == [2, 1, 0, 2, 1, 0]


def test_a_folder_in_the_place_of_an_unpacked_file_does_no_harm(tmp_path: Path, cache_folder: Path) -> None:
    folder = write_set(tmp_path / "data", suffix=".gz")
    load(folder)
    path = folder / f"{PLAIN[0]}.gz"
    (cache_folder / "unpacked" / f"{store.name_of(path)}-junk").mkdir()
    os.utime(path, (7, 7))
    assert_whole(load(folder))


def test_a_damaged_compressed_file_leaves_nothing_in_the_cache(tmp_path: Path, cache_folder: Path) -> None:
    folder = write_set(tmp_path / "data", suffix=".gz")
    path = folder / f"{PLAIN[0]}.gz"
    path.write_bytes(path.read_bytes()[:-4])
    assert "cut off" in refused(folder).what
    assert [one.name for one in (cache_folder / "unpacked").iterdir()] == ["lock"]


@pytest.mark.parametrize("fault", ["no space is left on the device", "the file system is read-only"])
def test_without_a_cache_compressed_files_are_read_into_memory_and_a_note_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise StorageError(f"can't write the cache: {fault}")

    monkeypatch.setattr(store, "unpacked", fail)
    dataset = load(write_set(tmp_path / "data", suffix=".gz"))
    assert_whole(dataset)
    assert len(dataset.notes) == 1
    assert fault in dataset.notes[0]


def test_a_cache_folder_that_is_a_file_stops_nothing(tmp_path: Path, cache_folder: Path) -> None:
    cache_folder.write_text("in the way")
    dataset = load(write_set(tmp_path / "data", suffix=".gz"))
    assert_whole(dataset)
    assert dataset.notes


def test_a_relative_cache_folder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STOKER_CACHE_DIR", "cache")
    with pytest.raises(OptionError, match="absolute"):
        load(write_set(tmp_path / "data", suffix=".gz"))


def test_the_name_of_a_folder_may_be_any(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    write_set(folder)
    hostile = tmp_path / os.fsdecode(b"\xff; rm -rf $HOME\n")
    folder.rename(hostile)
    assert load(hostile).name == hostile.name

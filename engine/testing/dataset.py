"""The contract of a data set's reader: what `engine.data.DatasetReader` promises, as tests."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import socket
from pathlib import Path
from typing import Any

import pytest

from ..data import Dataset, DatasetReader, Split
from ..errors import DatasetError, StokerError


class DatasetContract:
    """Tests that a reader loads what stoker can train on: subclass it and make the reader.

    class TestTable(DatasetContract):
        def make_reader(self):
            return TableReader()

        def make_folder(self, empty):
            write_tables(empty)
            return empty
    """

    def make_reader(self) -> DatasetReader:
        """Makes a new reader at each call."""
        raise NotImplementedError(f"{type(self).__name__} must make its reader in make_reader")

    def make_folder(self, empty: Path) -> Path | None:
        """Writes files for the reader into an empty folder; None for a reader that needs no folder.

        Small files are enough. Write the same ones each time.
        """
        return None

    def read(self, folder: Path, **options: Any) -> Dataset:
        """Loads the data set with a new reader."""
        folder.mkdir(exist_ok=True)
        return self.make_reader().load(self.make_folder(folder), **options)

    @pytest.fixture
    def dataset(self, tmp_path: Path) -> Dataset:
        """Returns the data set."""
        return self.read(tmp_path / "data")

    def test_the_reader_has_a_name_and_a_line_about_it(self) -> None:
        reader = self.make_reader()
        assert reader.name
        assert reader.name.split() == [reader.name]
        assert reader.summary.strip()
        assert "\n" not in reader.summary

    def test_there_are_examples_with_a_label_each(self, dataset: Dataset) -> None:
        assert isinstance(dataset, Dataset)
        assert dataset.name
        for split in (dataset.train, dataset.test):
            assert isinstance(split, Split)
            assert len(split.images) == len(split.labels) == len(split) > 0

    def test_examples_are_numbers_of_one_shape_and_type(self, dataset: Dataset) -> None:
        train, test = dataset.train.images, dataset.test.images
        assert train.ndim >= 2, "how many, then the shape of one"
        assert train.shape[1:] == test.shape[1:] == dataset.shape
        assert train.dtype == test.dtype
        assert train.dtype.kind in "buif", f"numbers, not {train.dtype}"
        assert train[0].size > 0

    def test_examples_are_finite(self, dataset: Dataset) -> None:
        import numpy as np

        for split in (dataset.train, dataset.test):
            assert split.images.dtype.kind != "f" or bool(np.isfinite(split.images).all())

    def test_labels_are_integers_from_zero(self, dataset: Dataset) -> None:
        for split in (dataset.train, dataset.test):
            assert split.labels.ndim == 1
            assert split.labels.dtype.kind in "ui", f"integers, not {split.labels.dtype}"
            assert 0 <= int(split.labels.min()) <= int(split.labels.max()) < dataset.classes

    def test_weights_are_numbers_from_zero_one_for_each_example(self, dataset: Dataset) -> None:
        for split in (dataset.train, dataset.test):
            if split.weights is not None:
                assert split.weights.shape == (len(split),)
                assert split.weights.dtype.kind == "f", f"floating-point numbers, not {split.weights.dtype}"
                assert 0 <= float(split.weights.min()) <= float(split.weights.max()) < float("inf")

    def test_classes_are_counted_from_the_training_labels(self, dataset: Dataset) -> None:
        assert dataset.classes == int(dataset.train.labels.max()) + 1
        unknown = set(dataset.test.labels.tolist()) - set(dataset.train.labels.tolist())
        assert unknown == set(), "the test set has labels that the training set lacks"

    def test_a_second_reading_gives_the_same(self, tmp_path: Path) -> None:
        assert _digests(self.read(tmp_path / "one")) == _digests(self.read(tmp_path / "two"))

    def test_offline_no_request_is_sent(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The reader loads what is on this machine, or refuses."""
        asked: list[object] = []

        def refuse(*arguments: object, **_: object) -> None:
            asked.append(arguments[-1])
            raise OSError("no network in this test")

        for owner, name in ((socket.socket, "connect"), (socket, "getaddrinfo"), (socket, "create_connection")):
            monkeypatch.setattr(owner, name, refuse)
        with contextlib.suppress(StokerError):
            assert len(self.read(tmp_path / "data", offline=True).train)
        assert asked == []

    def test_long_work_reports_its_progress_in_numbers(self, tmp_path: Path) -> None:
        reported: list[tuple[str, int, int]] = []
        self.read(tmp_path / "data", progress=lambda what, done, total: reported.append((what, done, total)))
        assert all(what and done >= 0 and (done <= total or not total) for what, done, total in reported)

    @pytest.mark.parametrize("kind", ["an empty folder", "a folder that is not there", "a file"])
    def test_a_wrong_folder_is_refused(self, tmp_path: Path, kind: str) -> None:
        folder = tmp_path / "wrong"
        if kind == "an empty folder":
            folder.mkdir()
        elif kind == "a file":
            folder.write_text("no folder")
        with pytest.raises(DatasetError) as caught:
            self.make_reader().load(folder)
        assert str(caught.value).strip()

    def test_a_file_that_was_emptied_is_refused(self, tmp_path: Path) -> None:
        place = _made(tmp_path / "data")
        folder = self.make_folder(place) or place
        for number, name in enumerate(_files(folder)):
            copy = shutil.copytree(place, tmp_path / str(number)) / folder.relative_to(place)
            (copy / name).write_bytes(b"")
            with pytest.raises(DatasetError):
                self.make_reader().load(copy)

    def test_the_users_files_stay_as_they_are(self, tmp_path: Path) -> None:
        place = _made(tmp_path / "data")
        folder = self.make_folder(place)
        before = _files(place)
        dataset = self.make_reader().load(folder)
        for images in (dataset.train.images, dataset.test.images):
            mode = getattr(images, "mode", "r")  # of a numpy.memmap
            assert mode in {"r", "c"}, "the files are mapped so that a training can write into them"
        assert _digests(dataset)
        assert _files(place) == before

    def test_what_it_says_of_its_sources_can_be_recorded(self, dataset: Dataset) -> None:
        assert json.loads(json.dumps(dict(dataset.sources))) == dict(dataset.sources)
        assert all(isinstance(note, str) and note.strip() for note in dataset.notes)


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _files(folder: Path) -> dict[str, str]:
    """Returns the digests of the files in a folder, by their names."""
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def _digests(dataset: Dataset) -> list[str]:
    """Returns the digests of the four arrays."""
    arrays = [array for split in (dataset.train, dataset.test) for array in (split.images, split.labels)]
    return [hashlib.sha256(array.tobytes()).hexdigest() for array in arrays]

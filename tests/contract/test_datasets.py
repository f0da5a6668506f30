"""The readers that come with stoker, and the example's reader, keep the contract; broken ones fail it."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from stoker.datasets.readers.folder import FolderReader
from stoker.datasets.readers.named import NamedReader
from stoker.datasets.source.catalogue import CATALOGUE
from stoker.engine.data import DatasetReader
from stoker.engine.plugin.discovery import import_file
from stoker.engine.testing import DatasetContract

from .. import tiny
from .outcomes import Outcomes, outcomes

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


class TestFolder(DatasetContract):
    def make_reader(self) -> DatasetReader:
        return FolderReader()

    def make_folder(self, empty: Path) -> Path:
        return tiny.write(empty)


class TestMnist(DatasetContract):
    @pytest.fixture(autouse=True)
    def unpacked(self) -> None:
        """Unpacks the copy that comes with stoker into the cache, so that no mirror is asked."""
        self.make_reader().load(None, offline=True)

    def make_reader(self) -> DatasetReader:
        return NamedReader(CATALOGUE["mnist"])


@pytest.mark.filterwarnings("ignore:loadtxt. input contained no data")  # NumPy's, before the error of the reader
class TestTable(DatasetContract):
    def make_reader(self) -> DatasetReader:
        example: Any = import_file(EXAMPLES / "own_dataset.py")
        reader: DatasetReader = example.TableReader()
        return reader

    def make_folder(self, empty: Path) -> Path:
        for name, count, seed in (("train", 12, 1), ("test", 6, 2)):
            images, labels = tiny.arrays(count, seed)
            with (empty / f"{name}.csv").open("w", newline="") as stream:
                writer = csv.writer(stream)
                writer.writerow([*(f"x{column}" for column in range(images[0].size)), "label"])
                writer.writerows([*image.ravel(), label] for image, label in zip(images, labels, strict=True))
        return empty


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcomes]:
    """Returns how the contract ends on the broken readers."""
    return outcomes(tmp_path_factory.mktemp("broken"), "broken_readers.py")


@pytest.mark.parametrize(
    ("case", "failed"),
    [
        ("TestLabelsAreFloats", {"test_labels_are_integers_from_zero"}),
        ("TestTooFewLabels", {"test_there_are_examples_with_a_label_each"}),
        ("TestOtherShape", {"test_examples_are_numbers_of_one_shape_and_type"}),
        ("TestNotFinite", {"test_examples_are_finite"}),
        (
            "TestLabelsBeyondTheClasses",
            {"test_classes_are_counted_from_the_training_labels", "test_labels_are_integers_from_zero"},
        ),
        ("TestWrongCount", {"test_classes_are_counted_from_the_training_labels"}),
        ("TestAnotherEachTime", {"test_a_second_reading_gives_the_same"}),
        ("TestAsksTheNetwork", {"test_offline_no_request_is_sent"}),
        ("TestWritesFiles", {"test_the_users_files_stay_as_they_are"}),
        ("TestTakesAnyFolder", {"test_a_file_that_was_emptied_is_refused", "test_a_wrong_folder_is_refused"}),
    ],
)
def test_a_broken_reader_fails_the_test_of_what_is_broken(
    ended: dict[str, Outcomes], case: str, failed: set[str]
) -> None:
    assert {name.partition("[")[0] for name in ended[case].failed} == failed
    assert ended[case].passed

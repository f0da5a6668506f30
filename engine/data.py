"""What the engine trains on: arrays with a name, whoever read them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from .errors import DatasetError, few

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "FOLDER",
    "Dataset",
    "DatasetReader",
    "ProgressCallback",
    "Split",
    "classes_in_words",
    "require_folder",
]

FOLDER = "folder"
"""The name of the data set that is whatever lies below `--data-folder`."""

ProgressCallback = Callable[[str, int, int], None]
"""Called as `progress(what, done_bytes, total_bytes)` while something long is read; total 0 means unknown."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Split:
    """Examples and their labels.

    Attributes:
        images: Any dtype, [N, ...]: what one example is, as the files hold it (MNIST: uint8 [N, 28, 28], 0 to 255).
            May be memory-mapped; nothing writes into it.
        labels: Integers [N], 0 to classes - 1.
        weights: How much each example counts in the loss and in weighted metrics, as Keras' `sample_weight`:
            floating-point numbers [N], 0 or more. None counts all alike.
    """

    images: NDArray[Any]
    labels: NDArray[np.integer[Any]]
    weights: NDArray[np.floating[Any]] | None = None

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, kw_only=True, slots=True)
class Dataset:
    """A data set, ready to train on.

    Attributes:
        name: What the user called it, or the name of the folder that it came from.
        train: The training examples.
        test: The test examples, of the same shape and with no label that `train` lacks.
        classes: How many classes there are: the largest label plus one.
        sources: Where it came from: {file: "sha256:…", or a path or address}; goes into the record of a
            run.
        notes: What to report to the user, one sentence each ("the labels start at 1; class 0 never occurs").
    """

    name: str
    train: Split
    test: Split
    classes: int
    sources: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one example: (28, 28) for MNIST."""
        return tuple(self.train.images.shape[1:])


class DatasetReader(Protocol):
    """Something that can read one named data set; plugins offer it through `stoker_get_dataset`.

    Attributes:
        name: The name on the command line.
        summary: One line for `stoker data info`.
    """

    name: str
    summary: str

    def load(self, folder: Path | None, *, offline: bool = False, progress: ProgressCallback | None = None) -> Dataset:
        """Reads the data set.

        Args:
            folder: Where the user says that the files are (`--data-folder`); None means the reader's own place.
            offline: Nothing may be downloaded.
            progress: Called while something long is read.

        Raises:
            DatasetError: A file is missing or wrong.
            DownloadError: It had to be downloaded and could not be.
        """
        ...


def classes_in_words(dataset: Dataset) -> str:
    """Returns how many classes a data set has, and what is odd about its labels.

    Args:
        dataset: The data set.

    Returns:
        "10 classes"; "6 classes (0 to 5; no training example has 1, 3 or 4)".
    """
    import numpy as np

    count = dataset.classes
    counted = f"{count:,} class{'' if count == 1 else 'es'}"
    if dataset.train.labels.dtype.kind not in "ui" or dataset.test.labels.dtype.kind not in "ui":
        return counted
    train, test = (set(np.unique(split.labels).tolist()) for split in (dataset.train, dataset.test))
    absent = [label for label in range(count) if label not in train]
    foreign = sorted(test - train)
    odd = []
    if len(train) == 1:
        odd.append(f"every training example has the label {min(train)}, so there is nothing to learn")
    elif absent:
        odd.append(f"no training example has {few(map(str, absent), last='or')}")
    if foreign:
        odd.append(f"only the test set has {few(map(str, foreign), last='and')}")
    numbered = [f"0 to {count - 1}"] if absent or foreign else []
    return f"{counted} ({'; '.join((*numbered, *odd))})" if odd else counted


def require_folder(folder: Path, *, expected: str = "a folder with the data files in it or below") -> None:
    """Refuses a `--data-folder` that is no folder, without reading what is in it.

    Args:
        folder: What the user gave.
        expected: What should be there.

    Raises:
        DatasetError: There is no such folder.
    """
    if not os.path.isdir(folder):  # noqa: PTH112 - Path.is_dir raises for a private folder
        raise DatasetError(
            f"{folder} is not a folder" if os.path.lexists(folder) else f"no such folder: {folder}",
            expected=expected,
            hint="check the path given with --data-folder",
            path=folder,
        )

"""Readers that each break one thing of the contract; test_datasets.py runs the contract on them."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from stoker.datasets.readers.folder import FolderReader
from stoker.engine.data import Dataset, DatasetReader, ProgressCallback, Split
from stoker.engine.errors import StokerError
from stoker.engine.testing import DatasetContract

from .. import tiny

NUMBERS = count()


@dataclass
class Changing:
    """Reads four IDX files, and changes what it has read."""

    change: Callable[[Dataset, Path | None], Dataset]
    name: str = "changing"
    summary: str = "four IDX files, and then something goes wrong"

    def load(self, folder: Path | None, *, offline: bool = False, progress: ProgressCallback | None = None) -> Dataset:
        return self.change(FolderReader().load(folder), folder)


class Broken(DatasetContract):
    def make_reader(self) -> DatasetReader:
        return Changing(self.change)

    def make_folder(self, empty: Path) -> Path:
        return tiny.write(empty, train=30, test=12)

    def change(self, dataset: Dataset, folder: Path | None) -> Dataset:
        raise NotImplementedError


def with_train(dataset: Dataset, **changes: Any) -> Dataset:
    return replace(dataset, train=replace(dataset.train, **changes))


class TestLabelsAreFloats(Broken):
    def change(self, dataset: Dataset, folder: Path | None) -> Dataset:
        return with_train(dataset, labels=dataset.train.labels.astype(np.float32))


class TestLabelsBeyondTheClasses(Broken):
    def change(self, dataset: Dataset, folder: Path | None) -> Dataset:
        return replace(dataset, classes=dataset.classes - 1)


class TestWrongCount(Broken):
    def change(self, dataset: Dataset, folder: Path | None) -> Dataset:
        return replace(dataset, classes=dataset.classes + 1)


class TestTooFewLabels(Broken):
    def change(self, dataset: Dataset, folder: Path | None) -> Dataset:
        return with_train(dataset, labels=dataset.train.labels[:-1])


class TestOtherShape(Broken):
    def change(self, dataset: Dataset, folder: Path | None) -> Dataset:
        return with_train(dataset, images=dataset.train.images[:, :-1])


class TestNotFinite(Broken):
    def change(self, dataset: Dataset, folder: Path | None) -> Dataset:
        parts = [
            Split(images=np.where(split.images > 9, np.nan, 0.5), labels=split.labels)
            for split in (dataset.train, dataset.test)
        ]
        return replace(dataset, train=parts[0], test=parts[1])


class TestAnotherEachTime(Broken):
    def change(self, dataset: Dataset, folder: Path | None) -> Dataset:
        return with_train(dataset, images=np.roll(dataset.train.images, next(NUMBERS) + 1, axis=0))


class TestAsksTheNetwork(Broken):
    def change(self, dataset: Dataset, folder: Path | None) -> Dataset:
        with contextlib.suppress(OSError), socket.socket() as listener, socket.socket() as client:
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            client.connect(listener.getsockname())
        return dataset


class TestWritesFiles(Broken):
    def change(self, dataset: Dataset, folder: Path | None) -> Dataset:
        assert folder
        (folder / "index").write_text("an index that nobody has asked for")
        return dataset


class TestTakesAnyFolder(Broken):
    def make_reader(self) -> DatasetReader:
        return Anything()


class Anything(FolderReader):
    def load(self, folder: Path | None, *, offline: bool = False, progress: ProgressCallback | None = None) -> Dataset:
        try:
            return super().load(folder)
        except StokerError:
            images, labels = tiny.arrays(12, 1)
            part = Split(images=images, labels=labels)
            return Dataset(name="invented", train=part, test=part, classes=tiny.CLASSES)

"""Assembles a data set from four arrays, after checking that they belong together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..engine.data import Dataset, Split
from ..engine.errors import DatasetError, few
from .idx.locate import ROLES

__all__ = ["MOST_CLASSES", "Part", "assemble"]

MOST_CLASSES = 65_536
"""Labels from here on are refused: they are not classes but something else, such as identifiers."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """One of the four arrays.

    Attributes:
        path: The file that holds it, as the user named it.
        array: Its content: any of the six types of IDX, any shape.
        source: Its digest ("sha256:…", of the very bytes that train), or where it came from, for the record of a run.
    """

    path: Path
    array: NDArray[Any]
    source: str


def assemble(name: str, parts: Mapping[str, Part], *, notes: Iterable[str] = ()) -> Dataset:
    """Makes a data set of four parts.

    Args:
        name: The name of the data set.
        parts: The parts by their role, one for each of `ROLES`.
        notes: Notes for the user.

    Raises:
        DatasetError: The parts don't belong together, or one can't have the role that its name says.
    """
    train = _split(parts["train images"], parts["train labels"])
    test = _split(parts["test images"], parts["test labels"])
    _check_alike(parts["train images"], parts["test images"])
    _check_known(parts["test labels"], train.labels, test.labels)
    return Dataset(
        name=name,
        train=train,
        test=test,
        classes=int(train.labels.max()) + 1,
        sources={parts[role].path.name: parts[role].source for role in ROLES},
        notes=tuple(notes),
    )


def _split(images: Part, labels: Part) -> Split:
    """Returns the images as they are, and the labels as int32 in memory."""
    _check_kinds(images, labels)
    if len(images.array) != len(labels.array):
        raise _wrong(
            images,
            f"{images.path} and {labels.path} don't belong together",
            received=f"{len(images.array)} images and {len(labels.array)} labels",
            expected="as many labels as images",
        )
    if not images.array.size:
        raise _wrong(
            images,
            f"{images.path} holds nothing to train on",
            received=f"shape={images.array.shape}",
            expected="at least one image of at least one pixel",
        )
    _check_range(labels)
    return Split(images=images.array, labels=labels.array.astype(np.int32))


def _check_kinds(images: Part, labels: Part) -> None:
    if images.array.ndim == 1 and labels.array.ndim > 1:
        raise _wrong(
            images,
            f"images and labels are swapped: {images.path} holds labels and {labels.path} holds images",
            received=f"shape={images.array.shape} for the images, shape={labels.array.shape} for the labels",
            expected="images of two or more dimensions, labels of one",
            hint="give the two files each other's name",
        )
    if images.array.ndim < 2:
        raise _wrong(
            images,
            f"{images.path} can't be a file of images",
            received=f"shape={images.array.shape}",
            expected="two or more dimensions: how many images, then the shape of one",
        )
    if labels.array.ndim != 1 or labels.array.dtype.kind not in "ui":
        raise _wrong(
            labels,
            f"{labels.path} can't be a file of labels",
            received=f"{labels.array.dtype.name}, shape={labels.array.shape}",
            expected="integers of one dimension",
        )


def _check_range(labels: Part) -> None:
    lowest, highest = int(labels.array.min()), int(labels.array.max())
    if lowest < 0 or highest >= MOST_CLASSES:
        value = lowest if lowest < 0 else highest
        position = int(np.argmax(labels.array == value))
        raise _wrong(
            labels,
            f"{labels.path} holds a label that can't be a class",
            received=f"{value}, for example number {position}",
            expected=f"labels from 0 to {MOST_CLASSES - 1}",
            hint="number the classes from 0",
        )


def _check_alike(train: Part, test: Part) -> None:
    first, second = train.array, test.array
    if first.shape[1:] != second.shape[1:] or first.dtype.newbyteorder("=") != second.dtype.newbyteorder("="):
        raise _wrong(
            test,
            f"{train.path} and {test.path} don't belong together: their examples differ",
            received=f"{first.dtype.name} {list(first.shape[1:])} to train on, "
            f"{second.dtype.name} {list(second.shape[1:])} to test on",
            expected="the same type and shape",
        )


def _check_known(part: Part, train: NDArray[Any], test: NDArray[Any]) -> None:
    unknown = np.flatnonzero((np.bincount(test) > 0) & ~_present(train, int(test.max()) + 1))
    if len(unknown):
        shown = few(map(str, unknown))
        raise _wrong(
            part,
            f"{part.path} holds labels that the training set does not have",
            received=shown,
            expected="only labels of training examples",
        )


def _present(labels: NDArray[Any], size: int) -> NDArray[np.bool_]:
    """Returns which of the labels 0 to size - 1 occur: bool [size]."""
    return np.bincount(labels, minlength=size)[:size] > 0


def _wrong(part: Part, what: str, *, received: str, expected: str, hint: str = "") -> DatasetError:
    hint = hint or "check that the four files are of one data set"
    return DatasetError(what, received=received, expected=expected, hint=hint, path=part.path)

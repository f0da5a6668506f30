"""What the first lines of a run say of the data."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from stoker.engine.data import Dataset, Split
from stoker.engine.training.train import _introduction


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ([0, 1, 2], "uint8, 3 classes; net: 0 parameters"),
        ([0, 2, 5], "uint8, 6 classes (0 to 5; no training example has 1, 3 or 4); net"),
        ([1, 2, 1], "uint8, 3 classes (0 to 2; no training example has 0); net"),
        ([0, 0, 0], "uint8, 1 class (every training example has the label 0, so there is nothing to learn); net"),
    ],
)
def test_the_introduction_says_what_is_odd_about_labels(labels: list[int], words: str):
    split = Split(images=np.zeros((3, 2, 2), np.uint8), labels=np.array(labels, np.int32))
    dataset = Dataset(name="odd", train=split, test=split, classes=max(labels) + 1)
    assert words in _introduction(dataset, SimpleNamespace(name="net", weights=[]), "CPU")

"""A resume finds what has changed since the checkpoint, and refuses to go on as if nothing had."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from .. import tiny
from ..sample import sample
from ..stoker_process import stoker

MODEL = """
import keras
import layers_of_mine

def build(config):
    layers = [keras.Input(config.input_shape), keras.layers.Flatten(), layers_of_mine.last(config.classes)]
    model = keras.Sequential(layers, name="own")
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model
"""
LAYERS = """
import keras

def last(units):
    return keras.layers.Dense(units, "softmax")
"""
JOB = ("train", "--data-folder", "data", "--model", "own.py:build", "--epochs", 1, "--batch-size", 20, "-p", "watch.py")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    tiny.write(tmp_path / "data")
    (tmp_path / "own.py").write_text(MODEL)
    (tmp_path / "layers_of_mine.py").write_text(LAYERS)
    (tmp_path / "watch.py").write_text("")
    (tmp_path / "keras").mkdir()
    return tmp_path


def edited(name: str) -> Callable[[Path], None]:
    def change(place: Path) -> None:
        with (place / name).open("a") as stream:
            stream.write("# edited\n")

    return change


def relabelled(place: Path) -> None:
    _, labels = tiny.arrays(330, 1)
    labels[200] = (labels[200] + 1) % tiny.CLASSES
    (place / "data" / "train-labels-idx1-ubyte").write_bytes(tiny.idx(labels.astype(np.uint8)))


def in_float64(place: Path) -> None:
    (place / "keras" / "keras.json").write_text(json.dumps({"floatx": "float64"}))


CHANGES = {
    "the model's file": (edited("own.py"), "the code of own.py has changed"),
    "a module that it imports": (edited("layers_of_mine.py"), "the code of layers_of_mine has changed"),
    "a plugin": (edited("watch.py"), "the code of watch.py has changed"),
    "a label": (relabelled, "the data have changed"),
    "the settings of Keras": (in_float64, "Keras' floatx: float32 → float64"),
}


@pytest.mark.parametrize("what", sample(CHANGES, {"a module that it imports", "a label"}))
def test_a_change_is_named_and_refused_unless_drift_is_allowed(place: Path, what: str):
    change, said = CHANGES[what]
    home = {"KERAS_HOME": str(place / "keras")}
    assert stoker(*JOB, cwd=place, **home).returncode == 0
    again = ("train", "--resume", "latest", "--epochs", 2)
    change(place)
    refused = stoker(*again, cwd=place, **home)
    assert refused.returncode == 1
    assert "can't be resumed to the same result" in refused.stdout
    assert said in refused.stdout
    if what == "the settings of Keras":
        return  # variables of another type can't be restored at all
    allowed = stoker(*again, "--allow-drift", cwd=place, **home)
    assert allowed.returncode == 0, allowed.stdout
    assert f"note: the result may differ from that of an uninterrupted run: {said}" in allowed.stdout


def test_nothing_is_said_where_nothing_has_changed(place: Path):
    assert stoker(*JOB, cwd=place).returncode == 0
    resumed = stoker("train", "--resume", "latest", "--epochs", 2, cwd=place)
    assert (resumed.returncode, "note:" in resumed.stdout) == (0, False)

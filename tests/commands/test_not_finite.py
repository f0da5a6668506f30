"""A training whose loss becomes NaN or infinite says so, and its model is not registered by chance."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from stoker.engine.registry import Registry
from stoker.engine.rundir import RunDirectory
from stoker.engine.runs.find import list_runs

from .. import tiny
from ..stoker_process import stoker

SHORT = ("--epochs", 2, "--batch-size", 20)
JOB = (*SHORT, "--model", "model.py:linear")
MODEL = """
import keras

class Spoilt(keras.layers.Layer):
    def build(self, shape):
        self.unused = self.add_weight(shape=(3,), initializer=keras.initializers.Constant(float("nan")))

    def call(self, inputs):
        return inputs

def linear(config, first=keras.layers.Identity):
    last = keras.layers.Dense(config.classes, "softmax")
    model = keras.Sequential([keras.Input(config.input_shape), first(), keras.layers.Flatten(), last])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model

def spoilt(config):
    return linear(config, Spoilt)
"""
"""Without a ReLU, which turns NaN into 0 on some processors."""


def floats(array: NDArray[Any]) -> bytes:
    """An IDX file of float32."""
    return struct.pack(f">HBB{array.ndim}I", 0, 13, array.ndim, *array.shape) + array.astype(">f4").tobytes()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data, one number of which is NaN."""
    folder = tmp_path_factory.mktemp("place")
    tiny.write(folder / "data")
    images, _ = tiny.arrays(330, 1)
    broken = images.astype("float32")
    broken[7, 3, 3] = np.nan
    (folder / "data" / "train-images-idx3-ubyte").write_bytes(floats(broken))
    test, _ = tiny.arrays(60, 2)
    (folder / "data" / "t10k-images-idx3-ubyte").write_bytes(floats(test))
    (folder / "model.py").write_text(MODEL)
    return folder


@pytest.fixture(scope="module")
def refused(place: Path) -> tuple[RunDirectory, str]:
    """A run that was to register its model, and what it printed."""
    done = stoker("train", "--data-folder", "data", *JOB, "--register", "broken", cwd=place)
    assert done.returncode == 1
    (run,) = list_runs(place / "runs")
    return run, done.stdout + done.stderr


def strictly(text: str) -> Any:
    """JSON, in which NaN is an error."""
    return json.loads(text, parse_constant=pytest.fail)


def test_the_epoch_in_which_the_loss_becomes_nan_says_so_once_and_why(refused: tuple[RunDirectory, str]):
    notes = [line for line in refused[1].splitlines() if line.startswith("note: from epoch")]
    why = "there is NaN or infinity in 1 of the first 330 training examples"
    assert notes == [f"note: from epoch 1 on, loss is nan, val_loss is nan: {why}"]


def test_the_model_is_written_but_not_registered(refused: tuple[RunDirectory, str]):
    run, output = refused
    assert "the model is not registered as 'broken': its final test loss is nan" in output
    assert "--register-anyway" in output
    assert (run.model / "model.keras").is_file()
    assert Registry.beside(run).names() == []


@pytest.mark.parametrize("words", [("list",), ("show", "latest")])
def test_no_json_has_a_bare_nan(place: Path, refused: tuple[RunDirectory, str], words: tuple[str, ...]):
    shown = strictly(stoker("runs", *words, "--json", cwd=place).stdout)
    (value,) = shown if isinstance(shown, list) else [shown]
    assert (value["loss"], value["not_finite"]) == (None, {"loss": "nan"})


def test_no_file_of_the_run_has_a_bare_nan_and_all_are_read_as_what_they_were(refused: tuple[RunDirectory, str]):
    run, _ = refused
    for path in (*run.path.rglob("*.json"), *run.path.rglob("*.jsonl")):
        text = path.read_text()
        for piece in text.splitlines() if path.suffix == ".jsonl" else [text]:
            strictly(piece)
    losses = [line["value"] for line in run.metrics() if line["name"].lower().endswith("loss")]
    assert len(losses) == 5  # of two epochs and the final test
    assert np.isnan(losses).all()


def test_a_resume_registers_it_when_asked(place: Path, refused: tuple[RunDirectory, str]):
    run, _ = refused
    done = stoker("train", "--resume", run.run_id, "--register-anyway", cwd=place)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"warning: the run {run.run_id} has completed, but its final test loss is nan" in done.stderr
    assert Registry.beside(run).latest("broken").version == 1
    (listed,) = json.loads(stoker("runs", "list", "--json", cwd=place).stdout)
    said = "its final test loss is nan, 93 of its weights are NaN or infinite"
    assert (listed["state"], listed["message"]) == ("completed", said)


def test_json_has_the_figures_that_the_run_has_recorded(tmp_path: Path):
    tiny.write(tmp_path / "data")
    done = stoker("train", "--data-folder", "data", *SHORT, "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    shown = [line["metrics"]["loss"] for line in lines if line["kind"] == "epoch"]
    (run,) = list_runs(tmp_path / "runs")
    assert shown == [line["value"] for line in run.metrics() if line["name"] == "Training loss"]
    figure = json.loads(stoker("runs", "show", "--json", cwd=tmp_path).stdout)["loss"]
    assert [figure] == [line["value"] for line in run.metrics() if line["name"] == "Final test loss"]


def test_weights_that_are_nan_speak_against_a_model_whose_losses_are_numbers(tmp_path: Path):
    tiny.write(tmp_path / "data")
    (tmp_path / "model.py").write_text(MODEL)
    words = ("train", "--data-folder", "data", *SHORT, "--model", "model.py:spoilt", "--register", "spoilt")
    done = stoker(*words, cwd=tmp_path)
    assert done.returncode == 1
    assert "note: 3 weights of the model are NaN or infinite, whatever its figures say" in done.stdout
    refusal = "the model is not registered as 'spoilt': 3 of its weights are NaN or infinite"
    assert refusal in done.stdout + done.stderr
    (run,) = list_runs(tmp_path / "runs")
    assert run.model.is_dir()
    anyway = stoker("train", "--resume", run.run_id, "--register-anyway", cwd=tmp_path)
    assert anyway.returncode == 0, anyway.stdout + anyway.stderr
    (listed,) = json.loads(stoker("runs", "list", "--json", cwd=tmp_path).stdout)
    assert (listed["state"], listed["message"]) == ("completed", "3 of its weights are NaN or infinite")

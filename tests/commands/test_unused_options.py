"""An option that a model does without is said, and no record has it as if it had counted."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from stoker.engine.rundir import RunDirectory
from stoker.engine.runs.find import list_runs

from .. import tiny
from ..stoker_process import stoker

MODEL = """
import keras

def build(config):
    layers = [keras.Input(config.input_shape), keras.layers.Flatten(), keras.layers.Dense(config.classes, "softmax")]
    model = keras.Sequential(layers, name="own")
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model
"""
GIVEN = ("--learning-rate", 0.5, "--first-layer-neurons", 7)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("place")
    tiny.write(folder / "data")
    (folder / "own.py").write_text(MODEL)
    return folder


@pytest.fixture(scope="module")
def output(place: Path) -> str:
    words = ("train", "--data-folder", "data", "--model", "own.py:build", "--epochs", 1, "--batch-size", 20)
    done = stoker(*words, *GIVEN, cwd=place)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def run(place: Path, output: str) -> RunDirectory:
    (found,) = list_runs(place / "runs")
    return found


def test_each_option_without_effect_is_named_once(output: str):
    assert [line for line in output.splitlines() if "does not use" in line] == [
        "note: the model own does not use --first-layer-neurons",
        "note: the model own does not use --learning-rate; its optimizer has 0.001",
    ]


def test_the_job_keeps_what_was_asked_and_all_else_shows_what_was(place: Path, run: RunDirectory):
    assert (run.job().learning_rate, run.job().options["first_layer_neurons"]) == (0.5, 7)
    shown = re.sub("  +", "  ", stoker("runs", "show", cwd=place).stdout)
    assert "first layer neurons" not in shown
    assert "optimizer  Adam\n" in shown
    assert "learning rate  0.001\n" in shown
    assert "parameters  93 trainable, 0 not trainable\n" in shown
    report = run.report.read_text()
    assert "<th>optimizer learning rate</th><td>0.001</td>" in report
    assert "<td>0.5</td>" not in report
    assert "first layer neurons" not in report
    assert "dense (Dense)" in report
    trained = json.loads(stoker("runs", "show", "--json", cwd=place).stdout)["trained"]
    assert trained["optimizer"]["learning_rate"] == 0.001
    assert trained["unused_options"] == ["first_layer_neurons", "learning_rate"]


def test_options_that_the_model_uses_and_those_left_at_their_defaults_are_not_named(place: Path):
    done = stoker("train", "--data-folder", "data", "--epochs", 1, "--batch-size", 20, *GIVEN, cwd=place)
    assert "does not use" not in done.stdout
    words = ("train", "--data-folder", "data", "--model", "own.py:build", "--epochs", 1, "--batch-size", 20)
    assert "does not use" not in stoker(*words, cwd=place).stdout


def test_one_from_the_environment_counts_as_given(place: Path):
    words = ("train", "--data-folder", "data", "--model", "own.py:build", "--epochs", 1, "--batch-size", 20)
    done = stoker(*words, cwd=place, STOKER_LEARNING_RATE="0.3")
    assert "the model own does not use --learning-rate; its optimizer has 0.001" in done.stdout

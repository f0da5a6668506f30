"""The execution mode of a run: chosen before the first epoch, recorded, and kept by a resume."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from stoker.engine.job import TrainJob
from stoker.engine.rundir import RunDirectory
from stoker.engine.runs.find import list_runs
from stoker.engine.training.execution_mode import ExecutionMode, choose_mode, xla_pays

from ... import tiny
from ...stoker_process import stoker
from .test_same_as_fit import dense, ours

NOTE = "note: epochs run as graph: XLA's Conv2D is slow on a CPU"
CONVOLUTION = """
import keras

def build(config):
    layers = keras.layers
    model = keras.Sequential([keras.Input(config.input_shape, dtype=config.input_dtype), layers.Rescaling(1 / 255),
        layers.Reshape((*config.input_shape, 1)), layers.Conv2D(2, 3), layers.Flatten(),
        layers.Dense(config.classes, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model
"""


@pytest.mark.parametrize(
    ("eagerly", "replicas", "mode", "why"),
    [
        (False, 1, ExecutionMode.XLA, ""),
        (False, 2, ExecutionMode.GRAPH, "2 devices train together"),
        (True, 1, ExecutionMode.EAGER, "run_eagerly=True"),
        (True, 2, ExecutionMode.EAGER, "run_eagerly=True"),
    ],
)
def test_the_model_and_the_number_of_devices_decide_the_mode(
    eagerly: bool, replicas: int, mode: ExecutionMode, why: str
):
    model = SimpleNamespace(run_eagerly=eagerly, _flatten_layers=lambda: ())
    strategy = SimpleNamespace(num_replicas_in_sync=replicas)
    found, reason = choose_mode(model, strategy)
    assert found is mode
    assert (why in reason) if why else not reason


def test_a_fallback_is_reported_once_recorded_and_kept_by_a_resume(tmp_path: Path):
    tiny.write(tmp_path / "data")
    (tmp_path / "conv.py").write_text(CONVOLUTION)
    done = stoker("train", "--data-folder", "data", "--model", "conv.py", "--epochs", 2, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count(NOTE) == 1
    assert done.stdout.index(NOTE) < done.stdout.index("epoch 1/2")
    (run,) = list_runs(tmp_path / "runs")
    environment = run.environment()
    assert environment is not None
    assert (environment["execution_mode"], environment["execution_mode_reason"]) == ("graph", NOTE.split(": ", 2)[2])
    assert stoker("train", "--resume", "latest", "--epochs", 3, cwd=tmp_path).returncode == 0
    assert run.log.read_text().count(NOTE) == 1
    assert run.environment() == environment


def test_without_a_checkpoint_the_mode_is_chosen_again(tmp_path: Path):
    data = str(tiny.write(tmp_path / "data"))
    run = RunDirectory.create(tmp_path / "runs", TrainJob(dataset="", data_folder=data, epochs=1, batch_size=20))
    run.write_environment({"execution_mode": "xla", "execution_mode_reason": ""})  # of an attempt that was killed then
    assert stoker("exec", run.path, cwd=tmp_path).returncode == 0
    environment = run.environment()
    assert environment is not None
    assert environment["execution_mode"] == "graph"


@pytest.mark.parametrize(
    ("epochs", "may_choose", "mode"),
    [(1, True, "graph"), (10**6, True, "xla"), (1, False, "xla"), (10**6, False, "xla")],
)
def test_xla_is_left_out_where_a_training_is_too_short_for_it(keras: Any, epochs: int, may_choose: bool, mode: str):
    fit = ours(dense(keras), epochs=epochs, mode=ExecutionMode.XLA, may_choose=may_choose)
    assert fit._train_loop.mode == fit._test_loop.mode == mode
    assert (fit.fallback is None) == (mode == "xla")
    if fit.fallback:
        assert "in 11 steps" in fit.fallback.reason
        fit.run([], lambda report: None)


def test_what_xla_saves_grows_with_the_model_and_the_number_of_steps(keras: Any):
    def least(units: int) -> int:
        layers = [keras.Input(tiny.SHAPE), keras.layers.Flatten(), keras.layers.Dense(units, activation="relu")]
        model = keras.Sequential([*layers, keras.layers.Dense(tiny.CLASSES, activation="softmax")])
        model.compile("adam", "sparse_categorical_crossentropy")
        graph = ours(model)._train_loop.graph.as_graph_def(add_shapes=True)
        return next(steps for steps in range(0, 10_000, 50) if xla_pays(graph, steps, gpu=False))

    assert 100 < least(20_000) < least(2_000) < least(200)
    assert xla_pays(ours(dense(keras))._train_loop.graph.as_graph_def(add_shapes=True), 0, gpu=True)

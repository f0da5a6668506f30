"""Checkpoints: whole or refused, two generations, everything that training needs."""

from __future__ import annotations

import errno
import itertools
import json
import math
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stoker.engine import files
from stoker.engine.errors import CheckpointError, StorageError
from stoker.engine.metrics import EpochReport
from stoker.engine.training import checkpoint
from stoker.engine.training.checkpoint import Checkpoints, TrainingState, best_epoch, load_arrays, restore, verify
from stoker.engine.training.execution_mode import ExecutionMode
from stoker.engine.training.fit import Fit, Subset

from ... import tiny


def make(keras: Any, seed: int = 0, mode: ExecutionMode = ExecutionMode.GRAPH) -> Fit:
    """The training of a model whose every part has a state: dropout, batch normalization, Adam."""
    import tensorflow as tf

    keras.utils.set_random_seed(seed)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input(tiny.SHAPE, dtype="uint8"),
            layers.Rescaling(1 / 255),
            layers.Flatten(),
            layers.Dense(8, activation="relu"),
            layers.BatchNormalization(),
            layers.Dropout(0.2),
            layers.Dense(tiny.CLASSES, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    part = Subset(data=tiny.arrays(90, 1), rows=np.arange(90))
    return Fit(
        model=model,
        train=part,
        validation=part,
        batch_size=20,
        epochs=4,
        seed=0,
        stop=threading.Event(),
        mode=mode,
        strategy=tf.distribute.get_strategy(),
    )


def state(epoch: int, run_id: str = "run") -> TrainingState:
    """What is saved beside the variables."""
    return TrainingState(
        run_id=run_id, epoch=epoch, history={"loss": [1 / n for n in range(1, epoch + 1)]}, time_s=1.5, callbacks=[]
    )


def save_all(fit: Fit, checkpoints: Checkpoints) -> None:
    """Trains, and saves after each epoch."""
    fit.run([], lambda report: checkpoints.save(fit.model, state(report.epoch)))
    checkpoints.wait()


def values(fit: Fit) -> list[bytes]:
    """Every bit of the training's state."""
    return [variable.numpy().tobytes() for variable in (*fit.model.variables, *fit.model.optimizer.variables)]


@pytest.fixture(scope="module")
def saved(keras: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Checkpoints of a training of four epochs."""
    root = tmp_path_factory.mktemp("checkpoints")
    save_all(make(keras), Checkpoints(root))
    return root


@pytest.fixture
def root(saved: Path, tmp_path: Path) -> Path:
    """A copy of them, to be damaged."""
    return Path(shutil.copytree(saved, tmp_path / "checkpoints"))


def test_two_generations_are_kept(saved: Path):
    assert sorted(path.name for path in saved.iterdir()) == ["000003", "000004"]


@pytest.mark.parametrize("mode", [ExecutionMode.XLA, ExecutionMode.GRAPH])
def test_training_that_was_resumed_ends_with_the_same_bits(keras: Any, tmp_path: Path, mode: ExecutionMode):
    straight = make(keras, mode=mode)
    straight.run([], lambda report: None)
    first = make(keras, mode=mode)
    first.epochs = 2
    save_all(first, Checkpoints(tmp_path))
    second = make(keras, seed=99, mode=mode)  # what it begins with doesn't matter
    newest = Checkpoints(tmp_path).latest()
    assert newest is not None
    found = restore(newest, second.model, "run")
    second.run([], lambda report: None, found)
    assert values(second) == values(straight)


def test_history_and_time_come_back(root: Path, keras: Any):
    found = restore(root / "000004", make(keras).model, "run")
    assert found == state(4)


DAMAGES: dict[str, Callable[[Path], None]] = {
    "missing": lambda path: path.unlink(),
    "empty": lambda path: path.write_bytes(b""),
    "cut short": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "half": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "one more byte": lambda path: path.write_bytes(path.read_bytes() + b"\0"),
    "first bit flipped": lambda path: path.write_bytes(bytes([path.read_bytes()[0] ^ 1]) + path.read_bytes()[1:]),
    "last bit flipped": lambda path: path.write_bytes(path.read_bytes()[:-1] + bytes([path.read_bytes()[-1] ^ 1])),
    "a pipe": lambda path: (path.unlink(), os.mkfifo(path))[1],
    "of another generation": lambda path: path.write_bytes((path.parents[1] / "000003" / path.name).read_bytes()),
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", ["variables.npz", "state.json", "COMMIT"])
def test_a_damaged_checkpoint_is_refused_by_name_and_the_one_before_is_used(root: Path, name: str, damage: str):
    path = root / "000004" / name
    DAMAGES[damage](path)
    with pytest.raises(CheckpointError) as caught:
        verify(root / "000004")
    assert "000004" in str(caught.value)
    checkpoints = Checkpoints(root)
    assert checkpoints.latest() == root / "000003"
    assert len(checkpoints.refused) == 1


def test_without_a_whole_checkpoint_there_is_none(root: Path):
    for folder in root.iterdir():
        (folder / "COMMIT").unlink()
    checkpoints = Checkpoints(root)
    assert checkpoints.latest() is None
    assert len(checkpoints.refused) == 2


def test_a_checkpoint_of_another_run_is_refused(root: Path, keras: Any):
    with pytest.raises(CheckpointError, match="another run"):
        restore(root / "000004", make(keras).model, "other")


def test_a_checkpoint_of_another_model_is_refused(root: Path, keras: Any):
    model = keras.Sequential([keras.Input(tiny.SHAPE), keras.layers.Flatten(), keras.layers.Dense(3)])
    model.compile("adam", "mse")
    with pytest.raises(CheckpointError, match="another model"):
        restore(root / "000004", model, "run")


@pytest.mark.parametrize("step", ["sync_file", "replace", "sync_folder"])
def test_no_space_at_any_step_of_writing_leaves_a_whole_checkpoint(
    keras: Any, root: Path, step: str, monkeypatch: pytest.MonkeyPatch
):
    real, fit = getattr(files, step), make(keras)
    fails_at = complaints = 0
    while complaints == fails_at:
        fails_at += 1
        calls = itertools.count(1)

        def full(*arguments: Any, calls: Iterator[int] = calls, at: int = fails_at) -> Any:
            if next(calls) == at:
                raise OSError(errno.ENOSPC, "No space left on device")
            return real(*arguments)

        shutil.rmtree(root / "000005", ignore_errors=True)
        monkeypatch.setattr(files, step, full)
        complaints += _complains(fit, root)
        newest = Checkpoints(root).latest()
        assert newest is not None
        assert newest.name in {"000004", "000005"}
    assert complaints >= 1
    assert newest.name == "000005"


def _complains(fit: Fit, root: Path) -> bool:
    """Whether saving says that there is no space."""
    checkpoints = Checkpoints(root)
    checkpoints.save(fit.model, state(5))
    try:
        checkpoints.wait()
    except StorageError as error:
        return "no space is left" in str(error)
    return False


def test_the_arrays_of_a_checkpoint_are_the_variables_in_their_order(keras: Any, tmp_path: Path):
    fit = make(keras)
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(fit.model, state(7))
    checkpoints.wait()
    assert checkpoints.latest() == checkpoints.path_of(7) == tmp_path / "000007"
    assert [array.tobytes() for array in load_arrays(checkpoints.path_of(7)).values()] == values(fit)


def test_saving_takes_the_state_of_that_moment(keras: Any, tmp_path: Path):
    fit = make(keras)
    checkpoints = Checkpoints(tmp_path)
    before = values(fit)
    checkpoints.save(fit.model, state(1))
    fit.run([], lambda report: None)
    checkpoints.wait()
    again = make(keras, seed=3)
    restore(tmp_path / "000001", again.model, "run")
    assert values(again) == before


@pytest.mark.parametrize("interrupted_after", [1, 2, 3, 4])
def test_callbacks_continue_where_they_were(keras: Any, tmp_path: Path, interrupted_after: int):
    def callbacks() -> list[Any]:
        stopping = keras.callbacks.EarlyStopping(monitor="loss", mode="max", patience=2, restore_best_weights=True)
        return [stopping, keras.callbacks.ReduceLROnPlateau(monitor="loss", mode="max", patience=1, factor=0.5)]

    def train(fit: Fit, watching: list[Any], checkpoints: Checkpoints, resumed: TrainingState | None = None) -> None:
        def save(report: EpochReport) -> None:
            plain, arrays = fit.callback_states.capture()
            stopped = bool(fit.model.stop_training)
            more = {"stopped": stopped, "callbacks": plain, "arrays": arrays, "history": fit.history}
            checkpoints.save(fit.model, replace(state(report.epoch), **more))

        fit.run(watching, save, resumed)
        checkpoints.wait()

    def fresh(epochs: int, seed: int = 0) -> Fit:
        fit = make(keras, seed)
        fit.epochs = epochs
        return fit

    straight = fresh(9)
    train(straight, callbacks(), Checkpoints(tmp_path / "straight"))
    assert len(straight.history["loss"]) < 9
    train(fresh(interrupted_after), callbacks(), Checkpoints(tmp_path / "killed"))
    second = fresh(9, seed=7)
    newest = Checkpoints(tmp_path / "killed").latest()
    assert newest is not None
    found = restore(newest, second.model, "run")
    train(second, callbacks(), Checkpoints(tmp_path / "killed"), found)
    assert second.history == straight.history
    if interrupted_after < len(straight.history["loss"]):  # else the first part has ended by its epochs
        assert values(second) == values(straight)


@pytest.mark.parametrize(
    ("losses", "done", "best"),
    [
        ((0.3, 0.2, 0.2), 3, 2),
        ((math.nan, 0.5, 0.4), 3, 3),
        ((math.nan, 0.4, math.inf), 3, 2),
        ((math.nan, math.nan), 2, 0),
        ((0.3, 0.4), 5, 4),
        ((), 0, 0),
    ],
)
def test_the_best_epoch_has_the_lowest_loss_that_is_a_number(losses: tuple[float, ...], done: int, best: int):
    assert best_epoch({"val_loss": losses, "loss": (9.0,) * len(losses)}, done) == best


ODD_STATES: dict[str, dict[str, Any]] = {
    "no epoch": {"epoch": None},
    "epoch 0": {"epoch": 0},
    "an epoch that is true": {"epoch": True},
    "text for an epoch": {"epoch": "3"},
    "a list for the history": {"history": []},
    "text in the history": {"history": {"loss": ["x"]}},
    "a number for the history of a figure": {"history": {"loss": 7}},
    "text for the time": {"time_s": "long"},
    "a number for stopped": {"stopped": 1},
    "callbacks without a state": {"callbacks": [{}]},
    "no run": {"run_id": 7},
    "another run": {"run_id": "another"},
}


@pytest.mark.parametrize("kind", ODD_STATES)
def test_a_checkpoint_with_an_odd_state_is_passed_over_by_name(tmp_path: Path, keras: Any, kind: str):
    """One of another version, or of another run, whose digests are right."""
    checkpoints = Checkpoints(tmp_path)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    for epoch in (1, 2):
        checkpoints.save(model, TrainingState(run_id="run", epoch=epoch, history={"loss": [1.0] * epoch}, time_s=1.0))
    checkpoints.wait()
    newest = checkpoints.path_of(2)
    state = json.loads((newest / "state.json").read_text()) | ODD_STATES[kind]
    (newest / "state.json").write_text(json.dumps(state))
    facts = {name: checkpoint._digest_and_size(newest / name) for name in ("variables.npz", "state.json")}
    (newest / "COMMIT").write_bytes(checkpoint._commit(facts))
    assert checkpoints.latest("run") == checkpoints.path_of(1)
    (said,) = checkpoints.refused
    assert str(newest) in said


def test_more_than_ten_thousand_variables_come_back_in_their_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    class Variable:
        shape = (1,)

        def __init__(self, number: int) -> None:
            self.number = number

        def numpy(self) -> Any:
            return np.array([self.number], np.int64)

        def assign(self, value: Any) -> None:
            assert value[0] == self.number

    variables = [Variable(number) for number in range(10_050)]
    monkeypatch.setattr(checkpoint, "variables_of", lambda model, more: variables)
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(None, TrainingState(run_id="run", epoch=1, history={}, time_s=1.0))
    checkpoints.wait()
    restore(checkpoints.path_of(1), None, "run")


def test_each_field_of_a_state_is_saved() -> None:
    assert {*checkpoint._FIELDS, "arrays"} == {field.name for field in fields(TrainingState)}

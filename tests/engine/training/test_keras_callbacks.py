"""Each callback that Keras ships, killed in a training and resumed, with an uninterrupted training as the judge."""

from __future__ import annotations

import collections
import copy
import enum
import http.server
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stoker.engine.metrics import EpochReport
from stoker.engine.training.callback_state import CallbackStates
from stoker.engine.training.checkpoint import Checkpoints, TrainingState, restore
from stoker.engine.training.execution_mode import ExecutionMode
from stoker.engine.training.fit import Fit, Subset
from stoker.engine.training.loop import Loop
from stoker.engine.training.step_figures import learning_rate

from ... import tiny
from ...sample import sample

EPOCHS, DONE = 5, 2
"""Epochs of a training, and how many of them it has behind it when it is resumed."""


class Killed(Exception):  # noqa: N818 - it reports no error
    """The process is gone."""


@pytest.fixture(autouse=True)
def chunks_of_one_length(monkeypatch: pytest.MonkeyPatch) -> None:
    """Callbacks that count batches are called once a chunk; on a busy machine a chunk has fewer of them."""
    monkeypatch.setattr(Loop, "_learn", lambda *_: None)


def model(keras: Any, **changed: Any) -> Any:
    keras.utils.set_random_seed(1)
    made = keras.Sequential(
        [keras.Input(tiny.SHAPE), keras.layers.Flatten(), keras.layers.Dense(tiny.CLASSES, activation="softmax")]
    )
    optimizer = keras.optimizers.SGD(0.1, momentum=0.9, **changed)
    made.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return made


def fit_of(made: Any) -> Fit:
    import tensorflow as tf

    images, labels = tiny.arrays(90, 1)
    part = Subset(data=(images.astype(np.float32) / 255, labels), rows=np.arange(90))
    settings: dict[str, Any] = {"train": part, "validation": part, "batch_size": 20, "epochs": EPOCHS, "seed": 3}
    more = {"stop": threading.Event(), "mode": ExecutionMode.GRAPH, "strategy": tf.distribute.get_strategy()}
    return Fit(model=made, **settings | more)


def train(fit: Fit, callbacks: list[Any], folder: Path, killed: str = "", resumed: TrainingState | None = None) -> None:
    """Trains, with a checkpoint after each epoch.

    Args:
        fit: The training.
        callbacks: Its callbacks.
        folder: Where the checkpoints are.
        killed: When the process is killed: "in an epoch", "before a checkpoint", or never.
        resumed: The checkpoint to continue from.
    """
    checkpoints = Checkpoints(folder)

    def save(report: EpochReport) -> None:
        if killed == "before a checkpoint" and report.epoch > DONE:
            raise Killed
        states, arrays = fit.callback_states.capture()
        history = {name: tuple(values) for name, values in fit.history.items()}
        more = {"stopped": bool(fit.model.stop_training), "callbacks": states, "arrays": arrays}
        checkpoints.save(
            fit.model, TrainingState(run_id="run", epoch=report.epoch, history=history, time_s=0.0, **more)
        )
        checkpoints.wait()

    def progress(told: Any) -> None:
        if killed == "in an epoch" and told.epoch > DONE:
            raise Killed

    fit.run(callbacks, save, resumed, on_progress=progress)


def interrupted(make: Callable[[], tuple[Fit, list[Any]]], folder: Path, killed: str) -> tuple[Fit, list[Any]]:
    """A training that was killed and resumed."""
    fit, callbacks = make()
    with pytest.raises(Killed):
        train(fit, callbacks, folder, killed)
    for callback in callbacks:  # what the end of a process does
        for name in ("csv_file", "file"):
            if held := getattr(callback, name, None):
                held.close()
    fit, callbacks = make()
    newest = Checkpoints(folder).latest()
    assert newest is not None
    train(fit, callbacks, folder, resumed=restore(newest, fit.model, "run"))
    return fit, callbacks


def csv(folder: Path) -> str:
    return "".join(path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.csv")))


def models(folder: Path) -> dict[str, list[Any]]:
    """The weights in each file that a callback saved."""
    import keras

    return {path.name: keras.saving.load_model(path).get_weights() for path in sorted(folder.glob("*.keras"))}


def scalars(folder: Path) -> dict[str, list[float]]:
    """What TensorBoard shows: of each figure the last value of each step."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.util.tensor_util import make_ndarray

    shown: dict[str, list[float]] = {}
    for part in ("train", "validation"):
        events = EventAccumulator(str(folder / part), size_guidance={"tensors": 0}, purge_orphaned_data=False).Reload()
        for name in events.Tags()["tensors"]:
            if name != "keras" and "histogram" not in name:
                by_step = {event.step: float(make_ndarray(event.tensor_proto)) for event in events.Tensors(name)}
                shown[f"{part} {name}"] = [by_step[step] for step in sorted(by_step)]
    return shown


def nothing(folder: Path) -> None:
    return None


WORSE = {"monitor": "loss", "mode": "max"}
"""The loss falls, so that a callback which waits for a higher one waits in vain."""


def files(folder: Path) -> Any:
    return csv(folder), models(folder)


Case = tuple[Callable[[Any, Path], list[Any]], Callable[[Path], Any], dict[str, Any]]

CASES: dict[str, Case] = {
    "EarlyStopping": (
        lambda k, f: [
            k.EarlyStopping(**WORSE, patience=3, restore_best_weights=True),
            k.EarlyStopping(**WORSE, patience=9, start_from_epoch=1, min_delta=0.01, baseline=0.9),
            k.EarlyStopping(monitor="val_loss", patience=9, min_delta=0.05),
            k.EarlyStopping(monitor="accuracy", patience=9, min_delta=0.05, restore_best_weights=True),
        ],
        nothing,
        {},
    ),
    "ReduceLROnPlateau LearningRateScheduler": (
        lambda k, f: [
            k.ReduceLROnPlateau(**WORSE, patience=1, factor=0.5, cooldown=1, min_lr=0.01),
            k.ReduceLROnPlateau(monitor="val_loss", patience=1, min_delta=0.05),
            k.LearningRateScheduler(lambda epoch, rate: rate * 0.9),
            k.CSVLogger(f / "log.csv"),
        ],
        csv,
        {},
    ),
    "CSVLogger ModelCheckpoint LambdaCallback TerminateOnNaN History ProgbarLogger": (
        lambda k, f: [
            k.LambdaCallback(on_epoch_end=lambda epoch, logs: logs.update({"twice": 2.0 * epoch})),
            k.TerminateOnNaN(),
            k.History(),
            k.ProgbarLogger(),
            k.CSVLogger(f / "log.csv"),
            k.CSVLogger(f / "more.csv", separator=";", append=True),
            k.ModelCheckpoint(f / "each {epoch}.keras"),
            k.ModelCheckpoint(f / "best {epoch}.keras", monitor="val_loss", save_best_only=True),
            k.ModelCheckpoint(f / "worst {epoch}.keras", **WORSE, save_best_only=True, initial_value_threshold=0.5),
            k.ModelCheckpoint(f / "batch {epoch}-{batch}.keras", save_freq=8),
            k.ModelCheckpoint(f / "highest {epoch}.keras", monitor="accuracy", save_best_only=True),
        ],
        files,
        {},
    ),
    "BackupAndRestore": (
        lambda k, f: [
            k.BackupAndRestore(f / "backup"),
            k.BackupAndRestore(f / "by batches", save_freq=3),
            k.BackupAndRestore(f / "twice", double_checkpoint=True),
        ],
        nothing,
        {},
    ),
    "TensorBoard": (
        lambda k, f: [k.TensorBoard(f / "epochs", histogram_freq=2), k.TensorBoard(f / "batches", update_freq=2)],
        lambda folder: (scalars(folder / "epochs"), scalars(folder / "batches")),
        {},
    ),
    "SwapEMAWeights": (
        lambda k, f: [k.SwapEMAWeights(), k.EarlyStopping(**WORSE, patience=9, restore_best_weights=True)],
        nothing,
        {"use_ema": True},
    ),
    "SwapEMAWeights, each epoch": (
        lambda k, f: [k.SwapEMAWeights(swap_on_epoch=True), k.ModelCheckpoint(f / "each {epoch}.keras")],
        models,
        {"use_ema": True},
    ),
}
"""Callbacks that don't disturb each other, what they leave behind, and what the optimizer needs for them."""


def same(mine: Fit, other: Fit) -> None:
    """Both trainings have ended with the same bits, figures and states of callbacks."""
    assert mine.history == other.history
    assert mine.model.history.history == other.model.history.history
    assert mine.model.history.epoch == other.model.history.epoch
    for one, two in zip(mine.model.get_weights(), other.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)
    assert learning_rate(mine.model.optimizer) == learning_rate(other.model.optimizer)
    (states, arrays), (expected, others) = mine.callback_states.capture(), other.callback_states.capture()
    assert states == expected
    assert arrays.keys() == others.keys()
    for name in arrays:
        np.testing.assert_array_equal(arrays[name], others[name])


def alike(found: Any, expected: Any) -> None:
    """Both are the same, arrays in dictionaries, lists and tuples included."""
    assert type(found) is type(expected)
    if isinstance(found, dict):
        assert found.keys() == expected.keys()
        found, expected = list(found.values()), list(expected.values())
    if isinstance(found, list | tuple):
        assert len(found) == len(expected)
        for one, two in zip(found, expected, strict=True):
            alike(one, two)
    else:
        np.testing.assert_array_equal(found, expected)


BETWEEN = ("CSVLogger", "TensorBoard")
"""Callbacks that write before there is a checkpoint: at a resume they write it again."""


@pytest.mark.parametrize("kind", sample(CASES, list(CASES)[::3]))
def test_a_callback_of_keras_does_the_same_with_an_interruption(keras: Any, tmp_path: Path, kind: str):
    does_the_same_with_an_interruption(keras, tmp_path, kind, "in an epoch")


@pytest.mark.parametrize("kind", sample((kind for kind in CASES if kind.startswith(BETWEEN)), {"TensorBoard"}))
def test_a_callback_that_writes_does_the_same_without_a_checkpoint(keras: Any, tmp_path: Path, kind: str):
    does_the_same_with_an_interruption(keras, tmp_path, kind, "before a checkpoint")


def does_the_same_with_an_interruption(keras: Any, tmp_path: Path, kind: str, killed: str) -> None:
    make, outcome, changed = CASES[kind]

    def made(folder: Path) -> tuple[Fit, list[Any]]:
        folder.mkdir(exist_ok=True)
        return fit_of(model(keras, **changed)), make(keras.callbacks, folder)

    straight, callbacks = made(tmp_path / "one")
    train(straight, callbacks, tmp_path / "one checkpoints")
    second, _ = interrupted(lambda: made(tmp_path / "two"), tmp_path / "two checkpoints", killed)
    same(second, straight)
    alike(outcome(tmp_path / "two"), outcome(tmp_path / "one"))


def test_averages_swapped_each_epoch_are_no_end_of_the_training(keras: Any, tmp_path: Path):
    """A run that has all its epochs, and is given more of them, ends as one that had all of them from the start."""

    def made(epochs: int) -> tuple[Fit, list[Any]]:
        fit = fit_of(model(keras, use_ema=True))
        fit.epochs = epochs
        return fit, [keras.callbacks.SwapEMAWeights(swap_on_epoch=True)]

    straight, callbacks = made(EPOCHS)
    train(straight, callbacks, tmp_path / "one")
    short, callbacks = made(DONE)
    train(short, callbacks, tmp_path / "two")
    weights = short.model.get_weights()
    averages = [variable.numpy() for variable in short.model.optimizer._model_variables_moving_average]
    for one, two in zip(averages, weights, strict=True):  # as Keras' fit leaves them
        np.testing.assert_array_equal(one, two)
    longer, callbacks = made(EPOCHS)
    newest = Checkpoints(tmp_path / "two").latest()
    assert newest is not None
    train(longer, callbacks, tmp_path / "two", resumed=restore(newest, longer.model, "run"))
    same(longer, straight)


def test_every_callback_of_keras_is_tried(keras: Any):
    known = {name for name in dir(keras.callbacks) if name[0].isupper()} - {"Callback", "CallbackList"}
    known.discard("OrbaxCheckpoint")  # it needs the package orbax-checkpoint, which stoker does not
    tried = {word for kind in CASES for word in kind.replace(",", "").split()} | {"RemoteMonitor"}
    assert known - tried == set()


@pytest.fixture
def server() -> Iterator[tuple[str, list[Any]]]:
    """A server on this machine that keeps what it is sent: its address, and the list."""
    got: list[Any] = []

    class Keeps(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *arguments: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Keeps) as listening:
        thread = threading.Thread(target=listening.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{listening.server_address[1]}", got
        listening.shutdown()
        thread.join()


def test_a_remote_monitor_is_told_each_epoch(keras: Any, tmp_path: Path, server: tuple[str, list[Any]]):
    root, got = server

    def made() -> tuple[Fit, list[Any]]:
        return fit_of(model(keras)), [keras.callbacks.RemoteMonitor(root, send_as_json=True)]

    fit, _ = interrupted(made, tmp_path, "in an epoch")
    assert [one["epoch"] for one in got] == list(range(EPOCHS))
    assert [one["val_loss"] for one in got] == fit.history["val_loss"]


def own(keras: Any, place: str) -> Any:
    """A callback of a user, with state of many kinds, and with what belongs to one process."""

    class Own(keras.callbacks.Callback):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.losses: list[float] = []
            self.recent: Any = collections.deque(maxlen=2)
            self.seen: dict[int, Any] = collections.defaultdict(list)
            self.known: set[tuple[int, str]] = set()
            self.total = np.zeros(3)
            self.weight = keras.Variable(0.0)
            self.last: Path | None = None
            self.worst = float("-inf")
            self.patience = 3
            self.place = ""
            self.model_again: Any = None

        def on_train_begin(self, logs: Any = None) -> None:
            self.place, self.model_again = place, self.model
            self.rate = float(self.model.optimizer.learning_rate)
            self.first = int(self.model.optimizer.iterations)
            self.file = Path(place).open("a", encoding="utf-8")  # noqa: SIM115 - held until the end

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            self.losses.append(logs["loss"])
            self.recent.append(epoch)
            self.seen[epoch].append(np.arange(epoch))
            self.known.add((epoch, "epoch"))
            self.total += epoch  # in place: it is the same array
            self.weight.assign(epoch / 10)
            self.last = Path(f"{epoch}")
            self.model.optimizer.learning_rate = self.rate / (epoch + 1)
            self.file.write(f"{epoch}\n")

        def on_train_end(self, logs: Any = None) -> None:
            self.file.close()

    return Own()


def test_a_users_callback_keeps_its_state_and_what_it_found_at_the_beginning_is_of_this_process(
    keras: Any, tmp_path: Path
):
    straight, callback = fit_of(model(keras)), own(keras, str(tmp_path / "straight"))
    train(straight, [callback], tmp_path / "one")
    places = iter(["killed", "resumed"])
    second, callbacks = interrupted(
        lambda: (fit_of(model(keras)), [own(keras, str(tmp_path / next(places)))]), tmp_path / "two", "in an epoch"
    )
    same(second, straight)
    found = callbacks[0]
    assert (found.place, found.file.name) == (str(tmp_path / "resumed"),) * 2
    assert found.model_again is second.model
    assert (found.rate, found.first) == (callback.rate, 0)
    assert (found.losses, found.known, found.last) == (callback.losses, callback.known, callback.last)
    assert (found.recent, found.recent.maxlen, found.seen.default_factory) == (callback.recent, 2, list)
    assert float(found.weight) == pytest.approx(0.4)
    np.testing.assert_array_equal(found.total, callback.total)


def test_a_setting_that_is_changed_for_a_resume_is_the_new_one(keras: Any, tmp_path: Path):
    patience = iter([9, 2])
    fit, callbacks = interrupted(
        lambda: (fit_of(model(keras)), [keras.callbacks.EarlyStopping(**WORSE, patience=next(patience))]),
        tmp_path,
        "in an epoch",
    )
    assert callbacks[0].patience == 2
    assert fit.model.history.epoch == [0, 1, 2]


def test_state_goes_to_a_callback_of_the_same_kind_only(keras: Any, tmp_path: Path):
    kinds = iter([keras.callbacks.EarlyStopping(**WORSE, patience=9), keras.callbacks.TerminateOnNaN()])
    _, callbacks = interrupted(lambda: (fit_of(model(keras)), [next(kinds)]), tmp_path, "in an epoch")
    assert not hasattr(callbacks[0], "wait")


def test_what_has_not_changed_is_no_state(keras: Any):
    callback = keras.callbacks.EarlyStopping(**WORSE)
    states = CallbackStates([callback])
    callback.on_train_begin()
    states.begin()
    assert states.capture() == ([{"kind": f"{type(callback).__module__}.EarlyStopping", "state": {}}], {})
    callback.wait = 2
    assert states.capture()[0][0]["state"] == {"wait": 2}


class Sort(enum.IntEnum):
    FIRST = 1


def carried(keras: Any, first: dict[str, Any], changed: dict[str, Any]) -> Any:
    """A callback that had the attributes `first` at the beginning, and has got `changed` from a checkpoint."""
    one, two = keras.callbacks.Callback(), keras.callbacks.Callback()
    for callback in (one, two):
        vars(callback).update(copy.deepcopy(first))
    states = CallbackStates([one])
    states.begin()
    vars(one).update(changed)
    captured, arrays = states.capture()
    CallbackStates([two]).restore(json.loads(json.dumps(captured)), arrays)
    return two


@pytest.mark.parametrize(
    "value",
    [collections.Counter(a=2), collections.OrderedDict(b=1, a=2), collections.deque([1, 2]), {1: {"x"}}, (1, [2.5])],
)
def test_a_value_comes_back_as_what_it_was(keras: Any, value: Any):
    found = carried(keras, {}, {"late": value})
    assert (type(found.late), found.late) == (type(value), value)


def test_a_dictionary_of_another_class_is_filled_where_the_callback_has_made_it_and_else_is_its_own_affair(keras: Any):
    full = collections.defaultdict(int, a=1)
    found = carried(keras, {"early": collections.defaultdict(int)}, {"early": full, "late": full})
    found.early["new"] += 1
    assert found.early == {"a": 1, "new": 1}
    assert not hasattr(found, "late")


@pytest.mark.parametrize("value", [Sort.FIRST, [Sort.FIRST], [collections.defaultdict(int)]])
def test_what_would_come_back_as_something_else_is_left_as_it_is(keras: Any, value: Any):
    assert carried(keras, {"kept": "as it was"}, {"kept": value}).kept == "as it was"


def test_an_array_is_filled_so_that_views_of_it_see_the_numbers(keras: Any):
    class Views(dict[str, Any]):
        def __deepcopy__(self, memo: Any) -> dict[str, Any]:
            array = np.zeros(3)
            return {"array": array, "view": [array[:2]], "whole": array}

    found = carried(keras, Views(), {"array": np.arange(3.0)})
    assert found.array is found.whole
    assert found.view[0].tolist() == [0.0, 1.0]


def test_lists_that_contain_each_other_are_no_state_and_take_no_time(keras: Any):
    grid: list[Any] = [[] for _ in range(36)]
    for neighbours in grid:
        neighbours.extend(grid)
    found = carried(keras, {"grid": "as it was", "long": "as it was"}, {"grid": grid, "long": list(range(100_000))})
    assert (found.grid, found.long) == ("as it was", "as it was")


def test_a_file_of_rows_ends_at_the_epoch_of_the_checkpoint(keras: Any, tmp_path: Path):
    """It has rows of a training before, and the last row is broken: the process was killed while it wrote it."""
    from stoker.engine.training.callback_state import continue_files

    path = tmp_path / "log.csv"
    before = 'epoch,loss\n0,1.0\n1,0.5\n2,0.4\n0,"[1.0,\n 2.0]"\n1,0.25\n'
    path.write_text(before + "2,0.125\n3", encoding="utf-8")
    continue_files([keras.callbacks.CSVLogger(path)], 2)
    assert path.read_text(encoding="utf-8") == before


def test_callbacks_find_in_params_and_model_what_they_find_in_fit(keras: Any):
    found: list[Any] = []

    class Reads(keras.callbacks.Callback):  # type: ignore[misc]
        def on_train_begin(self, logs: Any = None) -> None:
            found.append((self.params, self.model._initial_epoch, self.model.stop_training))

    fit = fit_of(model(keras))
    fit.run([Reads()], lambda report: None)
    images, labels = fit.train.data
    model(keras).fit(images, labels, batch_size=20, epochs=EPOCHS, verbose=0, callbacks=[Reads()])
    assert found[0] == found[1]

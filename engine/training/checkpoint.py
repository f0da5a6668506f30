"""Checkpoints: everything that training needs to continue, in folders that are whole or don't count.

checkpoints/000003/variables.npz    the model's variables (seed states included), the optimizer's, and all others that
                                    a step uses
checkpoints/000003/state.json       epoch, history, run
checkpoints/000003/COMMIT           sha256 and size of the two; written last; without it the checkpoint does not count
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from .. import files, strict_json
from ..errors import CheckpointError
from ..metrics import VALIDATION

KEEP = 2
"""Generations that are kept, beside the best one."""
_VARIABLES, _STATE, _COMMIT = "variables.npz", "state.json", "COMMIT"
_FIELDS = ("run_id", "epoch", "history", "time_s", "stopped", "callbacks")
_CALLBACK = "callback."


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingState:
    """What a checkpoint holds beside the variables.

    Attributes:
        run_id: The run that it is of.
        epoch: Epochs that were finished.
        history: The figures of each of them, by Keras' names: {"loss": [0.25, …], …}.
        time_s: Seconds of training so far, over all attempts.
        stopped: Whether a callback has ended the training.
        callbacks: The captured state of each callback; see `engine.training.callback_state`.
        arrays: The arrays of that state.
    """

    run_id: str
    epoch: int
    history: Mapping[str, Sequence[float]]
    time_s: float
    stopped: bool = False
    callbacks: Sequence[Mapping[str, Any]] = ()
    arrays: Mapping[str, Any] = field(default_factory=dict)


class Checkpoints:
    """The checkpoints of one run; one at a time is written, by a thread, beside the next epoch.

    Attributes:
        root: The folder of the generations.
        refused: Why generations were passed over by `latest`, one sentence each.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.refused: list[str] = []
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="stoker-checkpoint")
        self._pending: Future[int] | None = None

    def path_of(self, epoch: int) -> Path:
        """Returns the folder of the checkpoint after an epoch, counted from 1; it need not be there."""
        return self.root / f"{epoch:06}"

    def save(self, model: Any, state: TrainingState, more: Sequence[Any] = ()) -> None:
        """Copies the state of the model now and writes it in the background.

        Args:
            model: The model, with its optimizer.
            state: What else the checkpoint holds.
            more: Variables that the training changes and the model does not know.

        Raises:
            StorageError: The one before could not be written.
        """
        self.wait()
        arrays = {f"{index:06}": variable.numpy().copy() for index, variable in enumerate(variables_of(model, more))}
        arrays |= {_CALLBACK + name: array for name, array in state.arrays.items()}
        self._pending = self._writer.submit(self._write, arrays, state)

    def wait(self) -> int | None:
        """Waits until the last `save` is on the disk; returns its epoch, to the first call after it.

        Raises:
            StorageError: It could not be written.
        """
        pending, self._pending = self._pending, None
        return pending.result() if pending else None

    def latest(self, run_id: str = "") -> Path | None:
        """Finds the newest checkpoint that is whole, or None; `refused` then names those that are damaged.

        Args:
            run_id: The run that it must be of; "" takes one of any.
        """
        for folder in sorted(self.root.glob("[0-9]*"), reverse=True):
            try:
                verify(folder)
                if (found := read_state(folder).run_id) != run_id and run_id:
                    raise CheckpointError(f"{folder} is of another run, {found}")
            except CheckpointError as error:
                self.refused.append(str(error.what))
            else:
                return folder
        return None

    def _write(self, arrays: Mapping[str, Any], state: TrainingState) -> int:
        import numpy as np

        files.make_folder(self.root)
        with files.atomic_folder(self.path_of(state.epoch)) as beside:
            beside.mkdir()
            with files.atomic_writer(beside / _VARIABLES) as stream:
                np.savez(stream, **arrays)
            files.write_json(beside / _STATE, {name: getattr(state, name) for name in _FIELDS})
            facts = {name: _digest_and_size(beside / name) for name in (_VARIABLES, _STATE)}
            files.write_bytes(beside / _COMMIT, _commit(facts))
        for old in sorted(self.root.glob("[0-9]*"))[:-KEEP]:
            if old != self.path_of(best_epoch(state.history, state.epoch)):
                files.remove_tree(old)
        return state.epoch


def best_epoch(history: Mapping[str, Sequence[float]], epochs_done: int) -> int:
    """Returns the epoch, counted from 1, with the lowest validation loss; the first of several.

    Without a loss, or if none is a finite number, no epoch is the best, and 0 is returned.

    Args:
        history: The figures of the last epochs, by Keras' names.
        epochs_done: How many epochs are done; Keras' BackupAndRestore may have done some before the history begins.
    """
    losses = history.get(f"{VALIDATION}loss") or history.get("loss") or ()
    finite = [index for index, loss in enumerate(losses) if math.isfinite(loss)]
    return epochs_done - len(losses) + 1 + min(finite, key=losses.__getitem__) if finite else 0


def restore(folder: Path, model: Any, run_id: str, more: Sequence[Any] = ()) -> TrainingState:
    """Puts a verified checkpoint back into a model that is built and compiled as it was.

    Args:
        folder: The checkpoint.
        model: The model, whose variables and optimizer are overwritten.
        run_id: The run that is resumed.
        more: The variables that were saved with those of the model, in the same order.

    Returns:
        The state of the training at that checkpoint.

    Raises:
        CheckpointError: It is of another run, or of another model.
    """
    state = read_state(folder)
    if state.run_id != run_id:
        raise CheckpointError(f"{folder} is of another run", received=state.run_id, expected=run_id, path=folder)
    arrays = load_arrays(folder)
    captured = {name.removeprefix(_CALLBACK): arrays.pop(name) for name in list(arrays) if name.startswith(_CALLBACK)}
    variables = variables_of(model, more)
    if [array.shape for array in arrays.values()] != [tuple(variable.shape) for variable in variables]:
        raise CheckpointError(f"{folder} is of another model", hint="has the model's code changed?", path=folder)
    for array, variable in zip(arrays.values(), variables, strict=True):
        variable.assign(array)
    return replace(state, arrays=captured)


def read_state(folder: Path) -> TrainingState:
    """Reads what a checkpoint holds beside the arrays.

    Args:
        folder: The checkpoint, which is whole.

    Raises:
        CheckpointError: A field of it is missing, or of another type than this version writes.
    """
    path = folder / _STATE
    try:
        value = strict_json.loads(files.read_plain(path))
        checked = {name: _checked(name, value[name]) for name in _FIELDS}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        reason = f"it has no {error}" if isinstance(error, KeyError) else str(error)
        raise CheckpointError(f"{path} can't be used: {reason}", path=path) from error
    return TrainingState(**checked)


def _checked(name: str, value: Any) -> Any:
    """Returns a field of a state.

    Raises:
        TypeError, ValueError: It is of another type, or no possible value.
    """
    kinds: dict[str, type | tuple[type, ...]] = {
        "run_id": str,
        "epoch": int,
        "history": dict,
        "time_s": (int, float),
        "stopped": bool,
        "callbacks": list,
    }
    if not isinstance(value, kinds[name]) or (name == "epoch" and (isinstance(value, bool) or value < 1)):
        raise ValueError(f"its {name} is {json.dumps(value)[:80]}")
    if name == "history":
        return {str(figure): [float(number) for number in numbers] for figure, numbers in value.items()}
    if name == "callbacks" and not all(
        isinstance(each, dict) and isinstance(each.get("state"), dict) for each in value
    ):
        raise ValueError("its callbacks have no states")
    return value


def load_arrays(folder: Path) -> dict[str, Any]:
    """Loads every array of a checkpoint: the variables of model and optimizer in order, and those of callbacks.

    Args:
        folder: The checkpoint, which is whole.
    """
    import numpy as np

    with np.load(folder / _VARIABLES) as stored:
        return {name: stored[name] for name in stored.files}  # in the order in which they were saved


def verify(folder: Path) -> None:
    """Checks a checkpoint against its COMMIT.

    Raises:
        CheckpointError: It is not whole; the message names the file.
    """
    try:
        written = files.read_plain(folder / _COMMIT)
        commit = json.loads(written)
        expected = {name: commit[name] for name in (_VARIABLES, _STATE)}
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise CheckpointError(f"{folder / _COMMIT} is missing or unreadable", path=folder / _COMMIT) from error
    if written != _commit(expected):
        raise CheckpointError(f"{folder / _COMMIT} is damaged", path=folder / _COMMIT)
    for name, facts in expected.items():
        path = folder / name
        found = _digest_and_size(path) if path.is_file() else "no such file"
        if found != facts:
            raise CheckpointError(f"{path} is damaged", received=found, expected=facts, path=path)


def _commit(facts: Mapping[str, Any]) -> bytes:
    """The bytes of COMMIT; anything else in its place is damage."""
    return json.dumps(facts, indent=2).encode() + b"\n"


def _digest_and_size(path: Path) -> dict[str, Any]:
    return {"sha256": files.sha256_file(path), "size_bytes": path.stat().st_size}


def variables_of(model: Any, more: Sequence[Any] = ()) -> list[Any]:
    """Returns the variables of a training in the order in which a checkpoint holds them.

    Args:
        model: The model, with its optimizer.
        more: Variables that the training changes and the model does not know.
    """
    return [*model.variables, *(model.optimizer.variables if model.optimizer is not None else ()), *more]

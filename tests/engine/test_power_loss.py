"""After a loss of power, everything that was said to be on the disk is there, and nothing half-written counts."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stoker.engine import files
from stoker.engine.registry import Registry
from stoker.engine.training.checkpoint import Checkpoints, TrainingState, load_arrays, read_state

from ..disk import Disk, Node, write_image

GENERATIONS = 5
IN_BETWEEN = 3
"""Images of each moment, beside the least and the most that may have arrived."""


class Variable:
    """A variable of a model, which is all that a checkpoint takes of it."""

    def __init__(self, value: int) -> None:
        self._value = np.full((3, 5), value, np.float32)

    def numpy(self) -> Any:
        return self._value


@dataclass
class Model:
    """A model after some epochs."""

    epoch: int
    optimizer: None = None

    @property
    def variables(self) -> list[Variable]:
        return [Variable(self.epoch), Variable(-self.epoch)]


@dataclass
class PowerLosses:
    """What a machine may find after each moment, with what was claimed to be on the disk by then.

    Attributes:
        disk: The disk.
        claimed: What has been claimed so far, such as an epoch.
        found: The moments: what happened last, what was claimed, and an image.
    """

    disk: Disk
    claimed: Any = None
    found: list[tuple[str, Any, Node]] = field(default_factory=list)
    chance: random.Random = field(default_factory=lambda: random.Random(7))

    def take(self, moment: str) -> None:
        """Takes the images of this moment."""
        self.disk.look()
        self.found += [(moment, self.claimed, image) for image in self.disk.images(self.chance, IN_BETWEEN)]

    def claim(self, value: Any) -> None:
        """Says that something is on the disk, and takes the images of a loss right after it."""
        self.claimed = value
        self.take(f"claimed {value}")

    def check(self, folder: Path, opens: Callable[[Path, Any], None]) -> int:
        """Calls `opens(image, claimed)` with each image, and returns how many there were."""
        for number, (moment, claimed, image) in enumerate(self.found):
            write_image(image, folder / str(number))
            try:
                opens(folder / str(number), claimed)
            except Exception as error:
                raise AssertionError(f"power lost after {moment}, image {number}: {error!r}") from error
        return len(self.found)


@contextmanager
def watched(root: Path) -> Iterator[PowerLosses]:
    """Watches what happens to a folder."""
    losses = PowerLosses(Disk(root))
    losses.disk.moments = losses.take
    with pytest.MonkeyPatch.context() as patch:
        losses.disk.watch(patch)
        yield losses


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "disk").mkdir()
    return tmp_path / "disk"


@pytest.fixture
def images(tmp_path: Path) -> Path:
    (tmp_path / "images").mkdir()
    return tmp_path / "images"


def test_the_last_checkpoint_that_was_reported_or_the_next_one_is_found(root: Path, images: Path) -> None:
    losses_of_epochs = [0.1, 0.5, 0.4, 0.3, 0.2]  # the first stays the best, so it is never removed
    with watched(root) as losses:
        losses.claimed = 0
        checkpoints = Checkpoints(root / "run" / "checkpoints")
        for epoch in range(1, GENERATIONS + 1):
            history = {"loss": losses_of_epochs[:epoch]}
            state = TrainingState(run_id="run", epoch=epoch, history=history, time_s=1.0)
            checkpoints.save(Model(epoch), state)
            losses.claim(checkpoints.wait())

    def opens(image: Path, claimed: int) -> None:
        newest = Checkpoints(image / "run" / "checkpoints").latest("run")
        epoch = int(newest.name) if newest else 0
        assert claimed <= epoch <= claimed + 1
        if newest:
            assert read_state(newest).epoch == epoch
            assert [array[0, 0] for array in load_arrays(newest).values()] == [epoch, -epoch]
        if claimed:
            assert (image / "run" / "checkpoints" / "000001" / "COMMIT").is_file()

    assert losses.check(images, opens) >= 200


def test_a_record_is_the_old_one_or_the_new_one(root: Path, images: Path) -> None:
    with watched(root) as losses:
        losses.claimed = 0
        for number in range(1, 6):
            files.write_json(root / "status.json", {"number": number})
            losses.claim(number)

    def opens(image: Path, claimed: int) -> None:
        path = image / "status.json"
        allowed = [f'{{\n  "number": {number}\n}}\n' for number in (claimed, claimed + 1)]
        assert path.read_text() in allowed if claimed else not path.exists() or path.read_text() == allowed[1]

    assert losses.check(images, opens) >= 50


@pytest.mark.parametrize("in_one_step", [True, False])
def test_a_folder_is_the_old_one_or_the_new_one(
    root: Path, images: Path, monkeypatch: pytest.MonkeyPatch, *, in_one_step: bool
) -> None:
    if not in_one_step:
        monkeypatch.setattr(files, "_exchange", lambda *_: False)
    with watched(root) as losses:
        for text in ("1", "22", "333"):
            with files.atomic_folder(root / "model") as beside:
                beside.mkdir()
                files.write_bytes(beside / "weights", text.encode())
                files.write_bytes(beside / "graph", text.encode())
            losses.claim(text)

    def opens(image: Path, claimed: str | None) -> None:
        files.recover(image / "model")
        allowed: dict[str | None, list[str]] = {None: ["", "1"], "1": ["1", "22"], "22": ["22", "333"]}
        texts = {path.name: path.read_text() for path in (image / "model").glob("*")}
        assert texts in [{"weights": text, "graph": text} if text else {} for text in allowed.get(claimed, ["333"])]

    assert losses.check(images, opens) >= 50


def test_a_version_that_was_registered_is_in_the_registry_whole(root: Path, images: Path, tmp_path: Path) -> None:
    with watched(root) as losses:
        losses.claimed = 0
        for number in range(1, 4):
            model = files.make_folder(tmp_path / f"model {number}")
            (model / "model.keras").write_bytes(b"weights" * number)
            (files.make_folder(model / "assets") / "words").write_bytes(b"a b")
            losses.claim(Registry(root / "runs" / "registry").register("digits", model, {"run": "1"}).version)

    def opens(image: Path, claimed: int) -> None:
        versions = Registry(image / "runs" / "registry").versions("digits")
        assert claimed <= len(versions) <= claimed + 1
        for version in versions:
            assert (Path(version.location) / "model.keras").read_bytes() == b"weights" * version.version
            assert (Path(version.location) / "assets" / "words").read_bytes() == b"a b"
            assert version.digest == files.sha256_file(Path(version.location) / "model.keras")

    assert losses.check(images, opens) >= 50

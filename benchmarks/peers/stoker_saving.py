"""stoker's epochs with a checkpoint after every other one, to see what a checkpoint costs."""

from __future__ import annotations

from ..task import Task
from .stoker_fit import NEEDS, run

TITLE = "stoker, a checkpoint after every other epoch"
DIFFERS = "an epoch of even number is followed by a checkpoint, which is written beside the next one"
__all__ = ["DIFFERS", "NEEDS", "TITLE", "train"]


def train(task: Task) -> None:
    """Trains; the laps of the epochs 3, 5, 7, … hold the price of a checkpoint."""
    run(task, saved=lambda epoch: epoch % 2 == 0)

"""Keras' `fit` at its best for small steps: compiled by XLA, many steps in one call."""

from __future__ import annotations

from ..task import Task
from .keras_fit import fit

TITLE = "Keras fit, jit_compile and steps_per_execution"
NEEDS = ("tensorflow", "keras")
DIFFERS = "as the tutorial, with jit_compile=True and a whole epoch in one execution"


def train(task: Task) -> None:
    """Trains."""
    fit(task, jit_compile=True, steps_per_execution=steps(task))


def steps(task: Task) -> int:
    """The batches of an epoch, which may all go into one execution."""
    return -(-len(task.labels("train")) // task.batch_size)

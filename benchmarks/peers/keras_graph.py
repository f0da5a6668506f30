"""Keras' `fit` with many steps in one call, without XLA: its best where XLA has slow kernels."""

from __future__ import annotations

from ..task import Task
from .keras_fit import fit
from .keras_jit import steps

TITLE = "Keras fit, steps_per_execution"
NEEDS = ("tensorflow", "keras")
DIFFERS = "as the tutorial, with a whole epoch in one execution"


def train(task: Task) -> None:
    """Trains."""
    fit(task, jit_compile=False, steps_per_execution=steps(task))

"""Keras' `fit` on the JAX backend."""

from __future__ import annotations

import os

from ..task import Task
from .keras_fit import fit

TITLE = "Keras fit on JAX, steps_per_execution"
NEEDS = ("jax", "keras")
DIFFERS = "as the tutorial, with KERAS_BACKEND=jax and steps_per_execution=100"


def train(task: Task) -> None:
    """Trains."""
    os.environ["KERAS_BACKEND"] = "jax"
    fit(task, steps_per_execution=100)

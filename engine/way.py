"""The way in which epochs run, decided here and nowhere else, and why."""

from __future__ import annotations

from enum import StrEnum
from typing import Any


class Way(StrEnum):
    """How the steps of an epoch are executed; the order of the batches and the arithmetic of a step are the same."""

    XLA = "xla"
    """Many steps in one loop that XLA compiles: the fastest where steps are small."""

    GRAPH = "graph"
    """The same loop as a TensorFlow graph: where XLA can't compile the model, or has slower kernels for it."""

    EAGER = "eager"
    """Step after step in Python, for a model compiled with `run_eagerly=True`."""


def choose(model: Any, replicas: int, gpu: bool) -> tuple[Way, str]:
    """The way for a model, and in a few words why, "" for the usual one.

    Args:
        model: A compiled Keras model.
        replicas: How many devices train together.
        gpu: Whether they are GPUs.
    """
    if model.run_eagerly:
        return Way.EAGER, "the model was compiled with run_eagerly=True"
    if replicas > 1:
        return Way.GRAPH, f"{replicas} devices train together, and an XLA program has one"
    if model.jit_compile:
        return Way.XLA, ""
    slow = None if gpu else _slow_on_cpu(model)
    if slow:
        return Way.GRAPH, f"XLA's kernels for {slow} are slow on a CPU"
    return Way.XLA, ""


def _slow_on_cpu(model: Any) -> str:
    """The name of a layer whose operations XLA does slower than TensorFlow on a CPU, or ""."""
    import keras

    layers = keras.layers
    kinds = (
        layers.Conv1D,
        layers.Conv2D,
        layers.Conv3D,
        layers.Conv1DTranspose,
        layers.Conv2DTranspose,
        layers.Conv3DTranspose,
        layers.SeparableConv1D,
        layers.SeparableConv2D,
        layers.DepthwiseConv1D,
        layers.DepthwiseConv2D,
    )
    return next((type(layer).__name__ for layer in model._flatten_layers() if isinstance(layer, kinds)), "")

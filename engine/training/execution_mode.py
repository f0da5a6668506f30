"""The execution mode of the epochs, decided here and nowhere else, and why."""

from __future__ import annotations

import contextlib
import inspect
import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class ExecutionMode(StrEnum):
    """How the steps of an epoch are executed; the order of the batches and the arithmetic of a step are the same."""

    XLA = "xla"
    """Many steps in one loop that XLA compiles: the fastest where steps are small."""

    GRAPH = "graph"
    """The same loop as a TensorFlow graph: where XLA can't compile the model, or has slower kernels for it."""

    EAGER = "eager"
    """Step after step in Python, for a model compiled with `run_eagerly=True`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Fallback:
    """The mode in which a training continues when XLA can't compile it, or is slow at it.

    Attributes:
        mode: The mode from then on.
        reason: Why, in a few words.
        is_usual: Whether the log can leave it out: the training is only short.
    """

    mode: ExecutionMode
    reason: str
    is_usual: bool = False


@contextlib.contextmanager
def compile_watched() -> Iterator[dict[int, Any]]:
    """Records what each call of `compile` asks for in the body; afterwards a model no longer knows.

    Keras resolves `jit_compile="auto"` at once, on a CPU to False, so that a False of the user's can't be told from it.
    A model that is loaded from a file is compiled with what was resolved when it was saved, which says nothing either.

    Yields:
        For each model that was compiled, by its `id`, the argument `jit_compile`.
    """
    import keras

    asked: dict[int, Any] = {}
    owner: Any = next(kind for kind in keras.Model.__mro__ if "compile" in vars(kind))
    compile_, load = owner.compile, owner.compile_from_config  # a model that is loaded compares its own with these
    signature = inspect.signature(compile_)

    def watched(model: Any, *arguments: Any, **named: Any) -> Any:
        asked[id(model)] = signature.bind(model, *arguments, **named).arguments.get("jit_compile", "auto")
        return compile_(model, *arguments, **named)

    def loaded(model: Any, config: Any) -> Any:
        returned = load(model, config)
        asked[id(model)] = "auto"
        return returned

    owner.compile, owner.compile_from_config = watched, loaded
    try:
        yield asked
    finally:
        owner.compile, owner.compile_from_config = compile_, load


def choose_mode(model: Any, strategy: Any, jit_compile: Any = "auto") -> tuple[ExecutionMode, str]:
    """Chooses the mode to begin with.

    Args:
        model: A compiled Keras model.
        strategy: The `tf.distribute.Strategy` that trains it.
        jit_compile: What the model was compiled with.

    Returns:
        The mode, and in a few words why; "" for XLA, the usual one.
    """
    replicas = strategy.num_replicas_in_sync
    if model.run_eagerly:
        return ExecutionMode.EAGER, "the model was compiled with run_eagerly=True"
    if jit_compile is False:
        return ExecutionMode.GRAPH, "the model was compiled with jit_compile=False"
    if replicas > 1:
        return ExecutionMode.GRAPH, f"{replicas} devices train together, and an XLA program has one"
    if jit_compile is not True and (reason := _why_not_compiled(model)):
        return ExecutionMode.GRAPH, reason
    return ExecutionMode.XLA, ""


# Measured with TensorFlow 2.21 on a CPU, for eight kinds of model: compiling takes as long as the graph takes to move
# this many bytes, where each operation counts for some more. The kinds are in benchmarks/kinds.py.
_BYTES_OF_COMPILING, _BYTES_OF_AN_OPERATION = 25_000_000_000, 20_000
_NOT_FUSED = {"Placeholder", "Const", "ReadVariableOp", "Identity", "MatMul", "BatchMatMulV2", "While"}
"""Operations whose results XLA does not save."""


def xla_pays(graph: Any, steps: int, *, gpu: bool) -> bool:
    """Returns whether XLA saves more time in a training than its compiling takes; a function of the job, not of clocks.

    XLA fuses operations, so that what lies between them is not written to memory. What is saved grows with the size
    of that, and with the number of steps.

    Args:
        graph: The `GraphDef` of the step, with shapes.
        steps: How many steps the training has in all.
        gpu: Whether it runs on a GPU, where nothing was measured and XLA is taken.
    """
    if gpu:
        return True
    nodes = _nodes(graph)
    saved = sum(_bytes(node) for node in nodes if node.op not in _NOT_FUSED) + len(nodes) * _BYTES_OF_AN_OPERATION
    return steps * saved >= _BYTES_OF_COMPILING


def _nodes(graph: Any) -> list[Any]:
    return [*graph.node, *(node for function in graph.library.function for node in function.node_def)]


def _bytes(node: Any) -> int:
    """Returns the size of a node's results, as far as their shapes are known, with four bytes for each number."""
    shapes = [[side.size for side in shape.dim] for shape in node.attr["_output_shapes"].list.shape]
    return sum(4 * math.prod(sizes) for sizes in shapes if all(size >= 0 for size in sizes))


def _why_not_compiled(model: Any) -> str:
    """Returns why Keras itself would not let XLA compile a model (its `model_supports_jit`), or ""."""
    from tensorflow.python.framework.config import is_op_determinism_enabled  # no public call reads it

    unable = next((layer.name for layer in model._flatten_layers() if not layer.supports_jit), "")
    if unable:
        return f"XLA can't compile the layer {unable}"
    return "XLA is not used where enable_op_determinism() was called" if is_op_determinism_enabled() else ""


# Measured with TensorFlow 2.21 on a CPU: a small convolutional net takes 17 times as long with XLA at batch 50, and 47
# times at batch 256; dense, recurrent and attention layers are faster with it.
_SLOW_WITH_XLA = {
    "Conv2D",
    "Conv2DBackpropInput",
    "Conv3D",
    "Conv3DBackpropInputV2",
    "DepthwiseConv2dNative",
}


def why_not_xla(graph: Any, *, gpu: bool) -> str:
    """Returns why XLA should not compile a traced step, or "".

    Args:
        graph: The `GraphDef` of the step.
        gpu: Whether it runs on a GPU, where XLA uses the same convolutions as TensorFlow.
    """
    nodes = _nodes(graph)
    slow = sorted({node.op for node in nodes} & _SLOW_WITH_XLA)
    return "" if gpu or not slow else f"XLA's {slow[0]} is slow on a CPU"

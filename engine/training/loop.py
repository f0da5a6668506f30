"""A step of Keras over all batches of a chunk, as one compiled call.

Keras' `fit` spends most of the time of a small model outside arithmetic: a Python round trip for each batch. Here one
compiled call runs `model.train_step` over a chunk of many batches (`batches.py`). The number of batches is an argument
of the compiled loop, so that chunks of any length are one program.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from .batches import Chunk
from .execution_mode import ExecutionMode, Fallback, why_not_xla

CHUNK_S = 0.15
"""How long a chunk should compute: a display that moves, a quick response to an interrupt, and little overhead."""

_FIRST, _MOST_GROWTH = 16, 8


class Loop:
    """A step of a model as a loop over the batches of a chunk, for one replica or several.

    Attributes:
        mode: How it runs; from XLA it falls back to GRAPH when XLA can't compile the step, or is slow at it.
        fallback: What it fell back to at its first chunk, and why; None if it did not.
        graph: The traced step, if `trace` was called.
        logs: What the last step of the last chunk returned, as tensors; None if the loop does not keep it.
        target_steps: Batches that the next chunk should have, from the time that the ones before took. The thread that
            gathers chunks reads it while this one computes and may write it: it is one whole number, replaced at once,
            and a chunk made by the number before is right too, only longer or shorter.
    """

    def __init__(
        self, step: Callable[[Any], Any], mode: ExecutionMode, strategy: Any, *, keeps_logs: bool = False
    ) -> None:
        """Takes a step; nothing is compiled before the first chunk.

        Args:
            step: What to do with one batch: a model's `train_step` or `test_step`.
            mode: How to begin.
            strategy: The `tf.distribute.Strategy` of the model.
            keeps_logs: Keep what the step returns. That costs a second trace, and the usual steps return no more than
                the metrics of the model, which can be asked for when they are needed.
        """
        self._step = step
        self._strategy = strategy
        self._keeps_logs = keeps_logs
        self.mode = mode
        self.fallback: Fallback | None = None
        self.graph: Any = None
        self.logs: Any = None
        self.target_steps = _FIRST
        self._programs = 0
        self._traced: dict[Any, Any] = {}
        self._run_as_graph = self._trace_later()
        self._run = self._compile()

    def __call__(self, chunk: Chunk) -> None:
        """Runs the step over the batches of a chunk."""
        import tensorflow as tf

        arrays, steps, started = self._placed(chunk.arrays), tf.constant(chunk.steps), time.perf_counter()
        returned = self._run_xla(arrays, steps) if self.mode is ExecutionMode.XLA else self._run(arrays, steps)
        self.logs = returned if self._keeps_logs else None
        self._learn(chunk.steps, time.perf_counter() - started)

    def trace(self, arrays: Any) -> list[Any]:
        """Traces the step, which creates all variables that it uses, as Keras' `fit` does at its first batch.

        The first chunk of the same shapes then runs what was traced here.

        This is for one replica.

        Args:
            arrays: Arrays of the shapes and dtypes that most chunks have; their values don't matter.

        Returns:
            The TensorFlow variables that the step reads or writes, in the order of their use; none in the mode EAGER,
            which traces nothing.
        """
        if self.mode is ExecutionMode.EAGER:
            return []
        traced = self._trace(arrays)
        self.graph = traced.graph
        by_handle = {id(variable.handle): variable for variable in traced.graph.variables}  # which has no fixed order
        return [by_handle[id(handle)] for handle in traced.captured_inputs if id(handle) in by_handle]

    def _run_xla(self, arrays: Any, steps: Any) -> Any:
        """Runs the compiled loop, or falls back to another; XLA refuses before the first step is taken."""
        import tensorflow as tf

        self._trace(arrays)
        reason = "" if self._programs else self._why_not_xla(arrays)
        try:
            if not reason:
                return self._run(arrays, steps)
        except (tf.errors.InvalidArgumentError, tf.errors.UnimplementedError, tf.errors.InternalError) as error:
            reason = f"XLA can't compile the model: {str(error.message).partition(chr(10))[0]}"
        self.fall_back(reason)
        return self._run(arrays, steps)

    def fall_back(self, reason: str, *, is_usual: bool = False) -> None:
        """Runs as a graph from now on.

        Args:
            reason: Why not compiled by XLA.
            is_usual: Whether the log can leave that out.
        """
        self.mode = ExecutionMode.GRAPH
        self.fallback = Fallback(mode=self.mode, reason=reason, is_usual=is_usual)
        self._run = self._compile()

    def _why_not_xla(self, arrays: Any) -> str:
        """Returns why XLA should not compile the step, or ""; the trace made for this is the one that the loop runs."""
        import tensorflow as tf

        return why_not_xla(self._trace(arrays).graph.as_graph_def(), gpu=bool(tf.config.list_logical_devices("GPU")))

    def _learn(self, steps: int, seconds: float) -> None:
        """Fits the size of the chunks to the time that one took, unless most of that went into compiling."""
        programs = 0 if self.mode is ExecutionMode.EAGER else self._run.experimental_get_tracing_count()
        if programs == self._programs:
            fitting = int(steps * CHUNK_S / max(seconds, 1e-6))
            self.target_steps = max(1, min(fitting, steps * _MOST_GROWTH))
        self._programs = programs

    def _compile(self) -> Any:
        """Returns what runs a chunk in the mode of the loop; what XLA compiles is the graph as it was traced."""
        import tensorflow as tf

        def run_traced(arrays: Any, steps: Any) -> Any:
            return self._trace(arrays)(arrays, steps)

        return tf.function(run_traced, jit_compile=True) if self.mode is ExecutionMode.XLA else self._run_as_graph

    def _trace(self, arrays: Any) -> Any:
        """Returns the loop as traced for arrays of some shapes; the first call must be outside of other traces."""
        import tensorflow as tf

        key = tuple((tuple(array.shape), tf.as_dtype(array.dtype)) for array in tf.nest.flatten(arrays))
        if key not in self._traced:
            specs = tf.nest.map_structure(lambda array: tf.TensorSpec(array.shape, array.dtype), arrays)
            self._traced[key] = self._run_as_graph.get_concrete_function(specs, tf.TensorSpec((), tf.int32))
        return self._traced[key]

    def _trace_later(self) -> Any:
        """Returns the loop over the batches of a chunk, traced when it is called; in the mode EAGER it never is."""
        import tensorflow as tf

        def step_at(arrays: Any, index: Any) -> Any:
            logs = self._step(tf.nest.map_structure(lambda array: array[index], arrays))
            return tf.nest.map_structure(tf.convert_to_tensor, logs) if self._keeps_logs else ()

        def on_each_replica(arrays: Any, index: Any) -> Any:
            logs = self._strategy.run(step_at, args=(arrays, index))
            if self._strategy.num_replicas_in_sync == 1:
                return logs
            mean = tf.distribute.ReduceOp.MEAN  # as in Keras; `reduce_per_replica` in its TensorFlow trainer
            return tf.nest.map_structure(lambda value: self._strategy.reduce(mean, value, axis=None), logs)

        def run_eagerly(arrays: Any, steps: Any) -> Any:
            logs: Any = ()
            for index in range(int(steps)):
                logs = on_each_replica(arrays, tf.constant(index))
            return logs

        def run(arrays: Any, steps: Any) -> Any:
            def body(index: Any, _: Any) -> Any:
                return index + 1, on_each_replica(arrays, index)

            none = _zeros(tf.function(on_each_replica), arrays) if self._keeps_logs else ()
            start = (tf.constant(0), none)
            return tf.while_loop(lambda index, _: index < steps, body, start, parallel_iterations=1)[1]

        return run_eagerly if self.mode is ExecutionMode.EAGER else tf.function(run)

    def _placed(self, arrays: Any) -> Any:
        """The arrays as tensors; with several replicas, each has its share of every batch."""
        import tensorflow as tf

        replicas = self._strategy.num_replicas_in_sync
        if replicas == 1:
            return tf.nest.map_structure(tf.constant, arrays)

        def shares(array: Any) -> Any:
            parts = array.reshape(array.shape[0], replicas, -1, *array.shape[2:])
            return self._strategy.experimental_distribute_values_from_function(
                lambda context: tf.constant(parts[:, context.replica_id_in_sync_group])
            )

        return tf.nest.map_structure(shares, arrays)


def _zeros(step: Any, arrays: Any) -> Any:
    """Returns zeros of the shapes and dtypes that a step returns, for the loop to begin with."""
    import tensorflow as tf

    returned = step.get_concrete_function(arrays, tf.constant(0)).structured_outputs
    return tf.nest.map_structure(lambda tensor: tf.zeros(tensor.shape, tensor.dtype), returned)

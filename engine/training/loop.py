"""One epoch as a few compiled calls, each of them a loop over many batches of Keras' own step.

Keras' `fit` spends most of the time of a small model outside arithmetic: a Python round trip for each batch. Here the
batches of a chunk are gathered into one array by a thread, while the chunk before is being computed, and one compiled
call runs `model.train_step` over all of them. The number of batches is an argument of the compiled loop, so that
chunks of any length are one program.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .execution_mode import ExecutionMode, Fallback, why_not_xla
from .gather import RowReader, row_reader

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CHUNK_BYTES, GPU_CHUNK_BYTES = 8 << 20, 64 << 20
"""The most that one chunk of examples may take in memory; a GPU is done sooner, and far away."""

CHUNK_S = 0.15
"""How long a chunk should compute: a display that moves, an interrupt that is heard, and little overhead."""

_FIRST, _MOST, _MOST_GROWTH = 16, 1 << 30, 8


def epoch_order(seed: int, epoch: int, count: int) -> NDArray[np.int64]:
    """The order of the examples in an epoch: int64 [count], a permutation that is a function of seed and epoch.

    Keras' own shuffling of arrays repeats one order in each epoch once `set_random_seed` was called.
    """
    import numpy as np

    return np.random.default_rng([seed, epoch]).permutation(count)


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some batches of one size, gathered.

    Attributes:
        arrays: The structure of the data with arrays [capacity, batch, ...]; only the first `steps` are filled.
        steps: How many batches there are.
    """

    arrays: Any
    steps: int


def chunks(
    data: Any,
    order: NDArray[np.integer[Any]],
    batch_size: int,
    capacity: int,
    target_steps: Callable[[], int] = lambda: _MOST,
) -> Iterator[Chunk]:
    """The examples of `data` in the given order, as chunks of batches; a ragged last batch comes alone.

    Args:
        data: Any structure of arrays [N, ...]: (images, labels), or with dictionaries and sample weights.
        order: int64 [n], the examples to take.
        batch_size: Examples of one step.
        capacity: Batches that a chunk can hold.
        target_steps: Tells how many batches the next chunk should have; asked for each.
    """
    import keras

    readers = keras.tree.map_structure(row_reader, data)
    whole, first = len(order) // batch_size, 0
    while first < whole:
        steps = min(target_steps(), capacity, whole - first)
        rows = order[first * batch_size : (first + steps) * batch_size]
        yield Chunk(_gather(readers, data, rows, capacity, batch_size), steps)
        first += steps
    if len(order) % batch_size:
        rows = order[whole * batch_size :]
        yield Chunk(_gather(readers, data, rows, 1, len(rows)), 1)


def chunk_capacity(data: Any, batch_size: int, count: int) -> int:
    """How many batches a chunk of `count` examples in all should hold: at most `CHUNK_BYTES` of them, at least 1."""
    import keras
    import tensorflow as tf

    most = GPU_CHUNK_BYTES if tf.config.list_logical_devices("GPU") else CHUNK_BYTES
    row: int = sum(array[:1].nbytes for array in keras.tree.flatten(data))
    return max(1, min(most // max(1, row * batch_size), count // batch_size))


def prefetch(items: Iterator[Chunk]) -> Iterator[Chunk]:
    """The same chunks, each made by a thread while the one before is in use; an error comes out where it belongs."""
    ready: queue.Queue[Chunk | BaseException | None] = queue.Queue(maxsize=1)
    left = threading.Event()

    def fill() -> None:
        try:
            for item in items:
                ready.put(item)
                if left.is_set():
                    return
            ready.put(None)
        except BaseException as error:  # noqa: BLE001 - it is raised again in the thread that waits for the chunk
            ready.put(error)

    threading.Thread(target=fill, name="stoker-gather", daemon=True).start()
    try:
        while (item := ready.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        left.set()
        while not ready.empty():
            ready.get_nowait()


class Loop:
    """A step of a model as a loop over the batches of a chunk, for one replica or several.

    Attributes:
        mode: How it runs; from XLA it falls back to GRAPH when XLA can't compile the step, or is slow at it.
        fallback: What it fell back to at its first chunk, and why; None if it did not.
        target_steps: Batches that the next chunk should have, from the time that the ones before took. The thread that
            gathers chunks reads it while this one computes and may write it: it is one whole number, replaced at once,
            and a chunk made by the number before is right too, only longer or shorter.
    """

    def __init__(self, step: Callable[[Any], Any], mode: ExecutionMode, strategy: Any) -> None:
        """Takes a step; nothing is compiled before the first chunk.

        Args:
            step: What to do with one batch: a model's `train_step` or `test_step`.
            mode: How to begin.
            strategy: The `tf.distribute.Strategy` of the model.
        """
        self._step = step
        self._strategy = strategy
        self.mode = mode
        self.fallback: Fallback | None = None
        self.target_steps = _FIRST
        self._programs = 0
        self._run = self._compile()

    def __call__(self, chunk: Chunk) -> None:
        """Runs the step over the batches of a chunk."""
        import tensorflow as tf

        arrays, steps, started = self._placed(chunk.arrays), tf.constant(chunk.steps), time.perf_counter()
        if self.mode is ExecutionMode.XLA:
            self._run_xla(arrays, steps)
        else:
            self._run(arrays, steps)
        self._learn(chunk.steps, time.perf_counter() - started)

    def _run_xla(self, arrays: Any, steps: Any) -> None:
        """Runs the compiled loop, or falls back to another; XLA refuses before the first step is taken."""
        import tensorflow as tf

        reason = "" if self._programs else self._why_not_xla(arrays, steps)
        try:
            if not reason:
                self._run(arrays, steps)
                return
        except (tf.errors.InvalidArgumentError, tf.errors.UnimplementedError, tf.errors.InternalError) as error:
            reason = f"XLA can't compile the model: {str(error.message).partition(chr(10))[0]}"
        self.mode = ExecutionMode.GRAPH
        self.fallback = Fallback(mode=self.mode, reason=reason)
        self._run = self._compile()
        self._run(arrays, steps)

    def _why_not_xla(self, arrays: Any, steps: Any) -> str:
        """Returns why XLA should not compile the step, or ""; the trace made for this is the one that the loop runs."""
        import tensorflow as tf

        graph = self._run.get_concrete_function(arrays, steps).graph
        return why_not_xla(graph.as_graph_def(), gpu=bool(tf.config.list_logical_devices("GPU")))

    def _learn(self, steps: int, seconds: float) -> None:
        """Fits the size of the chunks to the time that one took, unless most of that went into compiling."""
        programs = 0 if self.mode is ExecutionMode.EAGER else self._run.experimental_get_tracing_count()
        if programs == self._programs:
            fitting = int(steps * CHUNK_S / max(seconds, 1e-6))
            self.target_steps = max(1, min(fitting, steps * _MOST_GROWTH))
        self._programs = programs

    def _compile(self) -> Any:
        import tensorflow as tf

        def step_at(arrays: Any, index: Any) -> None:
            self._step(tf.nest.map_structure(lambda array: array[index], arrays))

        def run(arrays: Any, steps: Any) -> None:
            def body(index: Any) -> Any:
                self._strategy.run(step_at, args=(arrays, index))
                return [index + 1]

            tf.while_loop(lambda index: index < steps, body, [tf.constant(0)], parallel_iterations=1)

        if self.mode is ExecutionMode.EAGER:
            return run
        return tf.function(run, jit_compile=self.mode is ExecutionMode.XLA or None)

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


def _gather(readers: Any, data: Any, rows: NDArray[np.integer[Any]], capacity: int, batch_size: int) -> Any:
    """The rows of each array, as [capacity, batch_size, ...]; what is left of the block stays as it is found."""
    import keras
    import numpy as np

    def gather(take: RowReader, array: NDArray[Any]) -> NDArray[Any]:
        block = np.empty((capacity * batch_size, *array.shape[1:]), array.dtype.newbyteorder("="))
        take(rows, block)
        return block.reshape(capacity, batch_size, *array.shape[1:])

    return keras.tree.map_structure(gather, readers, data)

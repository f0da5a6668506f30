"""One epoch as a few compiled calls, each of them a loop over many batches of Keras' own step.

Keras' `fit` spends most of the time of a small model outside arithmetic: a Python round trip for each batch. Here the
batches of a chunk are gathered into one array by a thread, while the chunk before is being computed, and one compiled
call runs `model.train_step` over all of them. The number of batches is an argument of the compiled loop, so that
chunks of any length are one program.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CHUNK_BYTES = 8 << 20
"""The most that one chunk of examples may take in memory."""


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
        arrays: The structure of the data with arrays [room, batch, ...]; only the first `steps` are filled.
        steps: How many batches there are.
    """

    arrays: Any
    steps: int


def chunks(data: Any, order: NDArray[np.integer[Any]], batch_size: int, room: int) -> Iterator[Chunk]:
    """The examples of `data` in the given order, as chunks of at most `room` batches; a ragged last batch comes alone.

    Args:
        data: Any structure of arrays [N, ...]: (images, labels), or with dictionaries and sample weights.
        order: int64 [n], the examples to take.
        batch_size: Examples of one step.
        room: Batches that fit into a chunk.
    """
    whole = len(order) // batch_size
    for first in range(0, whole, room):
        steps = min(room, whole - first)
        rows = order[first * batch_size : (first + steps) * batch_size]
        yield Chunk(_gather(data, rows, min(room, whole), batch_size), steps)
    if len(order) % batch_size:
        rows = order[whole * batch_size :]
        yield Chunk(_gather(data, rows, 1, len(rows)), 1)


def room_for(data: Any, batch_size: int) -> int:
    """How many batches a chunk should hold: `CHUNK_BYTES` of them, at least 1."""
    import keras

    row: int = sum(array[:1].nbytes for array in keras.tree.flatten(data))
    return max(1, CHUNK_BYTES // max(1, row * batch_size))


def ahead(items: Iterator[Chunk]) -> Iterator[Chunk]:
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


class CompiledLoop:
    """A step of a model, compiled into a loop over batches.

    Attributes:
        jit: Whether XLA compiles it; falls to False, with `reason`, when XLA can't compile the model.
        reason: Why not, in one line.
    """

    def __init__(self, step: Callable[[Any], Any], *, jit: bool = True) -> None:
        self._step = step
        self.jit = jit
        self.reason = ""
        self._run = self._compile()

    def __call__(self, chunk: Chunk) -> None:
        """Runs the step over the batches of a chunk."""
        import tensorflow as tf

        arrays = tf.nest.map_structure(tf.constant, chunk.arrays)
        try:
            self._run(arrays, tf.constant(chunk.steps))
        except (tf.errors.InvalidArgumentError, tf.errors.UnimplementedError, tf.errors.InternalError) as error:
            if not self.jit:
                raise
            self.jit, self.reason = False, str(error.message).partition("\n")[0]
            self._run = self._compile()
            self._run(arrays, tf.constant(chunk.steps))

    def _compile(self) -> Callable[[Any, Any], None]:
        import tensorflow as tf

        step = self._step

        @tf.function(jit_compile=self.jit or None)  # type: ignore[untyped-decorator]
        def run(arrays: Any, steps: Any) -> None:
            def body(index: Any) -> Any:
                step(tf.nest.map_structure(lambda array: array[index], arrays))
                return index + 1

            tf.while_loop(lambda index: index < steps, body, [tf.constant(0)], parallel_iterations=1)

        compiled: Callable[[Any, Any], None] = run
        return compiled


def _gather(data: Any, rows: NDArray[np.integer[Any]], room: int, batch_size: int) -> Any:
    """The rows of each array, as [room, batch_size, ...]; what is left of the room stays as it is found."""
    import keras
    import numpy as np

    def gather(array: NDArray[Any]) -> NDArray[Any]:
        native = array.dtype.newbyteorder("=")
        block = np.empty((room * batch_size, *array.shape[1:]), native)
        if native == array.dtype:
            np.take(array, rows, axis=0, out=block[: len(rows)], mode="clip")
        else:
            block[: len(rows)] = array[rows]
        return block.reshape(room, batch_size, *array.shape[1:])

    return keras.tree.map_structure(gather, data)

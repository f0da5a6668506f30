"""The examples of an epoch as batches: their order, and chunks of many batches that a thread prefetches.

The batches of a chunk are copied into one array while the chunk before is being computed; see `loop.Loop`.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .gather import RowReader, row_reader

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CHUNK_BYTES, GPU_CHUNK_BYTES = 8 << 20, 64 << 20
"""The most that one chunk of examples may take in memory; a GPU is done sooner, and far away."""

_UNBOUNDED = 1 << 30


def epoch_order(seed: int, epoch: int, count: int) -> NDArray[np.int64]:
    """Returns the order of the examples in an epoch, a function of seed and epoch.

    Keras' own shuffling of arrays repeats one order in each epoch once `set_random_seed` was called.

    Args:
        seed: The seed of the job.
        epoch: Which epoch, counted from 0.
        count: How many examples there are.

    Returns:
        int64 [count], a permutation.
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
    target_steps: Callable[[], int] = lambda: _UNBOUNDED,
) -> Iterator[Chunk]:
    """Yields the examples of `data` in the given order, as chunks of batches; a ragged last batch comes alone.

    Args:
        data: Any structure of arrays [N, ...]: (images, labels), or with dictionaries and sample weights.
        order: int64 [n], the examples to take.
        batch_size: Examples of one step.
        capacity: Batches that a chunk can hold.
        target_steps: Called before each chunk, in the thread that gathers: how many batches it should have.
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
    """Returns how many batches a chunk should hold: at most `CHUNK_BYTES` of examples, at least one batch.

    Args:
        data: Any structure of arrays [N, ...].
        batch_size: Examples of one step.
        count: Examples that there are to gather in all.
    """
    import keras
    import tensorflow as tf

    most = GPU_CHUNK_BYTES if tf.config.list_logical_devices("GPU") else CHUNK_BYTES
    row: int = sum(array[:1].nbytes for array in keras.tree.flatten(data))
    return max(1, min(most // max(1, row * batch_size), count // batch_size))


def chunk_like(data: Any, batch_size: int, capacity: int) -> Any:
    """Returns arrays of the shapes and dtypes of a whole chunk, which take no memory: one zero, seen many times.

    Args:
        data: Any structure of arrays [N, ...].
        batch_size: Examples of one step.
        capacity: Batches that a chunk holds.
    """
    import keras
    import numpy as np

    def like(array: NDArray[Any]) -> NDArray[Any]:
        return np.broadcast_to(np.zeros((), _dtype(array)), (capacity, batch_size, *array.shape[1:]))

    return keras.tree.map_structure(like, data)


def prefetch(made: Iterator[Chunk]) -> Iterator[Chunk]:
    """Yields the same chunks, each made by a thread while the one before is in use.

    Args:
        made: Makes a chunk each time that it is asked for the next, in the thread.

    Raises:
        BaseException: What `made` raised in the thread, in its place among the chunks.
    """
    ready: queue.Queue[Chunk | BaseException | None] = queue.Queue(maxsize=1)
    abandoned = threading.Event()

    def gather() -> None:
        try:
            for chunk in made:
                ready.put(chunk)
                if abandoned.is_set():
                    return
            ready.put(None)
        except BaseException as error:  # noqa: BLE001 - it is raised again in the thread that waits for the chunk
            ready.put(error)

    threading.Thread(target=gather, name="stoker-gather", daemon=True).start()
    try:
        while (item := ready.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        abandoned.set()
        while (
            not ready.empty()
        ):  # so that a thread that waits to put its chunk can continue and see that it is abandoned
            ready.get_nowait()


def _gather(readers: Any, data: Any, rows: NDArray[np.integer[Any]], capacity: int, batch_size: int) -> Any:
    """Copies rows of each array into [capacity, batch_size, ...]; the rest of the block has whatever memory held."""
    import keras
    import numpy as np

    def copied(read: RowReader, array: NDArray[Any]) -> NDArray[Any]:
        native, given = array.dtype.newbyteorder("="), _dtype(array)
        block = np.empty((capacity * batch_size, *array.shape[1:]), given)
        if native == given:
            read(rows, block)
        else:  # only the rows are cast, for what memory held is any number
            found = np.empty((len(rows), *array.shape[1:]), native)
            read(rows, found)
            block[: len(rows)] = found
        return block.reshape(capacity, batch_size, *array.shape[1:])

    return keras.tree.map_structure(copied, readers, data)


def _dtype(array: NDArray[Any]) -> np.dtype[Any]:
    """The dtype in which the model is given an array: floats as Keras' `floatx`, as in Keras' `ArrayDataAdapter`."""
    import keras
    import numpy as np

    return np.dtype(keras.config.floatx()) if array.dtype.kind == "f" else array.dtype.newbyteorder("=")

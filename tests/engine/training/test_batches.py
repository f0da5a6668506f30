"""An epoch's order, and its chunks: which examples they hold, how large they are, and how they are prefetched."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from stoker.engine.training.batches import Chunk, chunk_capacity, chunks, epoch_order, prefetch

DATA = (np.arange(23 * 4, dtype=np.uint8).reshape(23, 2, 2), np.arange(23, dtype=np.int32))


def test_order_is_a_permutation_that_only_seed_and_epoch_decide():
    assert sorted(epoch_order(3, 7, 100)) == list(range(100))
    assert (epoch_order(3, 7, 100) == epoch_order(3, 7, 100)).all()


def test_order_is_another_one_in_each_epoch_and_for_each_seed():
    orders = [tuple(epoch_order(seed, epoch, 50)) for seed in range(3) for epoch in range(3)]
    assert len(set(orders)) == 9


@pytest.mark.parametrize(("batch_size", "capacity"), list(itertools.product((1, 4, 23), (1, 2, 100))))
def test_chunks_hold_every_example_once_in_its_place(batch_size: int, capacity: int):
    order = epoch_order(0, 0, 23)
    seen: list[int] = []
    for chunk in chunks(DATA, order, batch_size, capacity):
        images, labels = chunk.arrays
        taken = labels[: chunk.steps].ravel()
        assert (images[: chunk.steps].reshape(-1, 2, 2) == DATA[0][taken]).all()
        seen += taken.tolist()
    assert seen == order.tolist()


def test_a_ragged_last_batch_comes_alone():
    sizes = [chunk.arrays[1].shape for chunk in chunks(DATA, np.arange(23), 5, 3)]
    assert sizes == [(3, 5), (3, 5), (1, 3)]


def test_big_endian_data_reach_the_model_in_native_order():
    data = (np.arange(6, dtype=">i4").reshape(6, 1), np.arange(6, dtype=">f4"))
    (chunk,) = chunks(data, np.array([5, 0, 3]), 3, 1)
    assert chunk.arrays[0].dtype == np.int32
    assert chunk.arrays[0].ravel().tolist() == [5, 0, 3]
    assert chunk.arrays[1].dtype == np.float32


def test_what_memory_held_is_not_cast(monkeypatch: pytest.MonkeyPatch):
    real = np.empty

    def full(shape: Any, dtype: Any = float) -> Any:
        block = real(shape, dtype)
        block.fill(1e300 if np.dtype(dtype) == np.float64 else 7)
        return block

    monkeypatch.setattr(np, "empty", full)
    (chunk,) = chunks((np.arange(6.0),), np.arange(4), 2, 9)  # a warning of an overflow would be an error here
    assert chunk.arrays[0].shape == (9, 2)
    assert chunk.arrays[0][:2].tolist() == [[0, 1], [2, 3]]


def test_room_is_bounded_by_bytes_and_is_never_nothing():
    images = np.zeros((10, 1 << 20), np.uint8)
    assert chunk_capacity((images,), 4, count=1000) == 2
    assert chunk_capacity((images,), 100, count=1000) == 1
    assert chunk_capacity((images,), 1, count=3) == 3


def test_a_gpu_gets_larger_chunks(keras: Any, monkeypatch: pytest.MonkeyPatch):
    import tensorflow as tf

    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: ["one"] if kind == "GPU" else [])
    assert chunk_capacity((np.zeros((10, 1 << 20), np.uint8),), 4, count=1000) == 16


def test_prefetched_chunks_are_the_same_and_in_order():
    made = [Chunk(index, 1) for index in range(20)]
    assert list(prefetch(iter(made))) == made


def test_an_error_of_the_thread_that_gathers_comes_out_of_the_loop():
    def broken():
        yield Chunk(0, 1)
        raise OSError("the file went away")

    items = prefetch(broken())
    assert next(items).steps == 1
    with pytest.raises(OSError, match="went away"):
        next(items)


def test_leaving_early_lets_the_gathering_thread_end():
    made: list[int] = []

    def endless():
        for index in itertools.count():
            made.append(index)
            yield Chunk(index, 1)

    items = prefetch(endless())
    next(items)
    items.close()
    count = len(made)
    assert count <= 4

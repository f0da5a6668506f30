"""One epoch: its order, its chunks, and the compiled loop over them."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from stoker.engine.training.execution_mode import ExecutionMode, Fallback
from stoker.engine.training.loop import CHUNK_S, Chunk, Loop, chunk_capacity, chunks, epoch_order, prefetch

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
    data = (np.arange(6, dtype=">i4").reshape(6, 1), np.arange(6, dtype=">f8"))
    (chunk,) = chunks(data, np.array([5, 0, 3]), 3, 1)
    assert chunk.arrays[0].dtype == np.int32
    assert chunk.arrays[0].ravel().tolist() == [5, 0, 3]
    assert chunk.arrays[1].dtype == np.float64


def test_room_is_bounded_by_bytes_and_is_never_nothing():
    images = np.zeros((10, 1 << 20), np.uint8)
    assert chunk_capacity((images,), 4, count=1000) == 2
    assert chunk_capacity((images,), 100, count=1000) == 1
    assert chunk_capacity((images,), 1, count=3) == 3


def test_a_gpu_gets_larger_chunks(keras: Any, monkeypatch: pytest.MonkeyPatch):
    import tensorflow as tf

    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: ["one"] if kind == "GPU" else [])
    assert chunk_capacity((np.zeros((10, 1 << 20), np.uint8),), 4, count=1000) == 16


def test_chunks_made_ahead_are_the_same_and_in_order():
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


def _loop(step: Callable[[Any], Any], mode: ExecutionMode) -> Loop:
    import tensorflow as tf

    return Loop(step, mode, tf.distribute.get_strategy())


def _summing() -> tuple[Any, Any]:
    import tensorflow as tf

    total = tf.Variable(0.0)

    def step(batch: Any) -> None:
        total.assign(total * 0.5 + tf.reduce_sum(tf.cast(batch[1], tf.float32)))

    return total, step


@pytest.mark.parametrize("mode", ExecutionMode)
def test_the_loop_gives_the_same_for_any_size_of_chunk(keras: Any, mode: ExecutionMode):
    results = set()
    for capacity in (1, 3, 4, 100):
        total, step = _summing()
        loop = _loop(step, mode)
        for chunk in chunks(DATA, np.arange(23), 5, capacity):
            loop(chunk)
        results.add(float(total))
    assert len(results) == 1


def test_chunks_of_any_length_are_one_program(keras: Any):
    _, step = _summing()
    calls = []

    def counted(batch: Any) -> None:
        calls.append(1)  # runs once for each time that the function is traced
        step(batch)

    loop = _loop(counted, ExecutionMode.XLA)
    for steps in (1, 4, 2, 3):
        loop(Chunk((np.zeros((4, 5), np.uint8), np.zeros((4, 5), np.int32)), steps))
    assert len(calls) == 1
    assert loop.fallback is None


def test_chunks_take_the_size_that_keeps_the_display_moving(keras: Any):
    import tensorflow as tf

    def slow(batch: Any) -> None:
        tf.numpy_function(lambda labels: [time.sleep(0.01), labels][1], [batch[1]], tf.int32)

    loop = _loop(slow, ExecutionMode.GRAPH)
    data = (np.zeros((400, 1), np.uint8), np.arange(400, dtype=np.int32))
    sizes = []
    for chunk in prefetch(chunks(data, np.arange(400), 4, 100, lambda: loop.target_steps)):
        loop(chunk)
        sizes.append(chunk.steps)
    assert sum(sizes) == 100
    assert max(sizes[4:]) <= CHUNK_S / 0.01
    assert loop.target_steps >= 5


def test_what_xla_cannot_compile_runs_without_it_and_says_why(keras: Any):
    import tensorflow as tf

    total = tf.Variable(0.0)

    def step(batch: Any) -> None:
        value = tf.numpy_function(lambda labels: np.float32(labels.sum()), [batch[1]], tf.float32)
        total.assign_add(tf.reshape(value, []))

    loop = _loop(step, ExecutionMode.XLA)
    for chunk in chunks(DATA, np.arange(23), 5, 2):
        loop(chunk)
    assert float(total) == sum(range(23))
    assert loop.fallback is not None
    assert (loop.fallback.mode, loop.mode) == (ExecutionMode.GRAPH, ExecutionMode.GRAPH)
    assert "can't compile" in loop.fallback.reason
    assert "unsupported" in loop.fallback.reason


def test_what_xla_is_slow_at_runs_without_it_and_says_why(keras: Any):
    import tensorflow as tf

    kernel = tf.Variable(tf.ones((1, 1, 1, 1)))
    loop = _loop(
        lambda batch: tf.nn.conv2d(tf.cast(batch[0], tf.float32)[..., None], kernel, 1, "VALID"), ExecutionMode.XLA
    )
    for chunk in chunks(DATA, np.arange(23), 5, 2):
        loop(chunk)
    assert loop.fallback == Fallback(mode=ExecutionMode.GRAPH, reason="XLA's Conv2D is slow on a CPU")


def test_an_error_of_the_model_itself_is_not_taken_for_one_of_xla(keras: Any):
    import tensorflow as tf

    def step(batch: Any) -> None:
        tf.debugging.assert_less(batch[1], 10, message="label out of range")

    loop = _loop(step, ExecutionMode.GRAPH)
    with pytest.raises(tf.errors.InvalidArgumentError, match="out of range"):
        loop(Chunk((DATA[0][None], DATA[1][None]), 1))

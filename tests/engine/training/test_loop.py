"""The compiled loop over the batches of a chunk: one program, the size of its chunks, and when it runs without XLA."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from stoker.engine.training.batches import Chunk, chunks, prefetch
from stoker.engine.training.execution_mode import ExecutionMode, Fallback
from stoker.engine.training.loop import CHUNK_S, Loop

DATA = (np.arange(23 * 4, dtype=np.uint8).reshape(23, 2, 2), np.arange(23, dtype=np.int32))


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

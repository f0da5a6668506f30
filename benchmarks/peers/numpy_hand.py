"""The network and RMSprop written out in NumPy."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from ..task import LEARNING_RATE, SEED, Task

TITLE = "NumPy, by hand"
NEEDS = ("numpy",)
DIFFERS = "a hand-written loop: no callbacks, no checkpoints; float32 pixels in memory"

_DECAY, _EPSILON = 0.9, 1e-7


def train(task: Task) -> None:
    """Trains."""
    images, labels = task.scaled("train"), task.one_hot("train")
    test, answers = task.scaled("t10k"), task.labels("t10k")
    random = task.orders(SEED)
    network = Network(random)
    for _ in range(task.epochs):
        order = random.permutation(len(images))
        for first in range(0, len(order), task.batch_size):
            rows = order[first : first + task.batch_size]
            network.learn(images[rows], labels[rows])
        task.lap(float((network.answer(test)[-1].argmax(1) == answers).mean()))


class Network:
    """784-300-100-10 with relu, relu and softmax."""

    def __init__(self, random: Any) -> None:
        import numpy as np

        sizes = (784, 300, 100, 10)
        self._weights = []
        for rows, columns in pairwise(sizes):
            limit = (6 / (rows + columns)) ** 0.5
            self._weights += [random.uniform(-limit, limit, (rows, columns)).astype(np.float32)]
            self._weights += [np.zeros(columns, np.float32)]
        # The mean squares are kept with epsilon added: they never get so small that a processor takes ages over them.
        self._squares = [np.full_like(weight, _EPSILON) for weight in self._weights]
        self._room = [np.empty_like(weight) for weight in self._weights]

    def answer(self, images: Any) -> list[Any]:
        """The values of each layer, the images first and the probabilities last."""
        import numpy as np

        values = [images]
        for layer in range(3):
            sums = values[-1] @ self._weights[2 * layer] + self._weights[2 * layer + 1]
            values.append(np.maximum(sums, 0, out=sums) if layer < 2 else sums)
        powers = np.exp(values[-1] - values[-1].max(1, keepdims=True))
        values[-1] = powers / powers.sum(1, keepdims=True)
        return values

    def learn(self, images: Any, labels: Any) -> None:
        """One step of RMSprop on one batch."""
        values = self.answer(images)
        slope = (values[-1] - labels) / len(images)
        slopes: list[Any] = []
        for layer in (2, 1, 0):
            slopes = [values[layer].T @ slope, slope.sum(0), *slopes]
            if layer:
                slope = (slope @ self._weights[2 * layer].T) * (values[layer] > 0)
        for index, gradient in enumerate(slopes):
            self._move(index, gradient)

    def _move(self, index: int, slope: Any) -> None:
        import numpy as np

        square, room = self._squares[index], self._room[index]
        np.multiply(slope, slope, out=room)
        room += _EPSILON
        room *= 1 - _DECAY
        square *= _DECAY
        square += room
        np.sqrt(square, out=room)
        slope *= LEARNING_RATE
        np.divide(slope, room, out=room)
        self._weights[index] -= room

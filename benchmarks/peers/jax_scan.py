# mypy: disable-error-code="import-not-found, import-untyped"
"""JAX and optax: a whole epoch as one compiled `lax.scan` over bytes in memory."""

from __future__ import annotations

from typing import Any

from ..task import LEARNING_RATE, SEED, Task

TITLE = "JAX and optax, lax.scan"
NEEDS = ("jax", "optax")
DIFFERS = "a hand-written loop: no callbacks, no checkpoints, all data in memory as bytes"


def train(task: Task) -> None:
    """Trains."""
    import jax
    import optax

    optimizer = optax.rmsprop(LEARNING_RATE, decay=0.9, eps=1e-7)
    weights = _weights(jax)
    state = optimizer.init(weights)
    epoch, evaluate = _programs(jax, optax, optimizer, task.batch_size)
    images, labels = _resident(jax, task, "train")
    test = _resident(jax, task, "t10k")
    for key in jax.random.split(jax.random.key(SEED), task.epochs):
        weights, state, loss = epoch(weights, state, images, labels, key)
        accuracy, test_loss = evaluate(weights, *test)
        float(loss), float(test_loss)
        task.lap(float(accuracy))


def _resident(jax: Any, task: Task, part: str) -> tuple[Any, Any]:
    images = task.images(part)
    return jax.numpy.asarray(images.reshape(len(images), -1)), jax.numpy.asarray(task.labels(part).astype("int32"))


def _weights(jax: Any) -> list[tuple[Any, Any]]:
    sizes = (784, 300, 100, 10)
    keys = jax.random.split(jax.random.key(SEED + 1), len(sizes) - 1)
    start = jax.nn.initializers.glorot_uniform()
    pairs = zip(keys, sizes[:-1], sizes[1:], strict=True)
    return [(start(key, (rows, columns)), jax.numpy.zeros(columns)) for key, rows, columns in pairs]


def _programs(jax: Any, optax: Any, optimizer: Any, batch_size: int) -> tuple[Any, Any]:
    def logits(weights: Any, images: Any) -> Any:
        values = images.astype("float32") / 255
        for kernel, bias in weights[:-1]:
            values = jax.nn.relu(values @ kernel + bias)
        return values @ weights[-1][0] + weights[-1][1]

    def loss_of(weights: Any, images: Any, labels: Any) -> Any:
        answers = logits(weights, images)
        loss = optax.softmax_cross_entropy_with_integer_labels(answers, labels).mean()
        return loss, (answers.argmax(1) == labels).mean()

    def epoch(weights: Any, state: Any, images: Any, labels: Any, key: Any) -> Any:
        steps = len(labels) // batch_size
        order = jax.random.permutation(key, len(labels))[: steps * batch_size].reshape(steps, batch_size)

        def step(carry: Any, rows: Any) -> Any:
            weights, state = carry
            (loss, _), slopes = jax.value_and_grad(loss_of, has_aux=True)(weights, images[rows], labels[rows])
            change, state = optimizer.update(slopes, state, weights)
            return (optax.apply_updates(weights, change), state), loss

        (weights, state), losses = jax.lax.scan(step, (weights, state), order)
        return weights, state, losses.mean()

    def evaluate(weights: Any, images: Any, labels: Any) -> Any:
        loss, accuracy = loss_of(weights, images, labels)
        return accuracy, loss

    return jax.jit(epoch, donate_argnums=(0, 1)), jax.jit(evaluate)

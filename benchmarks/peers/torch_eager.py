# mypy: disable-error-code="import-not-found, import-untyped"
"""PyTorch: a plain loop over batches of tensors in memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..task import LEARNING_RATE, SEED, Task

TITLE = "PyTorch, eager, tensors in memory"
NEEDS = ("torch",)
DIFFERS = "a hand-written loop: no callbacks, no checkpoints; float32 pixels in memory"


def train(task: Task) -> None:
    """Trains."""
    loop(task, compiled=False)


def loop(task: Task, *, compiled: bool) -> None:
    """Trains, with or without a compiled step."""
    import torch

    torch.manual_seed(SEED)
    model = network(torch)
    images, labels = tensors(torch, task, "train")
    test, answers = tensors(torch, task, "t10k")
    step = _step(torch, model)
    if compiled:
        step = torch.compile(step)
    for _ in range(task.epochs):
        for rows in torch.randperm(len(images)).split(task.batch_size):
            step(images[rows], labels[rows])
        with torch.no_grad():
            outputs = model(test)
            float(torch.nn.functional.cross_entropy(outputs, answers))
            task.lap(float((outputs.argmax(1) == answers).float().mean()))


def network(torch: Any) -> Any:
    """784-300-100-10; the softmax is in the loss."""
    nn = torch.nn
    return nn.Sequential(nn.Linear(784, 300), nn.ReLU(), nn.Linear(300, 100), nn.ReLU(), nn.Linear(100, 10))


def optimizer(torch: Any, model: Any) -> Any:
    """Keras' RMSprop."""
    return torch.optim.RMSprop(model.parameters(), lr=LEARNING_RATE, alpha=0.9, eps=1e-7)


def tensors(torch: Any, task: Task, part: str) -> tuple[Any, Any]:
    """Images float32 [N, 784] and labels int64 [N]."""
    return torch.from_numpy(task.scaled(part)), torch.from_numpy(task.labels(part).astype("int64"))


def _step(torch: Any, model: Any) -> Callable[[Any, Any], Any]:
    rule = optimizer(torch, model)

    def step(images: Any, labels: Any) -> Any:
        rule.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(images), labels)
        loss.backward()
        rule.step()
        return loss.detach()

    return step

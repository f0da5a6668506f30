"""PyTorch with `torch.compile` around the step, optimizer and all."""

from __future__ import annotations

from ..task import Task
from .torch_eager import loop

TITLE = "PyTorch, torch.compile of the step"
NEEDS = ("torch",)
DIFFERS = "as eager, with the step compiled; needs a C++ compiler"


def train(task: Task) -> None:
    """Trains."""
    loop(task, compiled=True)

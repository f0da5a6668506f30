# mypy: disable-error-code="import-not-found, import-untyped"
"""Lightning's Trainer with a DataLoader: the way of its own documentation, without progress bar, logger or files."""

from __future__ import annotations

from typing import Any

from ..task import SEED, Task
from .torch_eager import network, optimizer, tensors

TITLE = "Lightning, Trainer and DataLoader"
NEEDS = ("torch", "lightning")
DIFFERS = "progress bar, logger and checkpoints are off; float32 pixels in memory"


def train(task: Task) -> None:
    """Trains."""
    import lightning
    import torch

    lightning.seed_everything(SEED, verbose=False)
    trainer = lightning.Trainer(
        max_epochs=task.epochs,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )
    train_loader, test_loader = (_loader(torch, task, part) for part in ("train", "t10k"))
    trainer.fit(_module(lightning, torch, task), train_loader, test_loader)


def _loader(torch: Any, task: Task, part: str) -> Any:
    data = torch.utils.data.TensorDataset(*tensors(torch, task, part))
    return torch.utils.data.DataLoader(data, batch_size=task.batch_size, shuffle=part == "train")


def _module(lightning: Any, torch: Any, task: Task) -> Any:
    base: Any = lightning.LightningModule

    class Module(base):  # type: ignore[misc, unused-ignore]  # the class is only known at run time
        def __init__(self) -> None:
            super().__init__()
            self.network = network(torch)
            self.right = torch.zeros(())
            self.seen = 0

        def training_step(self, batch: Any, index: int) -> Any:
            images, labels = batch
            return torch.nn.functional.cross_entropy(self.network(images), labels)

        def on_validation_epoch_start(self) -> None:
            self.right, self.seen = torch.zeros(()), 0

        def validation_step(self, batch: Any, index: int) -> None:
            images, labels = batch
            outputs = self.network(images)
            torch.nn.functional.cross_entropy(outputs, labels)
            self.right += (outputs.argmax(1) == labels).sum()
            self.seen += len(labels)

        def on_validation_epoch_end(self) -> None:
            task.lap(float(self.right) / self.seen)

        def configure_optimizers(self) -> Any:
            return optimizer(torch, self)

    return Module()

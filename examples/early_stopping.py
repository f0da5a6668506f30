"""A plugin that ends a training when it no longer gets better, and keeps the weights of its best epoch.

`stoker -p examples/early_stopping.py train --early-stopping-patience 3`
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from stoker.engine.command import positive_int
from stoker.engine.hookspecs import hookimpl
from stoker.engine.job import TrainJob


@hookimpl
def stoker_add_options(parser: argparse.ArgumentParser, command: str) -> None:
    """Adds the patience; its value travels in the job to wherever the training runs."""
    if command != "train":
        return
    parser.add_argument_group("plugin early_stopping").add_argument(
        "--early-stopping-patience",
        type=positive_int,
        default=3,
        metavar="N",
        help="end after N epochs without a lower validation loss (default: 3)",
    )


@hookimpl
def stoker_callbacks(job: TrainJob, run_dir: Path) -> Iterable[Any]:
    """Offers Keras' own callback."""
    import keras

    patience = job.options["early_stopping_patience"]
    return [keras.callbacks.EarlyStopping(monitor="val_loss", patience=patience, restore_best_weights=True, verbose=1)]

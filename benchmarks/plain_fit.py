"""The plain way to train one of the models in `kinds.py`: load, `fit`, evaluate, save; a whole command.

It stands alone: `python plain_fit.py KIND --data FOLDER --epochs 3 --setting fit --output model.keras`.
"""

from __future__ import annotations

import argparse
import importlib
import os
from pathlib import Path
from types import SimpleNamespace

SETTINGS = ("fit", "steps", "jit")
"""Keras' defaults; many steps in one execution; and compiled by XLA too."""


def main() -> None:
    """Trains one model."""
    parser = argparse.ArgumentParser()
    parser.add_argument("kind")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--setting", choices=SETTINGS, default="fit")
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import keras
    import numpy as np

    def read(part: str) -> tuple[np.ndarray, np.ndarray]:
        images = np.fromfile(options.data / f"{part}-images-idx3-ubyte", np.uint8, offset=16).reshape(-1, 28, 28)
        return images, np.fromfile(options.data / f"{part}-labels-idx1-ubyte", np.uint8, offset=8).astype("int32")

    keras.utils.set_random_seed(0)
    train, test = read("train"), read("t10k")
    kinds = importlib.import_module("kinds")
    config = SimpleNamespace(input_shape=(28, 28), input_dtype="uint8", classes=10)
    model = getattr(kinds, options.kind)(config)
    if options.setting != "fit":
        model.steps_per_execution = 32
    if options.setting == "jit":
        model.jit_compile = True
    model.fit(*train, batch_size=50, epochs=options.epochs, validation_data=test, verbose=0)
    model.evaluate(*test, batch_size=1000, verbose=0)
    model.save(options.output)


if __name__ == "__main__":
    main()

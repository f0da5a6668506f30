"""The tutorial's training script, ported to Keras 3: what a user has without stoker. Stands alone.

It reads four IDX files, trains with `model.fit`, logs the figures of each epoch, evaluates, draws `Accuracy vs Loss`
and saves the model. The lines that begin with `mark` record when each step was done.
"""

from __future__ import annotations

import argparse
import gzip
import time
from pathlib import Path
from typing import Any


def mark(step: str) -> None:
    """Tells that a step is done, and when, in seconds since 1970."""
    print("mark", step, time.time(), flush=True)


def read(folder: Path, name: str, rank: int) -> Any:
    """The bytes of an IDX file, raw or gzip: [N, 784] or [N]."""
    import numpy as np

    path = next(folder.glob(f"**/{name}*"))
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
        count = int.from_bytes(stream.read(4 + 4 * rank)[4:8], "big")
        return np.frombuffer(stream.read(), np.uint8).reshape((count, -1) if rank > 1 else (count,))


def network(keras: Any) -> Any:
    """784-300-100-10, compiled."""
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((784,)),
            layers.Dense(300, activation="relu", name="hidden1"),
            layers.Dense(100, activation="relu", name="hidden2"),
            layers.Dense(10, activation="softmax", name="output"),
        ]
    )
    model.compile(loss="categorical_crossentropy", optimizer=keras.optimizers.RMSprop(0.001), metrics=["accuracy"])
    return model


def draw(pyplot: Any, history: dict[str, list[float]], path: Path) -> None:
    """Draws accuracy and loss of the validation."""
    figure = pyplot.figure(figsize=(6, 3))
    pyplot.title("MNIST with Keras MLP", fontsize=14)
    pyplot.plot(history["val_accuracy"], "b-", label="Accuracy", lw=4, alpha=0.5)
    pyplot.plot(history["val_loss"], "r--", label="Loss", lw=4, alpha=0.5)
    pyplot.legend(fontsize=12)
    pyplot.grid(True)
    figure.savefig(path)


def save(model: Any, folder: Path) -> None:
    """Writes the model as one file, and as architecture and weights."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.json").write_text(model.to_json(), encoding="utf-8")
    model.save_weights(folder / "model.weights.h5")
    model.save(folder / "model.keras")


def main() -> None:
    """Trains."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data-folder", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--batch-size", type=int, default=50)
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()

    import keras
    import numpy as np
    from matplotlib import pyplot

    mark("import")
    images, labels, test_images, test_labels = (
        read(options.data_folder, name, rank)
        for name, rank in (("train-images", 3), ("train-labels", 1), ("t10k-images", 3), ("t10k-labels", 1))
    )
    images, test_images = (array.astype(np.float32) / np.float32(255) for array in (images, test_images))
    labels, test_labels = (keras.utils.to_categorical(array, 10) for array in (labels, test_labels))
    mark("data")
    model = network(keras)
    mark("build")

    class Log(keras.callbacks.Callback):  # type: ignore[misc, unused-ignore]  # as the tutorial logs to its run
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            print("Loss", logs["val_loss"], "Accuracy", logs["val_accuracy"])
            mark("epoch")

    history = model.fit(
        images,
        labels,
        batch_size=options.batch_size,
        epochs=options.epochs,
        verbose=2,
        validation_data=(test_images, test_labels),
        callbacks=[Log()],
    )
    loss, accuracy = model.evaluate(test_images, test_labels, verbose=0)
    print("Final test loss", loss, "Final test accuracy", accuracy)
    mark("evaluate")
    options.output.mkdir(parents=True, exist_ok=True)
    draw(pyplot, history.history, options.output / "Accuracy vs Loss.png")
    mark("picture")
    save(model, options.output / "model")
    mark("save")


if __name__ == "__main__":
    main()

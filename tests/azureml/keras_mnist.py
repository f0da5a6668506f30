"""The tutorial's training script, ported to Keras 3, on a tenth of the data: what its run logs and keeps."""

import argparse
import gzip
from pathlib import Path

import keras
import matplotlib as mpl
import numpy as np
from azureml.core import Run

mpl.use("Agg")
from matplotlib import pyplot as plt

parser = argparse.ArgumentParser()
parser.add_argument("--data-folder", type=Path)
parser.add_argument("--epochs", type=int)
options = parser.parse_args()


def load(name, header):
    """The bytes of a data file."""
    with gzip.open(next(options.data_folder.glob(f"**/{name}.gz"))) as stream:
        return np.frombuffer(stream.read()[header:], np.uint8)


def examples(part, count):
    """Images float [N, 784], and labels one-hot [N, 10]."""
    images, labels = load(f"{part}-images-idx3-ubyte", 16), load(f"{part}-labels-idx1-ubyte", 8)
    return images.reshape(-1, 784)[:count] / 255, keras.utils.to_categorical(labels[:count], 10)


dense = keras.layers.Dense
model = keras.Sequential([keras.Input((784,)), dense(300, "relu"), dense(100, "relu"), dense(10, "softmax")])
model.compile(loss="categorical_crossentropy", optimizer=keras.optimizers.RMSprop(0.001), metrics=["accuracy"])
run = Run.get_context()


class LogRunMetrics(keras.callbacks.Callback):
    """Logs the figures of each epoch."""

    def on_epoch_end(self, epoch, log=None):
        run.log("Loss", log["val_loss"])
        run.log("Accuracy", log["val_accuracy"])


test = examples("t10k", 10_000)
terms = {"batch_size": 50, "epochs": options.epochs, "verbose": 2}
history = model.fit(*examples("train", 6_000), validation_data=test, callbacks=[LogRunMetrics()], **terms)
loss, accuracy = model.evaluate(*test, verbose=0)
run.log("Final test loss", loss)
run.log("Final test accuracy", accuracy)

plt.figure(figsize=(6, 3))
plt.title("MNIST with Keras MLP", fontsize=14)
plt.plot(history.history["val_accuracy"], "b-", label="Accuracy", lw=4, alpha=0.5)
plt.plot(history.history["val_loss"], "r--", label="Loss", lw=4, alpha=0.5)
run.log_image("Accuracy vs Loss", plot=plt)

folder = Path("outputs/model")
folder.mkdir(parents=True)
(folder / "model.json").write_text(model.to_json())
model.save_weights(folder / "model.weights.h5")
run.flush()

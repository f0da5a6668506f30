"""The same loop over several replicas: two logical CPU devices train as one does."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ...patience import PATIENCE_S

SHIM = Path(__file__).resolve().parents[2] / "conftest.py"
SCRIPT = """
import contextlib, json, runpy, sys, threading
sys.path.insert(0, {tests!r})
runpy.run_path({shim!r})
import tiny
from stoker.engine.training.runtime import import_keras
tf, keras = import_keras()
import numpy as np
from stoker.engine.training.fit import Fit, Subset
from stoker.engine.training.execution_mode import choose_mode

cpu, = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
keras.config.set_floatx("float64")
images, labels = tiny.arrays({count}, 1)
data = (images / 255, labels)

def train(scope):
    with scope:
        keras.utils.set_random_seed(3)
        layers = keras.layers
        dense = [layers.Dense(16, "relu"), layers.Dense(3, "softmax")]
        model = keras.Sequential([keras.Input(tiny.SHAPE), layers.Flatten(), *dense])
        model.compile("rmsprop", "sparse_categorical_crossentropy", metrics=["accuracy"])
        part = Subset(data=data, rows=np.arange(len(labels)))
        strategy = tf.distribute.get_strategy()
        replicas = strategy.num_replicas_in_sync
        mode, reason = choose_mode(model, strategy)
        fit = Fit(model=model, train=part, validation=part, batch_size={batch}, epochs=2, seed=0,
                  stop=threading.Event(), mode=mode, strategy=strategy)
        fit.run([], lambda report: None)
        return [w.tolist() for w in model.get_weights()], fit.history, replicas, str(mode), reason

one = train(contextlib.nullcontext())
two = train(tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope())
apart = max(float(np.abs(np.array(a) - np.array(b)).max()) for a, b in zip(one[0], two[0]))
print(json.dumps(dict(apart=apart, one=one[1:], two=two[1:])))
"""


def both(count: int, batch: int) -> subprocess.CompletedProcess[str]:
    """Trains with one device and with two, in a process that has two."""
    script = SCRIPT.format(tests=str(SHIM.parent), shim=str(SHIM), count=count, batch=batch)
    return subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )


@pytest.mark.parametrize("count", [320, 330])
def test_two_devices_train_as_one(count: int):
    done = both(count, 32)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    history, replicas, mode, reason = result["two"]
    assert (replicas, mode) == (2, "graph")
    assert "2 devices" in reason
    assert result["apart"] < 1e-12
    for name, values in result["one"][0].items():
        assert history[name] == pytest.approx(values, abs=1e-9), name


def test_a_batch_that_two_devices_cannot_share_is_refused():
    done = both(320, 33)
    assert done.returncode == 1
    assert "can't be shared by 2 devices" in done.stderr

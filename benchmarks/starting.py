"""How long the training process of `stoker train` takes for what it does before the first epoch, step by step."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..engine.job import TrainJob
from ..engine.plugin.plugins import Plugins
from ..engine.training.execution_mode import ExecutionMode
from ..engine.training.prepare import build_model, load_dataset, split
from ..engine.training.runtime import import_keras


def main() -> int:
    """Prints the seconds of each step as JSON."""
    took: dict[str, float] = {}

    @contextmanager
    def timed(step: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        took[step] = time.perf_counter() - started

    job, plugins = TrainJob(offline=True), Plugins.load([])
    with timed("import"):
        tf, _ = import_keras()
    with timed("data"):
        dataset = load_dataset(job, plugins)
    with timed("data again"):
        load_dataset(job, plugins)
    with timed("build"):
        from ..engine.training.fit import Fit

        train, validation, _ = split(dataset, 0.0, job.seed)
        model = build_model(job, dataset, plugins).model
        settings: dict[str, Any] = {"batch_size": job.batch_size, "epochs": job.epochs, "seed": job.seed}
        settings |= {"mode": ExecutionMode.XLA, "strategy": tf.distribute.get_strategy(), "stop": threading.Event()}
        Fit(model=model, train=train, validation=validation, **settings)
    print(json.dumps(took))
    return 0

"""How long the training process of `stoker train` takes for what it does before the first epoch, step by step."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager

from ..engine.job import TrainJob
from ..engine.plugin.plugins import Plugins
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
        import_keras()
    with timed("data"):
        dataset = load_dataset(job, plugins)
    with timed("data again"):
        load_dataset(job, plugins)
    with timed("build"):
        from ..engine.training.fit import build

        build(build_model(job, dataset, plugins), split(dataset, 0.0, job.seed)[0].data)
    print(json.dumps(took))
    return 0

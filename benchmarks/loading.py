"""How long it takes to load the cached data set: the first time in a process, and again."""

from __future__ import annotations

import json
import time

from ..engine.job import TrainJob
from ..engine.plugin import Plugins
from ..engine.prepare import load_dataset


def main() -> int:
    """Prints the two times as JSON: seconds."""
    import numpy as np

    np.random.default_rng()  # the training has imported it before it loads data
    job, plugins = TrainJob(offline=True), Plugins.load([])
    seconds = []
    for _ in range(2):
        started = time.perf_counter()
        load_dataset(job, plugins)
        seconds.append(time.perf_counter() - started)
    print(json.dumps(seconds))
    return 0

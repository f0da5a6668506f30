"""One contender in this process: trains, and prints one line of JSON with the seconds of its epochs."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
from pathlib import Path
from typing import Any

from ..engine.plugin.extras import installed_version, module_version
from .task import Task


def main(argv: list[str]) -> int:
    """Runs `peer NAME …`; with `--needs`, only prints which packages it found and which it lacks."""
    parser = argparse.ArgumentParser(prog="benchmarks peer")
    parser.add_argument("name")
    parser.add_argument("--needs", action="store_true")
    parser.add_argument("--data", type=Path, default=Path())
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[50])
    parser.add_argument("--network", default="dnn")
    options = parser.parse_args(argv)
    module = load(options.name)
    if options.needs:
        found = {name: _version(name) for name in module.NEEDS}
        print(json.dumps(found))
        return 0
    tasks = [
        Task(data=options.data, epochs=options.epochs, batch_size=size, network=options.network)
        for size in options.batch_sizes
    ]
    for task in tasks:
        module.train(task)
    print(json.dumps([{"laps_s": task.laps_s, "accuracy": task.accuracy} for task in tasks]), flush=True)
    return 0


def load(name: str) -> Any:
    """The module of a contender: its `TITLE`, what it `NEEDS`, what `DIFFERS`, and `train(task)`."""
    return importlib.import_module(f".peers.{name}", __package__)


def _version(package: str) -> str:
    """The version of an installed package; "" if it is not installed."""
    module = package.replace("-", "_").replace("scikit_learn", "sklearn")
    return installed_version(package) or module_version(module) if importlib.util.find_spec(module) else ""

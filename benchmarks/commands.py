"""The two whole commands: `stoker train`, and the tutorial's script doing the same."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from ..engine.files import remove_tree
from ..engine.rundir import RunDirectory
from ..engine.runs.find import list_runs
from .bench import Bench
from .corpus import BUNDLED
from .process import Finished, run

_HERE = Path(__file__).resolve().parent
_CLI, _TUTORIAL = _HERE.parent / "cli.py", _HERE / "tutorial.py"
_WARM = "import tensorflow, keras, matplotlib.pyplot"


def warm(bench: Bench) -> None:
    """Fills stoker's cache of data sets, and brings the packages into the memory of the system."""
    start(bench)
    run([sys.executable, "-c", _WARM], bench.work)


def forget_programs(bench: Bench) -> None:
    """Takes from stoker's cache what earlier runs have compiled."""
    remove_tree(bench.work / "cache" / "programs")


def start(bench: Bench) -> dict[str, float]:
    """Seconds of what comes before the first epoch of `stoker train`, by the name of the step."""
    finished = run([sys.executable, _HERE, "start"], bench.work, environment(bench))
    found: dict[str, float] = json.loads(finished.output.splitlines()[-1])
    return found


def stoker(bench: Bench, *words: str) -> tuple[Finished, RunDirectory]:
    """Runs `stoker train`, and gives its newest run."""
    runs = bench.work / "runs"
    command: list[str | Path] = [sys.executable, _CLI, "train", "--runs-dir", runs, *words]
    finished = run(command, bench.work, environment(bench))
    return finished, list(list_runs(runs))[-1]


def training(bench: Bench, run_dir: RunDirectory) -> Finished:
    """Runs the training process of a run alone, so that its memory is its own."""
    return run([sys.executable, _CLI, "exec", run_dir.path], bench.work, environment(bench))


def tutorial(bench: Bench, epochs: int, data: Path = BUNDLED) -> Finished:
    """Runs the tutorial's script."""
    output = bench.work / "tutorial"
    return run(
        [sys.executable, _TUTORIAL, "--data-folder", data, "--epochs", str(epochs), "--output", output], bench.work
    )


def environment(bench: Bench) -> dict[str, str]:
    """Variables for stoker: its cache of data sets lies in the work folder."""
    return {"STOKER_CACHE_DIR": str(bench.work / "cache"), "STOKER_OFFLINE": "true"}

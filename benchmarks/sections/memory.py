"""Peak memory of the training process, and the epoch, with ten times the data too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ...engine.event import EventKind
from ...engine.job import TrainJob
from ...engine.rundir import RunDirectory
from .. import commands, phases
from ..bench import Bench
from ..process import Finished
from ..section import Section, Target, megabytes, seconds, times

TITLE = "Memory: the most that is resident in the training process"
EPOCHS = 2


def measure(bench: Bench) -> Section:
    """Measures both at 60,000 images and at 600,000."""
    commands.warm(bench)
    large = bench.corpus.tenfold()
    measured = {
        "tutorial, 60,000 images": _tutorial(bench, bench.corpus.whole(), EPOCHS),
        "stoker, 60,000 images": _stoker(bench, ""),
        "tutorial, 600,000 images": _tutorial(bench, large, EPOCHS if bench.full else 1),
        "stoker, 600,000 images": _stoker(bench, str(large)),
    }
    return Section(
        name="memory",
        title=TITLE,
        columns=("who", "peak memory", "without mapped files", "one epoch"),
        rows=[_row(name, found) for name, found in measured.items()],
        notes=[
            "The training process alone, from its start to its exit. Its peak has the pages of memory-mapped files in "
            "it, packages and data, which the system takes back when it needs them.",
            "The tutorial's pixels are made float32; in float64, as `x / 255.0` makes them, it takes more.",
            "Epochs are the last of the run; the tutorial's at 600,000 images is its only one, unless `--full` is "
            "given.",
            f"At 600,000 images the tutorial's epoch takes {_ratio(measured, '600,000')} as long as stoker's; at "
            f"60,000, {_ratio(measured, '60,000')}.",
        ],
        targets=_targets({name: found["bytes"] / 1e6 for name, found in measured.items()}),
        data=measured,
    )


def _targets(sizes: dict[str, float]) -> list[Target]:
    small = sizes["stoker, 60,000 images"]
    return [
        Target(
            what="stoker's memory below the tutorial's at 60,000 images",
            measured=round(sizes["tutorial, 60,000 images"] - small),
            limit=250,
            least=True,
            unit=" MB",
        ),
        Target(
            what="stoker's memory at 600,000 images above that at 60,000",
            measured=round(sizes["stoker, 600,000 images"] - small),
            limit=100,
            least=False,
            unit=" MB",
        ),
    ]


def _ratio(measured: dict[str, Any], images: str) -> str:
    return times(measured[f"tutorial, {images} images"]["epoch"] / measured[f"stoker, {images} images"]["epoch"])


def _tutorial(bench: Bench, data: Path, epochs: int) -> dict[str, Any]:
    finished = commands.tutorial(bench, epochs, data)
    return _memory(finished) | {"epoch": phases.last_epoch(finished)}


def _stoker(bench: Bench, data_folder: str) -> dict[str, Any]:
    job = TrainJob(data_folder=data_folder, dataset="" if data_folder else "mnist", epochs=EPOCHS, offline=True)
    run = RunDirectory.create(bench.work / "runs", job)
    finished = commands.training(bench, run)
    epochs = [event.time_s for event in run.events() if event.kind is EventKind.EPOCH]
    return _memory(finished) | {"epoch": epochs[-1] - epochs[-2]}


def _memory(finished: Finished) -> dict[str, Any]:
    return {"bytes": finished.memory_bytes, "private": finished.private_bytes}


def _row(name: str, found: dict[str, Any]) -> list[str]:
    private = megabytes(found["private"]) if found["private"] else "not known"
    return [name, megabytes(found["bytes"]), private, seconds(found["epoch"])]

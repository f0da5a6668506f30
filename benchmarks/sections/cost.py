"""What loading data, checkpoints and a resume cost."""

from __future__ import annotations

from statistics import median
from typing import Any

from ...engine.event import EventKind
from ...engine.rundir import RunDirectory
from .. import commands
from ..bench import Bench
from ..section import Section, Target, seconds

TITLE = "Costs: data, checkpoints, resume"
STARTS, RESUMES, EPOCHS = 3, 2, 16


def measure(bench: Bench) -> Section:
    """Measures each."""
    commands.warm(bench)
    first_s, load_s = _load(bench)
    saving = _saving(bench)
    resume = _resume(bench)
    share = 100 * saving["cost"] / saving["epoch"]
    return Section(
        name="cost",
        title=TITLE,
        columns=("what", "seconds", ""),
        rows=[
            ["data set from the cache", seconds(load_s), "70,000 images, memory-mapped"],
            ["the same, when the modules that read it are still to be imported", seconds(first_s), ""],
            ["checkpoint after an epoch", seconds(max(0.0, saving["cost"])), f"{share:.1f} % of an epoch"],
            ["resume, until the first new epoch begins", seconds(resume["ready"]), "process, import, build, restore"],
            ["a new run, until its first epoch begins", seconds(resume["new_ready"]), "process, import, build"],
            [
                "first epoch after a resume",
                seconds(resume["first"]),
                "with compiled programs of an earlier run",
            ],
            [
                "first epoch of a new run",
                seconds(resume["new_first"]),
                "with compiled programs of an earlier run",
            ],
        ],
        notes=[
            "A checkpoint's cost is what an epoch that follows one takes longer than its neighbours without.",
            f"An epoch without one takes {seconds(saving['epoch'])} here.",
        ],
        targets=[
            Target(
                what="load of the data set, its reader imported",
                measured=round(load_s * 1000, 1),
                limit=10,
                least=False,
                unit=" ms",
            ),
            Target(what="a checkpoint, of an epoch", measured=round(share, 2), limit=2.0, least=False, unit=" %"),
            Target(
                what="a resume beyond import and compile, in epochs",
                measured=round(resume["beyond"] / saving["epoch"], 2),
                limit=1.0,
                least=False,
            ),
        ],
        data={"load": load_s, "load_first": first_s, "saving": saving, "resume": resume},
    )


def _load(bench: Bench) -> tuple[float, float]:
    """Seconds to load the data set, the first time in a process and again: medians."""
    starts = [commands.start(bench) for _ in range(STARTS)]
    return median(steps["data"] for steps in starts), median(steps["data again"] for steps in starts)


def _saving(bench: Bench) -> dict[str, float]:
    """Seconds of an epoch without a checkpoint before it, and how much longer one with it takes: medians."""
    (laps,) = bench.train("stoker_saving", bench.corpus.whole(), epochs=EPOCHS)
    plain, after = laps.laps_s[1::2], laps.laps_s[2::2]
    return {"epoch": median(plain), "cost": median(one - two for one, two in zip(after, plain, strict=False))}


def _resume(bench: Bench) -> dict[str, float]:
    """Seconds of what a new run and a resumed one do first: medians."""
    found: dict[str, list[float]] = {}
    for _ in range(RESUMES):
        begun, folder = commands.stoker(bench, "--epochs", "1")
        new = _beginning(folder, begun.started_s)
        resumed, _ = commands.stoker(bench, "--resume", str(folder.path), "--epochs", "2")
        old = _beginning(folder, resumed.started_s)
        values = {"new_ready": new[0], "new_first": new[1], "ready": old[0], "first": old[1]}
        for name, value in (values | {"beyond": sum(old) - sum(new)}).items():
            found.setdefault(name, []).append(value)
    return {name: median(values) for name, values in found.items()}


def _beginning(folder: RunDirectory, started_s: float) -> tuple[float, float]:
    """Seconds from the start of the command until training begins, and of the first epoch then."""
    events: list[Any] = [event for event in folder.events() if event.time_s > started_s]
    ready = next(event.time_s for event in events if event.kind is EventKind.STARTED)
    epoch = next(event.time_s for event in events if event.kind is EventKind.EPOCH)
    return ready - started_s, epoch - ready

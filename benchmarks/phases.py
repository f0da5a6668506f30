"""What a whole command did when: from the marks of the tutorial's script, and from the folder of a run."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from ..engine.event import EventKind, RunEvent
from ..engine.rundir import RunDirectory
from .process import Finished

Phases = dict[str, float]


def of_tutorial(finished: Finished) -> tuple[Phases, float]:
    """Seconds of each step of the tutorial's script; and seconds until its first epoch was finished."""
    marks = _marks(finished)
    first = next(moment for step, moment in marks if step == "epoch")
    last = dict(marks)  # of several epochs, the last
    moments = [("start", finished.started_s), *last.items(), ("exit", finished.started_s + finished.seconds)]
    return {step: after - before for (_, before), (step, after) in pairwise(moments)}, first - finished.started_s


def last_epoch(finished: Finished) -> float:
    """Seconds of the last epoch of the tutorial's script."""
    marks = _marks(finished)
    place = max(place for place, (step, _) in enumerate(marks) if step == "epoch")
    return marks[place][1] - marks[place - 1][1]


def of_run(run: RunDirectory, finished: Finished) -> tuple[Phases, float]:
    """Seconds of each step of `stoker train`; and seconds until its first epoch was finished.

    Moments are those of the run's events, and of files that are written once, when a step is done.
    """
    events = list(run.events())
    epochs = [event.time_s for event in events if event.kind is EventKind.EPOCH]
    started = _moment(events, EventKind.STARTED)
    manifest, picture = _written(run.model / "MANIFEST.json"), _picture(run)
    ended = finished.started_s + finished.seconds
    steps = {
        "command line and checks": _written(run.path / "job.json") - finished.started_s,
        "process, import, data, model": started - _written(run.path / "job.json"),
        "epochs": epochs[-1] - started,
        "saving the model": manifest - epochs[-1],
        "waiting for the picture": max(0.0, picture - manifest),
        "report and summary": _moment(events, EventKind.FINISHED) - max(manifest, picture),
        "exit": ended - _moment(events, EventKind.FINISHED),
    }
    return steps, epochs[0] - finished.started_s


def programs(run: RunDirectory) -> float:
    """Seconds for compiled programs: that the first epoch takes longer than the others; the run has at least three."""
    seconds = [event.data["seconds"] for event in run.events() if event.kind is EventKind.EPOCH]
    later = sorted(seconds[1:])
    return float(seconds[0] - later[len(later) // 2])


def _marks(finished: Finished) -> list[tuple[str, float]]:
    lines = (line.split() for line in finished.output.splitlines() if line.startswith("mark "))
    return [(step, float(moment)) for _, step, moment in lines]


def _moment(events: list[RunEvent], kind: EventKind) -> float:
    return next(event.time_s for event in events if event.kind is kind)


def _picture(run: RunDirectory) -> float:
    return max((_written(path) for path in run.plots.glob("*.png")), default=0.0)


def _written(path: Path) -> float:
    return path.stat().st_mtime

"""The whole command, from the start of the process to its exit, picture and model included."""

from __future__ import annotations

from statistics import median
from typing import Any

from .. import commands, phases
from ..bench import Bench
from ..contest import Contest, hold
from ..section import Section, Target, seconds, times

TITLE = "Whole command: process start to exit, with picture and saved model"
LONG, LONG_ROUNDS, SHORT_ROUNDS = 20, 2, 3
_NAMES = ("stoker", "tutorial")


def measure(bench: Bench) -> Section:
    """Measures both commands with 20 epochs and with one."""
    commands.warm(bench)
    notes: dict[tuple[str, int], list[dict[str, Any]]] = {}

    def once(name: str, epochs: int) -> list[float]:
        note = _stoker(bench, epochs) if name == "stoker" else _tutorial(bench, epochs)
        notes.setdefault((name, epochs), []).append(note)
        return [note["seconds"]]

    short = hold(_NAMES, SHORT_ROUNDS, lambda name: once(name, 1))
    long = hold(_NAMES, LONG_ROUNDS, lambda name: once(name, LONG))
    first = Contest(
        rounds={name: [[note["first_epoch"]] for note in notes[name, 1]] for name in _NAMES if (name, 1) in notes},
        failed=short.failed,
    )
    return Section(
        name="whole",
        title=TITLE,
        columns=("what", "stoker", "tutorial", "tutorial / stoker"),
        rows=[
            _row(f"{LONG} epochs", long),
            _row("1 epoch", short),
            _row("start to the first finished epoch", first),
            *_phases(notes, LONG),
        ],
        notes=_notes(notes),
        targets=[
            Target(what=f"the tutorial's {LONG} epochs, in stoker's", limit=4.0, least=True, measured=_ratio(long)),
            Target(what="the tutorial's 1 epoch, in stoker's", limit=2.5, least=True, measured=_ratio(short)),
            Target(
                what="stoker's first finished epoch, in the tutorial's",
                limit=0.6,
                least=False,
                measured=first.ratio("stoker", "tutorial").value,
            ),
        ],
        data={f"{name} {epochs}": found for (name, epochs), found in notes.items()},
    )


def _stoker(bench: Bench, epochs: int) -> dict[str, Any]:
    finished, run = commands.stoker(bench, "--epochs", str(epochs))
    steps, first = phases.of_run(run, finished)
    compiling = {"compiling": phases.compiling(run)} if epochs > 2 else {}
    return {"seconds": finished.seconds, "first_epoch": first, "phases": steps, **compiling}


def _tutorial(bench: Bench, epochs: int) -> dict[str, Any]:
    finished = commands.tutorial(bench, epochs)
    steps, first = phases.of_tutorial(finished)
    return {"seconds": finished.seconds, "first_epoch": first, "phases": steps}


def _ratio(contest: Contest) -> float:
    return contest.ratio("tutorial", "stoker").value


def _row(what: str, contest: Contest) -> list[str]:
    ratio = contest.ratio("tutorial", "stoker")
    spread = f"{times(ratio.value)} ({ratio.low:.2f} to {ratio.high:.2f})"
    return [what, *(seconds(contest.median(name)) for name in _NAMES), spread]


def _phases(notes: dict[tuple[str, int], list[dict[str, Any]]], epochs: int) -> list[list[str]]:
    """A row for each step of the long commands: the medians."""
    rows = []
    for place, name in enumerate(_NAMES):
        found = notes[name, epochs]
        for step in found[0]["phases"]:
            cells = ["", "", ""]
            cells[place] = seconds(median(note["phases"][step] for note in found))
            rows.append([f"of that, {name}: {step}", *cells])
    return rows


def _notes(notes: dict[tuple[str, int], list[dict[str, Any]]]) -> list[str]:
    compiling = median(note["compiling"] for note in notes["stoker", LONG])
    return [
        f"{LONG_ROUNDS} rounds in turn with {LONG} epochs, {SHORT_ROUNDS} with one.",
        "Both run in the environment that `make setup` makes: TensorFlow, Keras and matplotlib, without JAX, whose "
        "presence would slow down the tutorial's import and not stoker's. The tutorial's script imports matplotlib as "
        "it needs it for its picture. Other trainers have an environment of their own.",
        f"Of stoker's epochs, {seconds(compiling)} are compiling, in the first. The picture is drawn by a process "
        "beside the training. Both write into a pipe, so no live display is drawn.",
    ]

"""The whole command, from the start of the process to its exit, picture and model included."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Any

from .. import commands, phases
from ..bench import Bench
from ..contest import Contest, hold
from ..section import Section, Target, seconds, times

TITLE = "Whole command: process start to exit, with picture and saved model"
LONG, LONG_ROUNDS, SHORT_ROUNDS, STARTS = 20, 2, 3, 3
_NAMES = ("stoker", "tutorial")
_WITHOUT_CACHE = "stoker, with no compiled programs kept"


def measure(bench: Bench) -> Section:
    """Measures both commands with 20 epochs and with one."""
    commands.warm(bench)
    starts = [commands.start(bench) for _ in range(STARTS)]
    notes: dict[tuple[str, int], list[dict[str, Any]]] = {}

    def once(name: str, epochs: int) -> list[float]:
        if name == _WITHOUT_CACHE:
            commands.forget_programs(bench)
        note = _tutorial(bench, epochs) if name == "tutorial" else _stoker(bench, epochs)
        notes.setdefault((name, epochs), []).append(note)
        return [note["seconds"]]

    short = hold((_WITHOUT_CACHE, *_NAMES), SHORT_ROUNDS, lambda name: once(name, 1))
    long = hold(_NAMES, LONG_ROUNDS, lambda name: once(name, LONG))
    first = Contest(
        rounds={name: [[note["first_epoch"]] for note in notes[name, 1]] for name in _NAMES},
        failed=short.failed,
    )
    return Section(
        name="whole",
        title=TITLE,
        columns=("what", "stoker", "tutorial", "tutorial / stoker"),
        rows=[
            _row(f"{LONG} epochs", long),
            _row("1 epoch", short),
            _row("1 epoch, and stoker has no compiled programs from earlier runs", short, _WITHOUT_CACHE),
            _row("start to the first finished epoch", first),
            *_steps("stoker", steps_of_stoker(notes["stoker", LONG], starts)),
            *_steps("tutorial", _medians([note["phases"] for note in notes["tutorial", LONG]])),
        ],
        notes=_notes(),
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
        data={"starts": starts} | {f"{name} {epochs}": found for (name, epochs), found in notes.items()},
    )


def _stoker(bench: Bench, epochs: int) -> dict[str, Any]:
    finished, run = commands.stoker(bench, "--epochs", str(epochs))
    steps, first = phases.of_run(run, finished)
    programs = {"programs": phases.programs(run)} if epochs > 2 else {}
    return {"seconds": finished.seconds, "first_epoch": first, "phases": steps, **programs}


def _tutorial(bench: Bench, epochs: int) -> dict[str, Any]:
    finished = commands.tutorial(bench, epochs)
    steps, first = phases.of_tutorial(finished)
    return {"seconds": finished.seconds, "first_epoch": first, "phases": steps}


def _ratio(contest: Contest) -> float:
    return contest.ratio("tutorial", "stoker").value


def _row(what: str, contest: Contest, ours: str = "stoker") -> list[str]:
    ratio = contest.ratio("tutorial", ours)
    spread = f"{times(ratio.value)} ({ratio.low:.2f} to {ratio.high:.2f})"
    return [what, seconds(contest.median(ours)), seconds(contest.median("tutorial")), spread]


def steps_of_stoker(notes: Sequence[dict[str, Any]], starts: Sequence[dict[str, float]]) -> dict[str, float]:
    """Medians of the steps of `stoker train`: those of its runs, with what lies before and in the first epoch apart.

    Args:
        notes: What `_stoker` gave.
        starts: What `commands.start` gave: the beginning of the training process, measured by itself.
    """
    steps, start = _medians([note["phases"] for note in notes]), _medians(starts)
    programs = median(note["programs"] for note in notes)
    ready = steps.pop("process, import, data, model")
    epochs = steps.pop("epochs")
    known = {
        "command line and checks": steps.pop("command line and checks"),
        "import of TensorFlow and Keras": start["import"],
        "data": start["data"],
        "build": start["build"],
    }
    rest = ready - start["import"] - start["data"] - start["build"]
    return known | {"rest of the start": rest, "compiled programs": programs, "epochs": epochs - programs, **steps}


def _medians(found: Sequence[dict[str, float]]) -> dict[str, float]:
    return {step: median(steps[step] for steps in found) for step in found[0]}


def _steps(name: str, steps: dict[str, float]) -> list[list[str]]:
    """A row for each step of a command with 20 epochs."""
    cells = dict.fromkeys(_NAMES, "")
    return [
        [f"of {LONG} epochs, {name}: {step}", *(cells | {name: seconds(took)}).values(), ""]
        for step, took in steps.items()
    ]


def _notes() -> list[str]:
    return [
        f"{LONG_ROUNDS} rounds in turn with {LONG} epochs, {SHORT_ROUNDS} with one.",
        "Both run in the environment that `make setup` makes: TensorFlow, Keras and matplotlib, without JAX, whose "
        "presence would slow down the tutorial's import and not stoker's. The tutorial's script imports matplotlib as "
        "it needs it for its picture. Other trainers have an environment of their own.",
        "stoker keeps the programs that XLA has compiled and takes them up in a later run of the same model; where not "
        "said otherwise, an earlier run has left them.",
        "stoker's import, data and build are measured in a process of their own; the programs are what the first "
        "epoch takes longer than the others. stoker's picture is drawn by a process beside the training, so only the "
        "wait for it counts. Both write into a pipe, so no live display is drawn.",
    ]

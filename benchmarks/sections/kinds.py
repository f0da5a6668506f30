"""Whole commands on twelve kinds of model, and short runs: stoker must not be slower than the plain way."""

from __future__ import annotations

import sys
from pathlib import Path

from .. import commands
from ..bench import Bench
from ..contest import Contest, hold
from ..kinds import NAMES
from ..plain_fit import SETTINGS
from ..process import run
from ..section import Section, Target, seconds, times

TITLE = "Twelve kinds of model: whole commands, 6,000 images in batches of 50, with validation on 1,000"
EPOCHS, ROUNDS = (1, 3, 10), 3
STOKER = "stoker"
_HERE = Path(__file__).resolve().parents[1]


def measure(bench: Bench) -> Section:
    """Measures each kind with one, three and ten epochs; without `--full`, with three only."""
    commands.warm(bench)
    contests = {(kind, epochs): _contest(bench, kind, epochs) for kind in NAMES for epochs in _epochs(bench)}
    return Section(
        name="kinds",
        title=TITLE,
        columns=("model", "epochs", "stoker", "fit", "fit / stoker", "Keras' best", "its best / stoker"),
        rows=[_row(*what, contest) for what, contest in contests.items()],
        notes=[
            f"{ROUNDS} rounds in turn. stoker's cache is emptied before each, so that no compiled program is there.",
            "Keras' best: the fastest of its defaults, 32 steps in one execution, and the same compiled by XLA.",
            "Process start to exit: data, training, validation after each epoch, evaluation, saved model. stoker also "
            "writes checkpoints, the report and the picture.",
        ],
        targets=[
            Target(
                what=f"stoker's whole command, in plain fit's: {kind}, {epochs} epochs",
                measured=contest.ratio(STOKER, "fit").value,
                limit=1.05,
                least=False,
            )
            for (kind, epochs), contest in contests.items()
        ],
        data={f"{kind} {epochs}": contest.to_json() for (kind, epochs), contest in contests.items()},
    )


def _epochs(bench: Bench) -> tuple[int, ...]:
    return EPOCHS if bench.full else (3,)


def _contest(bench: Bench, kind: str, epochs: int) -> Contest:
    data = bench.corpus.part(6000, 1000)

    def once(name: str) -> list[float]:
        if name == STOKER:
            commands.forget_programs(bench)
            model = f"{_HERE / 'kinds.py'}:{kind}"
            words = ["--model", model, "--data-folder", str(data), "--epochs", str(epochs)]
            return [commands.stoker(bench, *words)[0].seconds]
        words = [kind, "--data", str(data), "--epochs", str(epochs), "--setting", name]
        output = bench.work / "plain.keras"
        return [run([sys.executable, _HERE / "plain_fit.py", *words, "--output", output], bench.work).seconds]

    return hold((STOKER, *SETTINGS), ROUNDS, once)


def _row(kind: str, epochs: int, contest: Contest) -> list[str]:
    best = min((name for name in contest.rounds if name != STOKER), key=contest.median)
    return [
        kind.replace("_", " "),
        str(epochs),
        seconds(contest.median(STOKER)),
        seconds(contest.median("fit")),
        times(contest.ratio("fit", STOKER).value),
        f"{best}, {seconds(contest.median(best))}",
        times(contest.ratio(best, STOKER).value),
    ]

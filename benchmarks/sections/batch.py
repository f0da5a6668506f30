"""Epoch time from batch 50 to batch 4,096."""

from __future__ import annotations

from typing import Any

from ..bench import Bench
from ..contest import Contest, hold
from ..peer import load
from ..section import Section, seconds, times

TITLE = "Batch size: one epoch of 60,000 images, with validation"
NAMES = ("stoker_train", "keras_fit", "keras_jit")
SIZES = (50, 128, 512, 4096)
ROUNDS, EPOCHS = 1, 4


def measure(bench: Bench) -> Section:
    """Measures each size in turn, and for each size the contenders in turn."""
    rounds = 2 * ROUNDS if bench.full else ROUNDS
    contests = {size: hold(NAMES, rounds, lambda name, size=size: _epochs(bench, name, size)) for size in SIZES}  # type: ignore[misc]
    titles = {name: load(name).TITLE for name in NAMES}
    return Section(
        name="batch",
        title=TITLE,
        columns=("batch size", *titles.values(), "tutorial / stoker", "best setting / stoker"),
        rows=[_row(size, contest) for size, contest in contests.items()],
        notes=[f"For each size, {EPOCHS - 1} epochs of each in turn after one that is left out; rounds: {rounds}."],
        data={"titles": titles, "seconds": {str(size): _medians(contest) for size, contest in contests.items()}},
    )


def _epochs(bench: Bench, name: str, size: int) -> list[float]:
    (laps,) = bench.train(name, bench.corpus.whole(), epochs=EPOCHS, batch_sizes=[size])
    return laps.warm_s


def _medians(contest: Contest) -> dict[str, Any]:
    return {name: round(contest.median(name), 4) for name in contest.rounds}


def _row(size: int, contest: Contest) -> list[str]:
    ratios = [times(contest.ratio(name, NAMES[0]).value) for name in NAMES[1:]]
    return [f"{size:,}", *(seconds(contest.median(name)) for name in NAMES), *ratios]

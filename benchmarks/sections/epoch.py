"""Epoch time at the tutorial's settings, against other ways to train the same network."""

from __future__ import annotations

from ..bench import Bench
from ..contest import ContenderError, Contest, hold
from ..peer import load
from ..section import Section, Target, seconds, times

TITLE = "Epoch: 60,000 images in batches of 50, validation on 10,000"
STOKER, TUTORIAL, SCAN = "stoker_train", "keras_fit", "jax_scan"
NAMES = (
    STOKER,
    TUTORIAL,
    "keras_jit",
    "keras_jax",
    SCAN,
    "numpy_hand",
    "torch_eager",
    "torch_compile",
    "lightning_trainer",
    "sklearn_mlp",
)
ROUNDS, EPOCHS = 3, 3
LEAST_ACCURACY = 0.96


def measure(bench: Bench) -> Section:
    """Measures all contenders that are installed."""
    versions = {name: bench.versions(name) for name in NAMES}
    missing = {name: [package for package, number in found.items() if not number] for name, found in versions.items()}
    contest = hold((name for name in NAMES if not missing[name]), ROUNDS, lambda name: epochs(bench, name))
    absent = {name: f"{' and '.join(lacks)} not installed" for name, lacks in missing.items() if lacks} | contest.failed
    notes = [f"{load(name).TITLE}: {load(name).DIFFERS}." for name in contest.rounds]
    notes += [f"{load(name).TITLE} is missing: {reason}." for name, reason in absent.items()]
    return Section(
        name="epoch",
        title=TITLE,
        columns=("who", "one epoch", "the tutorial's fit takes", "stoker is faster by", "with"),
        rows=[_row(contest, name, versions[name]) for name in sorted(contest.rounds, key=contest.median)],
        notes=[f"{ROUNDS} rounds in turn, {EPOCHS - 1} epochs each after one that is left out.", *notes],
        targets=targets(contest),
        data={**contest.to_json(), "titles": {name: load(name).TITLE for name in contest.rounds}, "missing": absent},
    )


def epochs(bench: Bench, name: str) -> list[float]:
    """Seconds of a contender's epochs after the first; it must have learnt something."""
    (laps,) = bench.train(name, bench.corpus.whole(), epochs=EPOCHS)
    if laps.accuracy < LEAST_ACCURACY:
        raise ContenderError(f"its accuracy is {laps.accuracy:.3f} after {EPOCHS} epochs, below {LEAST_ACCURACY}")
    return laps.warm_s


def targets(contest: Contest) -> list[Target]:
    """What stoker's epoch was to reach."""
    if not {STOKER, TUTORIAL} <= set(contest.rounds):
        return []
    found = [_target(contest, TUTORIAL, 4.5, "the tutorial's epoch, in stoker's")]
    if SCAN in contest.rounds:
        found.append(_target(contest, SCAN, 1.2, "the epoch of JAX's scan, in stoker's"))
    others = set(contest.rounds) - {STOKER, TUTORIAL}
    if others:
        nearest = min(others, key=lambda name: contest.ratio(name, STOKER).value)
        found.append(_target(contest, nearest, 1.0, f"the nearest other's epoch ({load(nearest).TITLE}), in stoker's"))
    return found


def _target(contest: Contest, name: str, limit: float, what: str) -> Target:
    return Target(what=what, measured=contest.ratio(name, STOKER).value, limit=limit, least=True)


def _row(contest: Contest, name: str, versions: dict[str, str]) -> list[str]:
    against = contest.ratio(name, STOKER)
    spread = "" if name == STOKER else f"{times(against.value)} ({against.low:.2f} to {against.high:.2f})"
    tutorial = "" if name == TUTORIAL else f"{times(contest.ratio(TUTORIAL, name).value)} as long"
    numbers = ", ".join(f"{package} {number}" for package, number in versions.items())
    return [load(name).TITLE, seconds(contest.median(name)), tutorial, spread, numbers]

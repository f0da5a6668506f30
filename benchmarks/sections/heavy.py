"""Models that compute a lot: where little time is lost between steps, stoker must not be slower."""

from __future__ import annotations

from ..bench import Bench
from ..contest import Contest, hold
from ..peer import load
from ..section import Section, Target, seconds, times

TITLE = "Models that compute a lot: one epoch of 6,144 images, with validation on 1,000"
STOKER = "stoker_fit"
CONTESTS = {
    "three layers of 2,048, batch 512": ("wide", 512, (STOKER, "keras_graph", "keras_jit")),
    "convolutional net, batch 128": ("conv", 128, (STOKER, "keras_graph")),
}
"""What: network, batch size, contenders. XLA has slow convolutions on a CPU, so Keras' best setting there has none."""
ROUNDS, EPOCHS = 2, 4


def measure(bench: Bench) -> Section:
    """Measures both models."""
    contests = {what: _contest(bench, *terms) for what, terms in CONTESTS.items()}
    return Section(
        name="heavy",
        title=TITLE,
        columns=("model", "who", "one epoch", "the shortest", "shortest, in stoker's"),
        rows=[_row(what, contest, name) for what, contest in contests.items() for name in contest.rounds],
        notes=[
            f"{ROUNDS} rounds in turn, {EPOCHS - 1} epochs each after one that is left out.",
            "Both without checkpoints: `train` writes one after each epoch, a large file after what is a tenth of an "
            "epoch here, and is slower by that.",
            "The shortest epochs are compared here: some of Keras' epochs take twice as long while the processor "
            "is idle, which would flatter stoker.",
        ],
        targets=[
            Target(
                what=f"stoker's epoch, in that of Keras' best setting: {what}",
                measured=contest.shortest(STOKER) / contest.shortest(best(contest)),
                limit=1.05,
                least=False,
            )
            for what, contest in contests.items()
        ],
        data={what: contest.to_json() for what, contest in contests.items()},
    )


def best(contest: Contest) -> str:
    """The fastest of Keras' own settings, at its fastest."""
    return min((name for name in contest.rounds if name != STOKER), key=contest.shortest)


def _contest(bench: Bench, network: str, batch_size: int, names: tuple[str, ...]) -> Contest:
    data = bench.corpus.part(6144, 1000)

    def epochs(name: str) -> list[float]:
        return bench.train(name, data, epochs=EPOCHS, batch_sizes=[batch_size], network=network)[0].warm_s

    return hold(names, ROUNDS, epochs)


def _row(what: str, contest: Contest, name: str) -> list[str]:
    shortest = contest.shortest(name)
    ratio = "" if name == STOKER else times(shortest / contest.shortest(STOKER))
    return [what, load(name).TITLE, seconds(contest.median(name)), seconds(shortest), ratio]

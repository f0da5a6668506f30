"""A contest: contenders measured in turn, A B C A B C, so that a machine that slows down does so for all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

Seconds = Sequence[float]


class ContenderError(Exception):
    """A contender could not be measured; the text says why, in one line."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ratio:
    """How many times as long one contender takes as another.

    Attributes:
        value: The median over the rounds.
        low: The least of all rounds.
        high: The most.
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Contest:
    """What a contest gave.

    Attributes:
        rounds: For each contender, what it measured in each round; all have as many rounds.
        failed: Contenders that could not be measured, and why.
    """

    rounds: Mapping[str, Sequence[Seconds]]
    failed: dict[str, str]

    def median(self, name: str) -> float:
        """The median of all that a contender measured."""
        return median(value for values in self.rounds[name] for value in values)

    def shortest(self, name: str) -> float:
        """The least that a contender measured: what it takes when nothing disturbs it."""
        return min(value for values in self.rounds[name] for value in values)

    def ratio(self, name: str, other: str) -> Ratio:
        """How many times as long `name` takes as `other`; each round is compared with itself alone."""
        pairs = zip(self.rounds[name], self.rounds[other], strict=True)
        ratios = [median(one) / median(two) for one, two in pairs]
        return Ratio(value=median(ratios), low=min(ratios), high=max(ratios))

    def to_json(self) -> dict[str, Any]:
        """The measurements as JSON values."""
        rounds = {
            name: [[round(value, 4) for value in values] for values in rows] for name, rows in self.rounds.items()
        }
        return {"rounds": rounds, "failed": dict(self.failed)}


def hold(names: Iterable[str], rounds: int, measure: Callable[[str], Seconds]) -> Contest:
    """Measures contenders in turn.

    Args:
        names: The contenders.
        rounds: How often it is each one's turn.
        measure: Measures one once; a `ContenderError` takes that one out of the contest.
    """
    measured: dict[str, list[Seconds]] = {name: [] for name in names}
    failed: dict[str, str] = {}
    for _ in range(rounds):
        for name in list(measured):
            try:
                measured[name].append(measure(name))
            except ContenderError as error:
                failed[name] = str(error)
                del measured[name]
    return Contest(rounds=measured, failed=failed)

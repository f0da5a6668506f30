"""What a section of the benchmarks found: a table, remarks, targets, and the measurements themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """What was to be reached.

    Attributes:
        what: In words.
        measured: What was measured.
        limit: What it should be.
        least: Whether the limit is the least that it should be; else it is the most.
        unit: Of both.
    """

    what: str
    measured: float
    limit: float
    least: bool
    unit: str = "×"

    @property
    def met(self) -> bool:
        """Whether it was reached."""
        return self.measured >= self.limit if self.least else self.measured <= self.limit


@dataclass(frozen=True, kw_only=True, slots=True)
class Section:
    """One section.

    Attributes:
        name: Its word on the command line.
        title: Its heading.
        columns: The heads of the table.
        rows: The cells, as texts.
        notes: Sentences below the table.
        targets: What was to be reached.
        data: The measurements, as JSON values.
    """

    name: str
    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()
    targets: Sequence[Target] = ()
    data: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The section as JSON values."""
        targets = [asdict(target) | {"met": target.met} for target in self.targets]
        return asdict(self) | {"targets": targets}


def seconds(value: float) -> str:
    """A time for people: three digits."""
    if value < 0.1:
        return f"{value * 1000:.3g} ms"
    return f"{value:.2f} s" if value < 10 else f"{value:.1f} s"


def times(value: float) -> str:
    """A ratio for people."""
    return f"{value:.2f}×"


def megabytes(size_bytes: float) -> str:
    """A size for people."""
    return f"{size_bytes / 1e6:,.0f} MB"

"""What happens in a run: events for observers, and the log line of an epoch that any terminal can show.

The log is the one channel that every backend has, so the line of an epoch is written to be read by people and by
`EpochReport.parse` alike; whatever display there is, near or far, is made from it.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

__all__ = ["EventKind", "RunEvent"]

_FINAL = re.compile(r"(Final test [a-z0-9_ ]+): ([-+.\dainfe]+)")


class EventKind(StrEnum):
    """The kinds of events, in the order in which a run has them."""

    SUBMITTED = "submitted"
    STARTED = "started"
    EPOCH = "epoch"
    CHECKPOINTED = "checkpointed"
    FINISHED = "finished"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, kw_only=True, slots=True)
class RunEvent:
    """Something that happened to a run; one line of `events.jsonl`.

    Attributes:
        kind: What happened.
        run_id: To which run: the name of its folder.
        time_s: When, in seconds since 1970 (UTC).
        data: More about it, JSON values: for an epoch, its number and figures; for a failure, the message.
    """

    kind: EventKind
    run_id: str
    time_s: float = field(default_factory=time.time)
    data: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Returns the event as JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> RunEvent:
        """Returns the event that `to_json` wrote.

        Raises:
            KeyError, TypeError, ValueError, OverflowError: It is not such a value.
        """
        return cls(
            kind=EventKind(value["kind"]),
            run_id=str(value["run_id"]),
            time_s=float(value["time_s"]),
            data=dict(value["data"]),
        )


_LINE = re.compile(r"epoch +(\d+)/(\d+)((?: {2}\S+ [-+.\dainfe]+)*)  ([\d.]+) s")
_FIGURE = re.compile(r" {2}(\S+) ([-+.\dainfe]+)")


@dataclass(frozen=True, kw_only=True, slots=True)
class EpochReport:
    """The figures of a finished epoch.

    Attributes:
        epoch: Its number, counted from 1.
        epochs: How many there will be.
        metrics: Keras' names and values: `loss`, `accuracy`, `val_loss`, `val_accuracy`, …
        seconds: How long it took, validation included.
    """

    epoch: int
    epochs: int
    metrics: Mapping[str, float]
    seconds: float

    def line(self) -> str:
        """The line of the log, without its newline: `epoch  3/20  loss 0.0512  val_loss 0.0789  0.36 s`."""
        figures = "".join(f"  {'_'.join(name.split())} {_figure(value)}" for name, value in self.metrics.items())
        return f"epoch {self.epoch:>{len(str(self.epochs))}}/{self.epochs}{figures}  {self.seconds:.2f} s"

    @classmethod
    def parse(cls, line: str) -> EpochReport | None:
        """The report that `line()` wrote (figures rounded as they were written); None for any other line."""
        match = _LINE.fullmatch(line)
        if not match:
            return None
        try:
            metrics = {name: float(value) for name, value in _FIGURE.findall(match[3])}
            return cls(epoch=int(match[1]), epochs=int(match[2]), metrics=metrics, seconds=float(match[4]))
        except ValueError:
            return None


def _figure(value: float) -> str:
    return f"{value:.4f}" if value == 0 or 1e-3 <= abs(value) < 1e6 else f"{value:.3e}"


def final_figures(lines: Iterable[str]) -> dict[str, str]:
    """The final figures that a log tells, by name, as they stand there."""
    return {match[1]: match[2] for match in map(_FINAL.fullmatch, lines) if match}

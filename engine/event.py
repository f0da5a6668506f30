"""What happens in a run: events, which observers see and `events.jsonl` keeps."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from .status import RunState

__all__ = ["EventKind", "RunEvent"]


class EventKind(StrEnum):
    """The kinds of events, in the order in which a run has them."""

    SUBMITTED = "submitted"
    STARTED = "started"
    EPOCH = "epoch"
    CHECKPOINTED = "checkpointed"
    FINISHED = "finished"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def end_state(self) -> RunState | None:
        """The state of a run that has ended with this event; None if it goes on after it."""
        return _END_STATES.get(self)


_END_STATES = {
    EventKind.FINISHED: RunState.COMPLETED,
    EventKind.FAILED: RunState.FAILED,
    EventKind.CANCELLED: RunState.CANCELLED,
}


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

"""How a run is doing (`RunStatus`) and how it is found again (`Handle`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any
from urllib.parse import quote, unquote

from .errors import InputError

__all__ = ["Handle", "Progress", "RunState", "RunStatus"]


class RunState(StrEnum):
    """The state of a run; states only move forward, except that a preemption goes back to QUEUED."""

    QUEUED = "queued"
    PREPARING = "preparing"
    RUNNING = "running"
    FINALIZING = "finalizing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    LOST = "lost"

    @property
    def ended(self) -> bool:
        """Whether the run has ended: COMPLETED, FAILED, CANCELLED or LOST."""
        return self in {RunState.COMPLETED, RunState.FAILED, RunState.CANCELLED, RunState.LOST}


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """How far the training has come.

    Attributes:
        epoch: The epoch that runs, counted from 1.
        epochs: How many there will be.
        step: Batches done in this epoch.
        steps: Batches of an epoch.
        metrics: The running figures of this epoch (`loss`, `accuracy`, …).
        step_rate: Batches a second, 0.0 if unknown.
    """

    epoch: int
    epochs: int
    step: int
    steps: int
    metrics: Mapping[str, float] = field(default_factory=dict)
    step_rate: float = 0.0

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Progress:
        """Returns the progress that a status holds; ignores fields that this version doesn't know.

        Raises:
            KeyError, TypeError, ValueError, OverflowError: It is not such a value.
        """
        return cls(
            epoch=int(value["epoch"]),
            epochs=int(value["epochs"]),
            step=int(value["step"]),
            steps=int(value["steps"]),
            metrics={str(name): float(figure) for name, figure in dict(value["metrics"]).items()},
            step_rate=float(value["step_rate"]),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class RunStatus:
    """What a backend knows about a run at one moment.

    Attributes:
        state: The state.
        attempt: 1, and one more for each time that the run was started again.
        message: The reason, for people: the error of a failed run, what a queued one waits for. May be "".
        progress: How far it has come, if the backend knows.
    """

    state: RunState
    attempt: int = 1
    message: str = ""
    progress: Progress | None = None

    def to_json(self) -> dict[str, Any]:
        """Returns the status as JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> RunStatus:
        """Returns the status that `to_json` wrote; ignores fields that this version doesn't know.

        Raises:
            KeyError, TypeError, ValueError, OverflowError: It is not such a value.
        """
        progress = value.get("progress")
        return cls(
            state=RunState(value["state"]),
            attempt=int(value.get("attempt", 1)),
            message=str(value.get("message", "")),
            progress=Progress.from_json(progress) if progress else None,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Handle:
    """Finds a run again, from any process on any day: `local:///home/me/runs/20261124-…`.

    Attributes:
        backend: The name of the backend, which is the scheme of the text form.
        reference: What that backend needs to find the run; any text.
    """

    backend: str
    reference: str

    def __str__(self) -> str:
        """Returns the text form, with special characters of the reference percent-encoded."""
        return f"{self.backend}://{quote(self.reference, errors='surrogateescape')}"

    @classmethod
    def parse(cls, text: str) -> Handle:
        """Returns the handle that `str(handle)` wrote.

        Raises:
            InputError: It is no handle.

        Example:
            >>> handle = Handle.parse("local:///home/me/my%20runs/20261124-1")
            >>> handle.backend, handle.reference
            ('local', '/home/me/my runs/20261124-1')
        """
        backend, separator, reference = text.partition("://")
        if not separator or not backend or not reference:
            raise InputError("not a handle of a run", received=repr(text), expected="BACKEND://REFERENCE")
        return cls(backend=backend, reference=unquote(reference, errors="surrogateescape"))

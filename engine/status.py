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
    """Where a run stands; states only move forward, but for a preemption, which goes back to QUEUED."""

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
        """Whether nothing more will come from this run."""
        return self in {RunState.COMPLETED, RunState.FAILED, RunState.CANCELLED, RunState.LOST}


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """How far the training is.

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
        """The progress as a status holds it; fields that this version doesn't know are left out.

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
        state: Where it stands.
        attempt: 1, and one more for each time that it was started anew.
        message: Why, for a person: the error of a failed run, what a queued one waits for. May be "".
        progress: How far it is, where the backend can tell.
    """

    state: RunState
    attempt: int = 1
    message: str = ""
    progress: Progress | None = None

    def to_json(self) -> dict[str, Any]:
        """The status as JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> RunStatus:
        """The status that `to_json` wrote; fields that this version doesn't know are left out.

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
        """The text form; special characters of the reference are percent-encoded."""
        return f"{self.backend}://{quote(self.reference, errors='surrogateescape')}"

    @classmethod
    def parse(cls, text: str) -> Handle:
        """The handle that `str(handle)` wrote.

        Raises:
            InputError: It is no handle.
        """
        backend, separator, reference = text.partition("://")
        if not separator or not backend or not reference:
            raise InputError("not a handle of a run", received=repr(text), expected="BACKEND://REFERENCE")
        return cls(backend=backend, reference=unquote(reference, errors="surrogateescape"))

"""What a finished run comes to, in a few lines: `summary.json`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from .backend import ModelVersion

__all__ = ["RunSummary"]


@dataclass(frozen=True, kw_only=True, slots=True)
class RunSummary:
    """The end of a run that finished.

    Attributes:
        metrics: The final figures by their names in `metrics.jsonl`: {"Final test loss": 0.1386, …}.
        epochs: How many epochs were trained, those before a resume included.
        model: Where the model is, relative to the folder of the run.
        registered: Under which name and version it is in the registry: {"name": …, "version": …}; {} if it is not.
    """

    metrics: Mapping[str, float]
    epochs: int
    model: str = "outputs/model"
    registered: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, metrics: Mapping[str, float], epochs: int, version: ModelVersion | None = None) -> RunSummary:
        """Sums a run up.

        Args:
            metrics: Its final figures.
            epochs: How many epochs were trained.
            version: What its model was registered as; None if it was not.
        """
        summary = cls(metrics=metrics, epochs=epochs)
        return summary.registered_as(version) if version else summary

    def registered_as(self, version: ModelVersion) -> RunSummary:
        """Returns the summary of the same run, with its model registered as a version."""
        return replace(self, registered={"name": version.name, "version": version.version})

    def to_json(self) -> dict[str, Any]:
        """Returns the summary as JSON values; `registered` is there only if the model was registered."""
        value = {"metrics": dict(self.metrics), "epochs": self.epochs, "model": self.model}
        return value | ({"registered": dict(self.registered)} if self.registered else {})

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> RunSummary:
        """Reads the summary that `to_json` wrote.

        Raises:
            KeyError, TypeError, ValueError, OverflowError: It is not such a value.
        """
        return cls(
            metrics={str(name): float(figure) for name, figure in dict(value["metrics"]).items()},
            epochs=int(value["epochs"]),
            model=str(value["model"]),
            registered=dict(value.get("registered", {})),
        )

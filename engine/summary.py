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
        not_finite_weights: How many weights of the model are NaN or infinite; its figures need not show that.
    """

    metrics: Mapping[str, float]
    epochs: int
    model: str = "outputs/model"
    registered: Mapping[str, Any] = field(default_factory=dict)
    not_finite_weights: int = 0

    @property
    def not_finite(self) -> str:
        """What speaks against using the model: losses and weights that are NaN or infinite; "" if all are numbers."""
        from .metrics import not_finite_losses  # late, for `--help` is quick without

        losses = [f"its {name.lower()} is {value}" for name, value in not_finite_losses(self.metrics).items()]
        count = self.not_finite_weights
        return ", ".join([*losses, *([f"{count:,} of its weights are NaN or infinite"] if count else [])])

    def registered_as(self, version: ModelVersion) -> RunSummary:
        """Returns the summary of the same run, with its model registered as a version."""
        return replace(self, registered={"name": version.name, "version": version.version})

    def to_json(self) -> dict[str, Any]:
        """Returns the summary as JSON values; the last two are there only if they say something."""
        value = {"metrics": dict(self.metrics), "epochs": self.epochs, "model": self.model}
        more = {"registered": dict(self.registered), "not_finite_weights": self.not_finite_weights}
        return value | {name: said for name, said in more.items() if said}

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
            not_finite_weights=int(value.get("not_finite_weights", 0)),
        )

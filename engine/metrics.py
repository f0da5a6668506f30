"""Figures: what each is called, how its value is written, and the lines of a log that have them.

    Keras' name       of what                                   in `metrics.jsonl`
    loss              the training examples, during the epoch   Training loss
    val_loss          the validation after the epoch            Loss
    learning_rate     the optimizer, at the end of the epoch    Learning rate
    loss              the test set, at the end of the run       Final test loss

The log is the one channel that every backend has, so the line of an epoch is written to be read by people and by
`EpochReport.parse` alike; whatever display there is, near or far, is made from it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

__all__ = [
    "FINAL",
    "LEARNING_RATE",
    "TRAINING",
    "VALIDATION",
    "EpochReport",
    "epoch_name",
    "epoch_names",
    "final_figures",
    "final_name",
    "final_names",
    "format_value",
    "is_final",
    "is_training",
    "is_validation",
    "label",
    "not_finite_losses",
    "ordered",
    "validation",
]

VALIDATION = "val_"
"""How Keras begins the name of a figure of the validation."""
LEARNING_RATE = "learning_rate"
"""What Keras' callbacks call the learning rate of an epoch."""
TRAINING = "Training "
"""How a figure of the training examples begins in `metrics.jsonl`."""
FINAL = "Final test "
"""How a final figure begins, in `metrics.jsonl` and in the log."""

_FIRST = ("loss", "accuracy", f"{VALIDATION}loss", f"{VALIDATION}accuracy")
_LOSS = re.compile(r"(?:.*[_ ])?loss", re.IGNORECASE)
_VALUE = r"[-+.\dainfe]+"
_FINAL_LINE = re.compile(rf"({FINAL}[^:]+): ({_VALUE})")
_EPOCH_LINE = re.compile(rf"epoch +(\d+)/(\d+)((?: {{2}}\S+ {_VALUE})*)  ([\d.]+) s")
_FIGURE = re.compile(rf" {{2}}(\S+) ({_VALUE})")


def is_validation(name: str) -> bool:
    """Returns whether a figure is of the validation, by Keras' name."""
    return name.startswith(VALIDATION)


def is_training(name: str) -> bool:
    """Returns whether a figure of an epoch is of the training examples, by Keras' name."""
    return not is_validation(name) and name != LEARNING_RATE


def is_final(name: str) -> bool:
    """Returns whether a figure is one of the final ones, by its name in `metrics.jsonl`."""
    return name.startswith(FINAL)


def validation(figures: Mapping[str, float]) -> dict[str, float]:
    """Picks the figures of the validation.

    Args:
        figures: The figures of an epoch by Keras' names: `loss`, `val_loss`, …

    Returns:
        Those of the validation, by their names in an evaluation: `loss`, …
    """
    return {name.removeprefix(VALIDATION): value for name, value in figures.items() if is_validation(name)}


def epoch_name(name: str) -> str:
    """Translates Keras' name of a figure of an epoch into the tutorial's: `val_loss` is "Loss"."""
    plain = name.removeprefix(VALIDATION).replace("_", " ")
    return f"{TRAINING}{plain}" if is_training(name) else plain[:1].upper() + plain[1:]


def epoch_names(figures: Mapping[str, float]) -> dict[str, float]:
    """Translates Keras' names of the figures of an epoch into the tutorial's."""
    return {epoch_name(name): value for name, value in figures.items()}


def final_name(name: str) -> str:
    """Translates the name of a figure of the evaluation at the end: `loss` is "Final test loss"."""
    return FINAL + name.replace("_", " ")


def final_names(figures: Mapping[str, float]) -> dict[str, float]:
    """Translates the names of the figures of the evaluation at the end."""
    return {final_name(name): value for name, value in figures.items()}


def ordered(names: Iterable[str]) -> list[str]:
    """Puts Keras' names of figures in order, the well-known ones first."""
    given = list(names)
    return [name for name in _FIRST if name in given] + [name for name in given if name not in _FIRST]


def not_finite_losses(figures: Mapping[str, float]) -> dict[str, float]:
    """Picks the losses that are NaN or infinite; other figures may be that by their nature.

    Args:
        figures: Figures by Keras' names, or by those of `metrics.jsonl`.

    Example:
        >>> not_finite_losses({"d_loss": float("nan"), "val_loss": 0.5, "recall": float("nan")})
        {'d_loss': nan}
    """
    return {name: value for name, value in figures.items() if _LOSS.fullmatch(name) and not math.isfinite(value)}


def label(name: str) -> str:
    """Shortens Keras' name of a figure for a narrow place: `val_accuracy` is "val acc"."""
    return "lr" if name == LEARNING_RATE else name.replace("accuracy", "acc").replace("_", " ")


def format_value(value: float | None, name: str = "") -> str:
    """Writes a figure with four decimals, or in powers of ten where those would not do.

    Args:
        value: The figure; None is written as "-".
        name: Keras' name of it; a learning rate, which is often small and round, has up to four digits.
    """
    if value is None:
        return "-"
    if name == LEARNING_RATE:
        return f"{value:.4g}"
    return f"{value:.4f}" if value == 0 or 1e-3 <= abs(value) < 1e6 else f"{value:.3e}"


@dataclass(frozen=True, kw_only=True, slots=True)
class EpochReport:
    """The figures of a finished epoch.

    Attributes:
        epoch: Its number, counted from 1.
        epochs: How many there will be.
        metrics: Keras' names and values: `loss`, `accuracy`, `val_loss`, `val_accuracy`, …, `learning_rate`
        seconds: How long it took, validation included.
    """

    epoch: int
    epochs: int
    metrics: Mapping[str, float]
    seconds: float

    def line(self) -> str:
        """Returns the line of the log, without its newline: `epoch  3/20  loss 0.0512  val_loss 0.0789  0.36 s`."""
        figures = "".join(
            f"  {'_'.join(name.split())} {format_value(value, name)}" for name, value in self.metrics.items()
        )
        return f"epoch {self.epoch:>{len(str(self.epochs))}}/{self.epochs}{figures}  {self.seconds:.2f} s"

    @classmethod
    def parse(cls, line: str) -> EpochReport | None:
        """Reads the report that `line()` wrote (figures rounded as they were written); None for any other line."""
        match = _EPOCH_LINE.fullmatch(line)
        if not match:
            return None
        try:
            metrics = {name: float(value) for name, value in _FIGURE.findall(match[3])}
            return cls(epoch=int(match[1]), epochs=int(match[2]), metrics=metrics, seconds=float(match[4]))
        except ValueError:
            return None


def final_figures(lines: Iterable[str]) -> dict[str, str]:
    """Finds the final figures in the lines of a log: {name: value as it is written there}."""
    return {match[1]: match[2] for match in map(_FINAL_LINE.fullmatch, lines) if match}

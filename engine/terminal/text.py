"""Formats figures, times and lines of a log for a terminal."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

_FIRST = ("loss", "accuracy", "val_loss", "val_accuracy")
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[]PX^_].*?(?:\x07|\x1b\\)|[ -/]*[0-~])?")
_CONTROLS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def clean(text: str) -> str:
    """Makes a line safe for a terminal: no escape sequences, no control characters but tabs, no changes of direction.

    If carriage returns make a line overwrite itself, what remains at the end is returned.
    """
    text = _ESCAPES.sub("", text).rstrip("\r\n").rpartition("\r")[2]
    return _CONTROLS.sub("", text)


def ordered(names: Iterable[str]) -> list[str]:
    """Sorts names of metrics: the well-known ones first, the others as they are."""
    given = list(names)
    return [name for name in _FIRST if name in given] + [name for name in given if name not in _FIRST]


def label(name: str) -> str:
    """Returns what to call a metric: "val acc" for `val_accuracy`."""
    return name.replace("accuracy", "acc").replace("_", " ")


def figure(value: float | None) -> str:
    """Formats a metric's value with four decimals, or in powers of ten where those don't fit; "-" for None."""
    if value is None:
        return "-"
    return f"{value:.4f}" if value == 0 or 1e-3 <= abs(value) < 1e6 else f"{value:.2e}"


def rate(steps_per_s: float) -> str:
    """Formats a rate of steps; "" if it is unknown."""
    if not steps_per_s > 0:
        return ""
    return f"{steps_per_s:,.0f} steps/s" if steps_per_s >= 10 else f"{steps_per_s:.1f} steps/s"


def duration(seconds: float) -> str:
    """Formats a time in at most two units: "8 s", "3 min 20 s", "2 h 05 min"."""
    whole = math.ceil(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"

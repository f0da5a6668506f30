"""Rates, times and lines of a log as a terminal may show them."""

from __future__ import annotations

import math
import re

_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[]PX^_].*?(?:\x07|\x1b\\)|[ -/]*[0-~])?")
_CONTROLS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def clean(text: str) -> str:
    """Returns a line as a terminal may show it: no escape sequence, no control character but tabs, no other direction.

    Of a line that overwrites itself by carriage returns, it returns what stands there at last.
    """
    text = _ESCAPES.sub("", text).rstrip("\r\n").rpartition("\r")[2]
    return _CONTROLS.sub("", text)


def rate(steps_per_s: float) -> str:
    """Writes a rate of steps; "" if it is unknown."""
    if not steps_per_s > 0:
        return ""
    return f"{steps_per_s:,.0f} steps/s" if steps_per_s >= 10 else f"{steps_per_s:.1f} steps/s"


def duration(seconds: float) -> str:
    """Writes a time in at most two units: "8 s", "3 min 20 s", "2 h 05 min"."""
    whole = math.ceil(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"

"""The figures of a run for a line of a list or a page about it."""

from __future__ import annotations

from typing import Any

from ....engine.metrics import VALIDATION, epoch_name, final_name, format_value
from ....engine.rundir import RunDirectory


def last_figures(found: RunDirectory) -> dict[str, Any]:
    """Returns the last figures of a run: those of the final test, or of the last epoch; {} before there are any."""
    last = {line["name"]: line for line in found.metrics()}
    shown: dict[str, Any] = {"epochs": max(line["epoch"] for line in last.values())} if last else {}
    for name in ("accuracy", "loss"):
        line = last.get(final_name(name)) or last.get(epoch_name(VALIDATION + name))
        if line:
            shown[name] = line["value"]
    return shown


def rounded(shown: dict[str, Any]) -> dict[str, Any]:
    """Returns what is shown of a run with its figures as a person reads them."""
    return {name: format_value(value) if isinstance(value, float) else value for name, value in shown.items()}

"""`stoker runs list`: a line for each run, whatever state it or its record is in."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ....engine import strict_json
from ....engine.backend import Backend
from ....engine.command import command_line
from ....engine.errors import StokerError, StorageError
from ....engine.rundir import RunDirectory
from ....engine.runs.find import list_runs
from ....engine.status import RunStatus
from ....engine.terminal.text import visible
from .figures import last_figures, rounded

_LONGEST_REASON = 60
"""Characters of why a state is unknown, in a list."""
_UNKNOWN = "unknown"
"""The state of a run that could not be asked, or whose record is damaged."""


def list_all(runs_dir: Path, backend_of: Callable[[RunDirectory], Backend], *, as_json: bool) -> None:
    """Prints the runs below a folder, newest last.

    Args:
        runs_dir: The folder.
        backend_of: Returns the backend of a run.
        as_json: Whether to print a JSON array instead of a table.
    """
    rows = [{"run": found.run_id, **_row(found, backend_of)} for found in list_runs(runs_dir)]
    if as_json:
        print(strict_json.dumps(rows, indent=2))
    elif rows:
        shown = [rounded(row) | {"state": _state(row)} for row in rows]
        print(visible(_table(("run", "state", "epochs", "accuracy", "loss"), shown)))
    else:
        print(f"no runs in {runs_dir}; start one with: {command_line('train', runs_dir=runs_dir)}")


def _state(row: Mapping[str, Any]) -> str:
    """Returns the state in a row, and why it is unknown if it is."""
    state, why = str(row["state"]), str(row.get("message", "")).partition("\n")[0]
    if state != _UNKNOWN or not why:
        return state
    return f"{state} ({why if len(why) <= _LONGEST_REASON else f'{why[: _LONGEST_REASON - 1]}…'})"


def _row(found: RunDirectory, backend_of: Callable[[RunDirectory], Backend]) -> dict[str, Any]:
    """Returns what is shown of a run; one that is damaged or out of reach must not hide the others."""
    row: dict[str, Any] = {"state": _UNKNOWN}
    try:
        status = _status(found, backend_of(found))
        row = {"state": str(status.state), "message": status.message}
        return row | last_figures(found)
    except StokerError as error:
        return row | {"message": str(error)}


def _status(found: RunDirectory, backend: Backend) -> RunStatus:
    """Returns the status of a run; of a run elsewhere that was seen to end, nobody is asked again."""
    if backend.runs_here:
        return backend.status(found.handle())
    ended = found.end_by_events()
    if ended:
        return ended
    status = backend.status(found.handle())
    with contextlib.suppress(StorageError):  # whoever may look only, asks again next time
        found.append_end(status)
    return status


def _table(columns: Sequence[str], rows: Sequence[dict[str, Any]]) -> str:
    cells = [columns, *([str(row.get(column, "")) for column in columns] for row in rows)]
    widths = [max(len(line[index]) for line in cells) for index in range(len(columns))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells]
    return "\n".join(lines)

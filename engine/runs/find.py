"""Finds runs on this machine: all of a folder, or the one that a name means."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from ..command import command_line
from ..errors import InputError, UnknownNameError
from ..rundir import RunDirectory

_SHOWN = 5
"""Runs that an error names."""


def find_run(root: Path, name: str) -> RunDirectory:
    """Finds the run of that name: a run id, the start or end of one, a name from `--name`, a path, or "latest".

    Raises:
        UnknownNameError: There is none.
        InputError: There are several, or there is no run at all.
    """
    if name and _is_run(Path(name)):
        return RunDirectory(Path(name).resolve())
    runs = list(list_runs(root))
    if name == "latest" and runs:
        return runs[-1]
    exact = [run for run in runs if run.run_id == name]
    found = exact or [run for run in runs if name and (run.run_id.startswith(name) or run.run_id.endswith(name))]
    found = found or [run for run in runs if name and f"-{name}-" in run.run_id]
    if not runs:
        raise _no_runs(root, name)
    if not found:
        error = UnknownNameError(
            "run", name, _ids(runs), hint=f"`{command_line('runs', 'list', runs_dir=root)}` shows the runs in {root}"
        )
        error.expected = _one_of(runs)
        raise error
    if len(found) > 1:
        raise InputError(f"{len(found)} runs match {name!r}", expected=_one_of(found))
    return found[0]


def list_runs(root: Path) -> Iterable[RunDirectory]:
    """Lists the runs below `root`, oldest first.

    Raises:
        InputError: The folder can't be read.
    """
    try:
        folders = sorted(root.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise InputError(f"{root} can't be read", received=error.strerror, path=root) from error
    return [RunDirectory(path.resolve()) for path in folders if _is_run(path)]


def _no_runs(root: Path, name: str) -> InputError:
    """Returns the error for a folder without runs, which may also be the wrong folder for the name that was given."""
    hint = f"start one with `{command_line('train', runs_dir=root)}`, or name the folder of your runs with --runs-dir"
    if name == "latest":
        return InputError(f"there are no runs in {root}", hint=hint, path=root)
    return UnknownNameError("run", name, (), hint=f"there are no runs in {root}; {hint}")


def _is_run(folder: Path) -> bool:
    return os.path.isfile(folder / "job.json")  # noqa: PTH113 - Path.is_file raises for a name too long, a private folder


def _ids(runs: Iterable[RunDirectory]) -> list[str]:
    return [run.run_id for run in runs]


def _one_of(runs: Iterable[RunDirectory]) -> str:
    """Returns what is expected instead: the newest runs, and how many others there are."""
    ids = _ids(runs)
    more = f", … and {len(ids) - _SHOWN:,} more" if len(ids) > _SHOWN else ""
    return f"one of {', '.join(ids[-_SHOWN:])}{more}"

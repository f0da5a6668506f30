"""`stoker runs`: lists, shows, follows, cancels, fetches and adopts runs of any backend."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from ...engine.backend import AdoptingBackend, Backend
from ...engine.command import Command, Context
from ...engine.errors import InputError, StokerError
from ...engine.hookspecs import hookimpl
from ...engine.metrics import VALIDATION, epoch_name, final_name
from ...engine.rundir import RunDirectory, find_run, list_runs
from ...engine.status import RunState, RunStatus
from .follow import add_display_options, follow
from .target import known_place, place_of, set_options
from .train import add_runs_dir


@hookimpl
def stoker_commands() -> Iterable[Command]:
    """Offers the command."""
    return [Command(name="runs", summary="list, show, follow, cancel and fetch runs", add_options=add_options, run=run)]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds the sub-commands."""
    below = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    for name, summary in (
        ("list", "the runs, newest last"),
        ("show", "one run: how it stands, its figures, where its files are"),
        ("logs", "what a run has written"),
        ("attach", "watch a run until it ends"),
        ("cancel", "end a run; it can be resumed"),
        ("fetch", "copy the outputs of a run into a folder"),
        ("adopt", "make the folder of a run that another machine submitted"),
    ):
        child = below.add_parser(name, help=summary, description=summary)
        add_runs_dir(child)
        if name == "adopt":
            child.add_argument("run", metavar="RUN", help="the run's id where it runs")
            child.add_argument("--backend", required=True, metavar="NAME", help="where it runs")
        elif name != "list":
            child.add_argument(
                "run", nargs="?", default="latest", metavar="RUN", help="run id, part of one, path, or latest"
            )
        if name in {"list", "show"}:
            child.add_argument("--json", action="store_true", help="JSON instead of text")
        if name == "attach":
            add_display_options(child)
        if name == "logs":
            child.add_argument("-f", "--follow", action="store_true", help="go on until the run has ended")
        if name == "fetch":
            child.add_argument("--output", type=Path, required=True, metavar="DIR", help="replaced if it exists")


def run(options: argparse.Namespace, context: Context) -> int:
    """Does what the sub-command says."""
    if options.action == "list":
        return _list(options, context)
    if options.action == "adopt":
        return _adopt(options, context)
    found = find_run(options.runs_dir, options.run)
    return _ACTIONS[options.action](found, _backends(context)(found), options)


def _backends(context: Context) -> Callable[[RunDirectory], Backend]:
    """Gives what makes the backend of a run; runs of one place share theirs, and with it what it has learnt."""
    options, made = set_options(context), dict[str, Backend]()

    def backend_of(found: RunDirectory) -> Backend:
        place = known_place(found, options)
        if repr(place) not in made:
            made[repr(place)] = context.plugins.get_backend(*place)
        return made[repr(place)]

    return backend_of


def _list(options: argparse.Namespace, context: Context) -> int:
    rows, backend_of = [], _backends(context)
    for found in list_runs(options.runs_dir):
        status = _status(found, backend_of)
        rows.append({"run": found.run_id, "state": str(status.state), **_figures(found), "message": status.message})
    if options.json:
        print(json.dumps(rows, indent=2))
    elif rows:
        print(_table(("run", "state", "epochs", "accuracy", "loss"), rows))
    else:
        print(f"no runs in {options.runs_dir}; start one with: stoker train")
    return 0


def _status(found: RunDirectory, backend_of: Callable[[RunDirectory], Backend]) -> RunStatus:
    try:
        return backend_of(found).status(found.handle())
    except StokerError as error:  # one run that can't be asked must not hide the others
        return RunStatus(state=RunState.LOST, message=error.what)


def _figures(found: RunDirectory) -> dict[str, Any]:
    """The last figures of a run: those of the test at its end, or of its last epoch."""
    last = {line["name"]: line for line in found.metrics()}
    shown: dict[str, Any] = {"epochs": max((line["epoch"] for line in last.values()), default=0)}
    for name in ("accuracy", "loss"):
        line = last.get(final_name(name)) or last.get(epoch_name(VALIDATION + name))
        if line:
            shown[name] = round(line["value"], 4)
    return shown


def _table(columns: Sequence[str], rows: Sequence[dict[str, Any]]) -> str:
    cells = [columns, *([str(row.get(column, "")) for column in columns] for row in rows)]
    widths = [max(len(line[index]) for line in cells) for index in range(len(columns))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells]
    return "\n".join(lines)


def _show(found: RunDirectory, backend: Backend, options: argparse.Namespace) -> int:
    status = backend.status(found.handle())
    value = {
        "run": found.run_id,
        "state": str(status.state),
        "attempt": status.attempt,
        "message": status.message,
        "folder": str(found.path),
        "handle": str(found.handle()),
        "job": found.job().to_json(),
        **_figures(found),
    }
    if options.json:
        print(json.dumps(value, indent=2))
        return 0
    job = value.pop("job")
    value |= {name: job[name] for name in ("dataset", "data_folder", "model", "batch_size", "learning_rate", "seed")}
    width = max(len(name) for name in value)
    for name, entry in value.items():
        if entry != "":
            print(f"{name.replace('_', ' '):<{width}}  {entry}")
    for path in sorted(path for path in found.outputs.rglob("*") if path.is_file()):
        print(f"{'file':<{width}}  {path}  ({path.stat().st_size:,} bytes)")
    return 0


def _logs(found: RunDirectory, backend: Backend, options: argparse.Namespace) -> int:
    for piece in backend.logs(found.handle(), 0, follow=options.follow):
        sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()
    return 0


def _cancel(found: RunDirectory, backend: Backend, options: argparse.Namespace) -> int:
    started = time.monotonic()
    before = backend.status(found.handle()).state
    backend.cancel(found.handle())
    state = backend.status(found.handle()).state
    if before.ended:
        print(f"{found.run_id} had ended already: {state}")
    else:
        print(f"{found.run_id} is {state} ({time.monotonic() - started:.1f} s)")
    return 0


def _fetch(found: RunDirectory, backend: Backend, options: argparse.Namespace) -> int:
    manifest = backend.fetch(found.handle(), options.output)
    print(f"{len(manifest.files)} files in {options.output}, each checked by its SHA-256")
    return 0


def _adopt(options: argparse.Namespace, context: Context) -> int:
    place = place_of(set_options(context), options.backend)
    backend = context.plugins.get_backend(*place)
    if not isinstance(backend, AdoptingBackend):
        raise InputError(f"the backend {options.backend!r} does not find runs by their ids")
    found = backend.adopt(options.run)
    if (options.runs_dir / found.run_id).exists():
        hint = f"watch it with: stoker runs attach {found.run_id}"
        raise InputError(f"the run {found.run_id} has its folder already", hint=hint)
    run = RunDirectory.create(options.runs_dir, found.job, found.run_id)
    run.write_place(*place)
    run.write_handle(found.handle)
    print(f"adopted {run.run_id}\nwatch it with: stoker runs attach {run.run_id}")
    return 0


_ACTIONS: dict[str, Callable[[RunDirectory, Backend, argparse.Namespace], int]] = {
    "show": _show,
    "logs": _logs,
    "attach": follow,
    "cancel": _cancel,
    "fetch": _fetch,
}

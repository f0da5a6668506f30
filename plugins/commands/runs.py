"""`stoker runs`: lists, shows, follows, cancels, fetches and adopts runs of any backend."""

from __future__ import annotations

import argparse
import codecs
import contextlib
import sys
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ...engine import strict_json
from ...engine.backend import AdoptingBackend, Backend, Manifest
from ...engine.command import Command, command_line
from ...engine.errors import BackendError, InputError, RunError, StokerError, StorageError, few
from ...engine.hookspecs import hookimpl
from ...engine.plugin.context import Context
from ...engine.rundir import RunDirectory
from ...engine.runs.find import find_run, list_runs
from ...engine.status import RunState, RunStatus
from ...engine.terminal.text import visible
from .backend_choice import choice_of, known_choice, plugin_defaults
from .follow import add_display_options, follow
from .train import add_runs_dir

_LONGEST_REASON = 60
"""Characters of why a state is unknown, in a list."""
_UNKNOWN = "unknown"
"""The state of a run that could not be asked, or whose record is damaged."""


@hookimpl
def stoker_commands() -> Iterable[Command]:
    """Offers the command `runs`."""
    return [
        Command(
            name="runs", summary="list, show, follow, cancel, fetch and adopt runs", add_options=add_options, run=run
        )
    ]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds the sub-commands."""
    below = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    for add in (_add_list, _add_show, _add_logs, _add_attach, _add_cancel, _add_fetch, _add_adopt):
        add(below)


def run(values: argparse.Namespace, context: Context) -> int:
    """Runs the sub-command."""
    run_action: Callable[[argparse.Namespace, Context], int] = values.run_action
    return run_action(values, context)


def _action(below: Any, name: str, summary: str, run_action: Callable[..., int]) -> argparse.ArgumentParser:
    """Adds the parser of a sub-command, with the folder of the runs."""
    child: argparse.ArgumentParser = below.add_parser(name, help=summary, description=summary)
    child.set_defaults(run_action=run_action)
    add_runs_dir(child)
    return child


def _action_on_run(
    below: Any, name: str, summary: str, act: Callable[[RunDirectory, Backend, argparse.Namespace], int]
) -> argparse.ArgumentParser:
    """Adds the parser of a sub-command about one run; `act` receives that run and its backend."""

    def run_action(values: argparse.Namespace, context: Context) -> int:
        found = find_run(values.runs_dir, values.run)
        return act(found, _backends(context)(found), values)

    child = _action(below, name, summary, run_action)
    child.add_argument("run", nargs="?", default="latest", metavar="RUN", help="run id, part of one, path, or latest")
    return child


def _add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="JSON instead of text")


def _backends(context: Context) -> Callable[[RunDirectory], Backend]:
    """Returns a function from a run to its backend; runs of one choice share theirs, and what it has learnt."""
    defaults, made = plugin_defaults(context), dict[str, Backend]()

    def backend_of(found: RunDirectory) -> Backend:
        choice = known_choice(found, defaults)
        if repr(choice) not in made:
            made[repr(choice)] = context.plugins.get_backend(choice)
        return made[repr(choice)]

    return backend_of


def _add_list(below: Any) -> None:
    _add_json(_action(below, "list", "list the runs, newest last", _list))


def _list(values: argparse.Namespace, context: Context) -> int:
    rows, backend_of = [], _backends(context)
    for found in list_runs(values.runs_dir):
        rows.append({"run": found.run_id, **_row(found, backend_of)})
    if values.json:
        print(strict_json.dumps(rows, indent=2))
    elif rows:
        shown = [_rounded(row) | {"state": _state(row)} for row in rows]
        print(visible(_table(("run", "state", "epochs", "accuracy", "loss"), shown)))
    else:
        print(f"no runs in {values.runs_dir}; start one with: {command_line('train', runs_dir=values.runs_dir)}")
    return 0


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
        return row | _figures(found)
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


def _figures(found: RunDirectory) -> dict[str, Any]:
    """Returns the last figures of a run: those of the final test, or of the last epoch."""
    from ...engine.metrics import VALIDATION, epoch_name, final_name

    last = {line["name"]: line for line in found.metrics()}
    shown: dict[str, Any] = {"epochs": max((line["epoch"] for line in last.values()), default=0)}
    for name in ("accuracy", "loss"):
        line = last.get(final_name(name)) or last.get(epoch_name(VALIDATION + name))
        if line:
            shown[name] = line["value"]
    return shown


def _rounded(shown: dict[str, Any]) -> dict[str, Any]:
    """Returns what is shown of a run with its figures as a person reads them."""
    from ...engine.metrics import format_value

    return {name: format_value(value) if isinstance(value, float) else value for name, value in shown.items()}


def _table(columns: Sequence[str], rows: Sequence[dict[str, Any]]) -> str:
    cells = [columns, *([str(row.get(column, "")) for column in columns] for row in rows)]
    widths = [max(len(line[index]) for line in cells) for index in range(len(columns))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells]
    return "\n".join(lines)


_ALWAYS = ("dataset", "data_folder", "model", "batch_size", "seed")
"""The settings of a job that are shown of each run."""
_ELSEWHERE = {*_ALWAYS, "schema", "name", "learning_rate", "epochs", "given", "options"}


def _add_show(below: Any) -> None:
    summary = "show one run: its state, its figures, where its files are"
    _add_json(_action_on_run(below, "show", summary, _show))


def _show(found: RunDirectory, backend: Backend, values: argparse.Namespace) -> int:
    status = backend.status(found.handle())
    value = {
        "run": found.run_id,
        "state": str(status.state),
        "attempt": status.attempt,
        "message": status.message,
        "folder": str(found.path),
        "handle": str(found.handle()),
        "job": found.job().to_json(),
        "trained": found.model_facts(),
        **_figures(found),
    }
    if values.json:
        print(strict_json.dumps(value, indent=2))
        return 0
    job, trained, value = value.pop("job"), value.pop("trained"), _rounded(value)
    value |= {name: job[name] for name in _ALWAYS}
    value |= _trained(trained) if trained else {"learning_rate": job["learning_rate"]}
    value |= _settings(job, trained.get("unused_options", ()) if trained else ())
    if value.get("epochs", job["epochs"]) != job["epochs"]:
        value["epochs"] = f"{value['epochs']} of {job['epochs']}"
    width = max(len(name) for name in value)
    for name, entry in value.items():
        if entry != "":
            print(visible(f"{name.replace('_', ' '):<{width}}  {entry}"))
    for path in sorted(path for path in found.outputs.rglob("*") if path.is_file()):
        print(visible(f"{'file':<{width}}  {path}  ({path.stat().st_size:,} bytes)"))
    return 0


def _settings(job: Mapping[str, Any], unused: Collection[str]) -> dict[str, Any]:
    """Returns the settings of a job that are not at their defaults, and the options of plugins that the model used."""
    from ...engine.job import TrainJob

    usual = {name: value for name, value in TrainJob().to_json().items() if name not in _ELSEWHERE}
    changed = {name: job[name] for name, value in usual.items() if job[name] != value}
    used = {name: value for name, value in job["options"].items() if name not in unused}
    options = {name: value for name, value in used.items() if value is not False and value != ""}
    return {name: "yes" if value is True else _in_words(value) for name, value in (changed | options).items()}


def _trained(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what a model is trained with, in a line each: its optimizer, its loss, its parameters."""
    optimizer, count = facts["optimizer"] or {}, facts["parameters"]
    own = {name: _in_words(one) for name, one in facts["optimizers"].items()}
    return {
        "optimizer": _in_words(optimizer or own),
        "learning_rate": _in_words(optimizer.get("learning_rate")),
        "loss function": _in_words(facts["loss"]),
        "parameters": f"{count['trainable']:,} trainable, {count['not_trainable']:,} not trainable",
    }


def _in_words(value: Any) -> str:
    """Returns a part of the configuration of Keras for a line: the class of an object, the members of a list."""
    if isinstance(value, Mapping) and "class" in value:
        return str(value["class"])
    if isinstance(value, Mapping):
        return _in_words([f"{name}: {_in_words(one)}" for name, one in value.items()])
    if isinstance(value, list):
        return ", ".join(map(_in_words, value))
    return "" if value is None else str(value)


def _add_logs(below: Any) -> None:
    child = _action_on_run(below, "logs", "print what a run has written", _logs)
    child.add_argument("-f", "--follow", action="store_true", help="continue until the run has ended")


def _logs(found: RunDirectory, backend: Backend, values: argparse.Namespace) -> int:
    decode = codecs.getincrementaldecoder("utf-8")("replace").decode
    for piece in backend.logs(found.handle(), 0, follow=values.follow):
        if sys.stdout.isatty():
            print("\r".join(map(visible, decode(piece).split("\r"))), end="", flush=True)
        else:
            sys.stdout.buffer.write(piece)
            sys.stdout.buffer.flush()
    return 0


def _add_attach(below: Any) -> None:
    add_display_options(_action_on_run(below, "attach", "watch a run until it ends", follow))


def _add_cancel(below: Any) -> None:
    _action_on_run(below, "cancel", "end a run, whose last checkpoint stays for a resume", _cancel)


def _cancel(found: RunDirectory, backend: Backend, values: argparse.Namespace) -> int:
    from ...engine.runs.collect import note_end

    started = time.monotonic()
    before = backend.status(found.handle()).state
    backend.cancel(found.handle())
    after = backend.status(found.handle())
    if before.ended:
        print(f"{found.run_id} had ended already: {after.state}")
    else:
        print(f"{found.run_id} is {after.state} ({time.monotonic() - started:.1f} s)")
        note_end(found, backend, after)
    return 0


_OUTPUT = "a new or empty folder, or one with an earlier copy of the outputs, which is replaced"


def _add_fetch(below: Any) -> None:
    child = _action_on_run(below, "fetch", "copy the outputs of a run into a folder", _fetch)
    child.add_argument("--output", type=Path, required=True, metavar="DIR", help=_OUTPUT)


def _fetch(found: RunDirectory, backend: Backend, values: argparse.Namespace) -> int:
    from ...engine.terminal.interrupt import interrupted_by_signals

    try:
        with interrupted_by_signals():  # else a folder of half of the files stays
            manifest = backend.fetch(found.handle(), values.output)
    except BackendError as error:
        raise _with_state(error, found, backend) from error
    count = len(manifest.files)
    print(f"{count} file{'' if count == 1 else 's'} in {values.output}, {_verified(manifest)}")
    for name, why in manifest.left_out.items():
        print(visible(f"error: the output {name!r} was left out: {why}"), file=sys.stderr)
    return 1 if manifest.left_out else 0


def _verified(manifest: Manifest) -> str:
    """Returns what is known of fetched files."""
    if not manifest.unverified:
        return "each compared with the original"
    return f"of which nothing could be compared for {few(manifest.unverified)}: no digest of the original is known"


def _with_state(error: BackendError, found: RunDirectory, backend: Backend) -> StokerError:
    """Returns the error of a backend with the state of the run, if it has not completed: that may well be why."""
    try:
        state = backend.status(found.handle()).state
    except StokerError:
        return error
    if state is RunState.COMPLETED:
        return error
    what = f"{error.what}: {found.run_id} is {state}"
    hint = f"`{found.command('runs', 'logs')}` shows why" if state.ended else error.hint
    return RunError(what, received=error.received, expected=error.expected, hint=hint, path=error.path)


def _add_adopt(below: Any) -> None:
    child = _action(below, "adopt", "create the folder of a run that another machine submitted", _adopt)
    child.add_argument("run", metavar="RUN", help="the run's id on its backend")
    child.add_argument("--backend", required=True, metavar="NAME", help="where it runs")


def _adopt(values: argparse.Namespace, context: Context) -> int:
    choice = choice_of(plugin_defaults(context), values.backend)
    backend = context.plugins.get_backend(choice)
    if not isinstance(backend, AdoptingBackend):
        raise InputError(f"the backend {values.backend!r} does not find runs by their ids")
    found = backend.adopt(values.run)
    if (values.runs_dir / found.run_id).exists():
        watch = command_line("runs", "attach", found.run_id, runs_dir=values.runs_dir)
        hint = f"watch it with: {watch}"
        raise InputError(f"the run {found.run_id} has its folder already", hint=hint)
    run = RunDirectory.create(values.runs_dir, found.job, found.run_id)
    run.write_backend_choice(choice)
    run.write_handle(found.handle)
    print(f"adopted {run.run_id}\nwatch it with: {run.command('runs', 'attach')}")
    return 0

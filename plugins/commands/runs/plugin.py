"""`stoker runs`: lists, shows, follows, cancels, fetches, registers and adopts runs of any backend."""

from __future__ import annotations

import argparse
import codecs
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from ....engine.backend import AdoptingBackend, Backend, Manifest
from ....engine.command import Command, command_line
from ....engine.errors import BackendError, InputError, RunError, StokerError, few
from ....engine.hookspecs import hookimpl
from ....engine.job import check_name
from ....engine.plugin.context import Context
from ....engine.rundir import RunDirectory
from ....engine.runs.find import find_run
from ....engine.status import RunState
from ....engine.terminal.text import visible
from ..backend_choice import choice_of, known_choice, plugin_defaults
from ..follow import add_display_options, follow
from ..train import add_runs_dir

_RUN = "run id, part of one, path, or latest"


@hookimpl
def stoker_commands() -> Iterable[Command]:
    """Offers the command `runs`."""
    return [
        Command(
            name="runs",
            summary="list, show, follow, cancel, fetch, register and adopt runs",
            add_options=add_options,
            run=run,
        )
    ]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds the sub-commands."""
    below = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    for add in (_add_list, _add_show, _add_logs, _add_attach, _add_cancel, _add_fetch, _add_register, _add_adopt):
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
    child.add_argument("run", nargs="?", default="latest", metavar="RUN", help=_RUN)
    return child


def _add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="JSON instead of text")


def _backends(context: Context) -> Callable[[RunDirectory], Backend]:
    """Returns a function from a run to its backend; runs of one choice share theirs, and what it has learnt.

    It raises an error for a run that was not submitted, or where that is not known.
    """
    from ....engine.runs.launch import find_submission

    defaults, made = plugin_defaults(context), dict[str, Backend]()

    def backend_of(found: RunDirectory) -> Backend:
        choice = known_choice(found, defaults)
        if repr(choice) not in made:
            made[repr(choice)] = context.plugins.get_backend(choice)
        find_submission(found, made[repr(choice)], context.plugins)
        return made[repr(choice)]

    return backend_of


def _add_list(below: Any) -> None:
    _add_json(_action(below, "list", "list the runs, newest last", _list))


def _list(values: argparse.Namespace, context: Context) -> int:
    from .listing import list_all

    list_all(values.runs_dir, _backends(context), as_json=values.json)
    return 0


def _add_show(below: Any) -> None:
    summary = "show one run: its state, its figures, where its files are"
    _add_json(_action_on_run(below, "show", summary, _show))


def _show(found: RunDirectory, backend: Backend, values: argparse.Namespace) -> int:
    from .show import show

    show(found, backend, as_json=values.json)
    return 0


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
    from ....engine.runs.collect import note_end

    found.refuse_copy()
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
    from .fetch import fetch

    try:
        manifest = fetch(found, backend, values.output)
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


def _add_register(below: Any) -> None:
    child = _action(below, "register", "register the model of a completed run", _register)
    child.add_argument("run", metavar="RUN", help=_RUN)
    child.add_argument("name", metavar="NAME", help="the name to register it under")
    anyway = "also if a final loss or a weight is NaN or infinite"
    child.add_argument("--register-anyway", action="store_true", help=anyway)


def _register(values: argparse.Namespace, context: Context) -> int:
    from ....engine.runs.register import register_model

    check_name("the name to register", values.name)
    found = find_run(values.runs_dir, values.run)
    job = replace(found.job(), register=values.name, register_anyway=values.register_anyway)
    for version in register_model(found, job, _backends(context)(found), context.plugins):
        print(visible(f"registered: {version.name} version {version.version} ({version.location})"))
    return 0


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

"""`stoker config`: each option's value and where it came from."""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from ...engine.command import Command
from ...engine.errors import PluginError
from ...engine.hookspecs import hookimpl
from ...engine.options.settings import Options
from ...engine.plugin.context import Context
from .backend_choice import choice_of
from .job import job_from_options

_GLOBAL = {"debug", "plugin"}
_JSON: dict[str, Any] = {"indent": 2, "default": str}


@hookimpl
def stoker_commands() -> Iterable[Command]:
    """Offers the command `config`."""
    summary = "show the value of each option and where it came from"
    return [Command(name="config", summary=summary, add_options=add_options, run=run)]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds the argument that names a command, and the form of the output."""
    parser.add_argument("--json", action="store_true", help="JSON instead of text")
    parser.add_argument("of", nargs="?", default="train", metavar="COMMAND", help="whose options (default: train)")
    parser.add_argument("rest", nargs=argparse.REMAINDER, metavar="OPTION", help="options of that command")


def run(options: argparse.Namespace, context: Context) -> int:
    """Prints each option with its value and its source; warns of what no option of any command is.

    Raises:
        InputError: An option of a training has a value that it can't have; everything is printed before.
    """
    _warn(context)
    parsed = context.settings.parse(context.parsers(options.of), [options.of, *options.rest])
    _print(parsed, options, context)
    if options.of in {"train", "plan"}:
        _check(replace(context, options=parsed))
    return 0


def _check(context: Context) -> None:
    """Refuses values that a training would refuse, without a look at data or network."""
    job, choice = job_from_options(context), choice_of(context.options, context.options.values.backend)
    with contextlib.suppress(PluginError):  # a package is missing: no fault of the settings
        context.plugins.get_model(job.model)
        if job.dataset_name not in context.plugins.datasets():  # a reader that is there takes long to make
            context.plugins.get_dataset(job.dataset_name)
        context.plugins.get_backend(choice)


def _print(parsed: Options, options: argparse.Namespace, context: Context) -> None:
    """Prints the options of a command line."""
    shown = {name.replace("_", "-"): one for name, one in parsed.sources.items() if name not in _GLOBAL}
    if options.json:
        print(json.dumps({name: {"value": one.value, "source": one.source} for name, one in shown.items()}, **_JSON))
        return
    print(f"settings file: {context.settings.path or 'none (stoker.toml, or [tool.stoker] in pyproject.toml)'}")
    file = context.settings.path
    rows = [
        (name, _text(one.value), file.name if file and one.source == str(file) else one.source)
        for name, one in shown.items()
    ]
    for line in _table(rows, shutil.get_terminal_size().columns):
        print(line)
    sys.stdout.flush()


def _warn(context: Context) -> None:
    """Warns of names in the file and the environment that no option has: every other command refuses those in the file.

    An option may also be one of a plugin that is broken or left out.
    """
    every = context.parsers()
    absent = {*context.plugins.left_out, *context.plugins.broken()}
    for error in (*context.settings.unknown_names(every, absent), *context.settings.unknown_variables(every)):
        print(f"warning: {error.what}; {error.hint}", file=sys.stderr)


def _table(rows: Sequence[tuple[str, str, str]], width: int) -> Iterator[str]:
    """Yields a line for each option; a value that is too long for its column comes below the name, whole."""
    name_width, source_width = (max((len(row[column]) for row in rows), default=0) for column in (0, 2))
    room = width - name_width - source_width - 4
    value_width = max((len(value) for _, value, _ in rows if len(value) <= room), default=0)
    for name, value, source in rows:
        if len(value) <= room:
            yield f"{name:<{name_width}}  {value:<{value_width}}  {source}"
        else:
            yield f"{name:<{name_width}}  {'':<{value_width}}  {source}"
            yield f"    {value}"


def _text(value: Any) -> str:
    """Returns a value as it fits on one line of the table."""
    text = "" if value is None else str(value)
    return text if text.isprintable() else repr(value)

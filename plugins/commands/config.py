"""`stoker config`: each option's value and where it came from."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable

from ...engine.command import Command, Context
from ...engine.hookspecs import hookimpl


@hookimpl
def stoker_commands() -> Iterable[Command]:
    """Offers the command."""
    summary = "show the value of each option and where it came from"
    return [Command(name="config", summary=summary, add_options=add_options, run=run)]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds which command's options to show."""
    parser.add_argument("--json", action="store_true", help="JSON instead of text")
    parser.add_argument("of", nargs="?", default="train", metavar="COMMAND", help="whose options (default: train)")
    parser.add_argument("rest", nargs=argparse.REMAINDER, metavar="OPTION", help="options of that command")


def run(options: argparse.Namespace, context: Context) -> int:
    """Prints a table of option, value and source."""
    _, sources = context.settings.parse(context.parsers(options.of), [options.of, *options.rest])
    shown = {name: one for name, one in sources.items() if name not in {"command", "debug", "plugin", "plugin_options"}}
    if options.json:
        print(json.dumps({name: {"value": one.value, "source": one.source} for name, one in shown.items()}, indent=2, default=str))
        return 0
    print(f"settings file: {context.settings.path or 'none (stoker.toml, or [tool.stoker] in pyproject.toml)'}")
    width = max(len(name) for name in shown)
    values = {name: "" if one.value is None else str(one.value) for name, one in shown.items()}
    value_width = max(len(value) for value in values.values())
    for name, one in shown.items():
        print(f"{name.replace('_', '-'):<{width}}  {values[name]:<{value_width}}  {one.source}")
    return 0

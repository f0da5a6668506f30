"""`stoker config`: each option's value and where it came from."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from typing import Any

from ...engine.command import Command
from ...engine.hookspecs import hookimpl
from ...engine.plugin.context import Context

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
    """Prints each option with its value and its source."""
    parsed = context.settings.parse(context.parsers(options.of), [options.of, *options.rest])
    shown = {name.replace("_", "-"): one for name, one in parsed.sources.items() if name not in _GLOBAL}
    if options.json:
        print(json.dumps({name: {"value": one.value, "source": one.source} for name, one in shown.items()}, **_JSON))
        return 0
    print(f"settings file: {context.settings.path or 'none (stoker.toml, or [tool.stoker] in pyproject.toml)'}")
    rows = [(name, _text(one.value), one.source) for name, one in shown.items()]
    width, value_width = (max((len(row[column]) for row in rows), default=0) for column in (0, 1))
    for name, value, source in rows:
        print(f"{name:<{width}}  {value:<{value_width}}  {source}")
    return 0


def _text(value: Any) -> str:
    """Returns a value as it fits on one line of the table."""
    text = "" if value is None else str(value)
    return text if text.isprintable() else repr(value)

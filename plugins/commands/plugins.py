"""`stoker plugins`: what is loaded, where it came from, and what is wrong with what is broken."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable

from ...engine.command import Command, Context
from ...engine.hookspecs import hookimpl


@hookimpl
def stoker_commands() -> Iterable[Command]:
    """Offers the command."""
    return [Command(name="plugins", summary="list the plugins and what they offer", add_options=add_options, run=run)]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds the form of the list."""
    parser.add_argument("--json", action="store_true", help="JSON instead of text")


def run(options: argparse.Namespace, context: Context) -> int:
    """Prints one plugin a line."""
    records = context.plugins.records
    if options.json:
        fields = ("name", "origin", "version", "problems", "hooks")
        print(json.dumps([{field: getattr(record, field) for field in fields} for record in records], indent=2))
        return 0
    width = max(len(record.name) for record in records)
    for record in records:
        offers = ", ".join(hook.removeprefix("stoker_") for hook in record.hooks)
        state = f"broken: {record.problems[0]}" if record.problems else offers
        print(f"{record.name:<{width}}  {record.origin} {record.version}".rstrip() + f"  {state}")
    return 0

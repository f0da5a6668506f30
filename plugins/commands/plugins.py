"""`stoker plugins`: what is loaded, where it came from, and what is wrong with what is broken."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable

from ...engine.command import Command, Context
from ...engine.hookspecs import hookimpl
from ...engine.record import PluginRecord


@hookimpl
def stoker_commands() -> Iterable[Command]:
    """Offers the command."""
    return [Command(name="plugins", summary="list the plugins and what they offer", add_options=add_options, run=run)]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds the form of the list."""
    parser.add_argument("--json", action="store_true", help="JSON instead of text")


def run(options: argparse.Namespace, context: Context) -> int:
    """Prints one plugin a line, and below it what is wrong with it."""
    _ask_all(context)
    records = context.plugins.records
    if options.json:
        fields = ("name", "origin", "version", "problems", "hooks")
        print(json.dumps([{field: getattr(record, field) for field in fields} for record in records], indent=2))
        return 0
    rows = [(record.name, f"{record.origin} {record.version}".rstrip(), _offers(record)) for record in records]
    width, origin_width = (max(len(row[column]) for row in rows) for column in (0, 1))
    for record, (name, origin, offers) in zip(records, rows, strict=True):
        print(f"{name:<{width}}  {origin:<{origin_width}}  {offers}".rstrip())
        for problem in record.problems:
            print(f"{'':<{width}}  broken: {problem}")
    return 0


def _ask_all(context: Context) -> None:
    """Calls the hooks that only tell what there is, so that those that are broken show it."""
    context.parsers()
    context.plugins.backends()
    context.plugins.datasets()
    context.plugins.models()


def _offers(record: PluginRecord) -> str:
    return ", ".join(hook.removeprefix("stoker_") for hook in record.hooks)

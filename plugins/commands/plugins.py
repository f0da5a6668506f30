"""`stoker plugins`: lists what is loaded, where it came from, and what is broken."""

from __future__ import annotations

import argparse
import json
import shutil
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ...engine.command import Command
from ...engine.hookspecs import PROJECT, hookimpl
from ...engine.plugin.context import Context
from ...engine.plugin.record import PluginRecord
from .scaffold.new_plugin import add_new_options, write_plugin

COLUMNS = ("plugin", "from", "version", "contract", "state")
_NAMED = ("command", "backend", "data set", "model", "option")
_NAMELESS = {
    "stoker_callbacks": "callbacks",
    "stoker_configure_job": "changes to jobs",
    "stoker_export_model": "another form of models",
    "stoker_register_model": "a model registry",
    "stoker_run_event": "an observer",
}
"""What a plugin with such a hook offers without a name."""
_LEAST = 24
"""The least width for what a plugin offers beside the other columns; with less it comes below them."""


@hookimpl
def stoker_commands() -> Iterable[Command]:
    """Offers the command `plugins`."""
    summary = "list the plugins and what they offer, or write a new one"
    return [Command(name="plugins", summary=summary, add_options=add_options, run=run)]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds the form of the list, and the sub-commands; without one, `plugins` lists."""
    parser.add_argument("--json", action="store_true", help="JSON instead of text")
    below = parser.add_subparsers(dest="action", metavar="ACTION")
    child = below.add_parser("list", help="list the plugins (the default)", description="List the plugins.")
    # Suppressed, because its default would undo a --json that came before the word `list`.
    child.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="JSON instead of text")
    summary = "write a plugin that installs and passes its tests unchanged"
    add_new_options(below.add_parser("new", help=summary, description=f"{summary.capitalize()}."))


def run(options: argparse.Namespace, context: Context) -> int:
    """Lists the plugins, or writes a new one."""
    _ask_all(context)
    if options.action == "new":
        return write_plugin(options, context)
    records = context.plugins.records
    if options.json:
        print(json.dumps([_as_json(record) for record in records], indent=2))
        return 0
    for line in _table(records, shutil.get_terminal_size().columns):
        print(line)
    return 0


def _ask_all(context: Context) -> None:
    """Calls the hooks that only report what there is, so that the broken ones show up."""
    context.parsers()
    context.plugins.backends()
    context.plugins.datasets()
    context.plugins.models()


def _as_json(record: PluginRecord) -> dict[str, Any]:
    return {
        "name": record.name,
        "from": record.origin,
        "version": record.version,
        "contract": record.contract,
        "state": record.state,
        "offers": record.offers,
        "hooks": record.hooks,
        "problems": [{"problem": each.what, "remedy": each.remedy} for each in record.problems],
        "slow": record.slow,
    }


def _table(records: Sequence[PluginRecord], width: int) -> Iterator[str]:
    """Yields one line for each plugin, what it offers (beside it if there is room), and what is wrong with it."""
    from ...engine.terminal.text import labelled

    rows = [COLUMNS, *(_cells(record) for record in records)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
    left = sum(widths) + 2 * len(widths)
    beside = width - left >= _LEAST
    indent = left if beside else 4
    yield _line(COLUMNS, widths) + "offers"
    for record, cells in zip(records, rows[1:], strict=True):
        first, *rest = textwrap.wrap(_offers(record), max(_LEAST, width - indent), break_on_hyphens=False) or [""]
        if beside:
            yield f"{_line(cells, widths)}{first}".rstrip()
        else:
            yield _line(cells, widths).rstrip()
            rest = [first, *rest] if first else rest
        yield from (" " * indent + line for line in rest)
        for label, text in _complaints(record):
            yield from labelled(f"    {label:<7} ", text, width)


def _cells(record: PluginRecord) -> tuple[str, ...]:
    contract = "-" if record.contract is None else str(record.contract)
    return record.name, record.origin, record.version or "-", contract, record.state


def _line(cells: Iterable[str], widths: Iterable[int]) -> str:
    return "".join(f"{cell:<{width}}  " for cell, width in zip(cells, widths, strict=True))


def _offers(record: PluginRecord) -> str:
    """Returns what a plugin offers: "command train; options --a, --b; callbacks"."""
    named = [(kind, record.offers[kind]) for kind in _NAMED if kind in record.offers]
    parts = [f"{kind if len(names) == 1 else f'{kind}s'} {', '.join(names)}" for kind, names in named]
    parts += [word for hook, word in _NAMELESS.items() if hook in record.hooks]
    return "; ".join(parts or [hook.removeprefix(f"{PROJECT}_") for hook in record.hooks])


def _complaints(record: PluginRecord) -> Iterator[tuple[str, str]]:
    if record.slow:
        yield "slow:", record.slow
    yield from (("broken:", problem.what) for problem in record.problems)
    yield from (("remedy:", remedy) for remedy in dict.fromkeys(problem.remedy for problem in record.problems))

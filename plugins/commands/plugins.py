"""`stoker plugins`: lists what is loaded, where it came from, and what is broken."""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ...engine.command import Command
from ...engine.errors import OptionError
from ...engine.hookspecs import hookimpl
from ...engine.plugin.context import Context
from ...engine.plugin.record import PluginRecord
from .scaffold.new_plugin import add_new_options, write_plugin

COLUMNS = ("plugin", "from", "version", "contract", "state")
_NAMED = {
    "command": ("stoker_commands",),
    "backend": ("stoker_backends", "stoker_get_backend"),
    "data set": ("stoker_datasets", "stoker_get_dataset"),
    "model": ("stoker_models", "stoker_get_model"),
    "option": ("stoker_add_options",),
}
"""What a plugin offers by name, and the hooks that offer it."""
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
    summary = "list the plugins (the default)"
    child = below.add_parser("list", help=summary, description=summary)
    # Suppressed, because its default would undo a --json that came before the word `list`.
    child.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="JSON instead of text")
    summary = "write a plugin that installs and passes its tests unchanged"
    add_new_options(below.add_parser("new", help=summary, description=summary))


def run(options: argparse.Namespace, context: Context) -> int:
    """Lists the plugins, or writes a new one.

    Raises:
        OptionError: `--json`, which is for the list, was given with `new`.
    """
    if options.action == "new" and "json" in context.options.given:
        raise OptionError("--json is for the list of plugins, not for `new`", hint="leave it out")
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
    yield _line(COLUMNS, widths) + "offers"
    for record, cells in zip(records, rows[1:], strict=True):
        offers = list(_offers(record))
        beside = width - left >= max(_LEAST, *(len(offer) for offer in offers), 0)
        indent = left if beside else 4
        first, *rest = _wrapped(offers, width - indent) or [""]
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


def _offers(record: PluginRecord) -> Iterator[str]:
    """Yields what a plugin offers, in pieces that stay whole: "command", "train;", "options", "--a,", "--b"."""
    named = [(kind, record.offers[kind]) for kind in _NAMED if kind in record.offers]
    parts = [[kind if len(names) == 1 else f"{kind}s", ", ".join(names)] for kind, names in named]
    parts += [[word] for hook, word in _NAMELESS.items() if hook in record.hooks]
    # A plugin that makes what it can't list by name, such as a model from any file, has nothing else to show.
    parts = parts or [[f"{kind}s"] for kind, hooks in _NAMED.items() if {*hooks} & {*record.hooks}]
    for number, (*kinds, last) in enumerate(parts, 1):
        yield from kinds
        *most, end = last.split(", ")
        yield from (f"{name}," for name in most)
        yield end if number == len(parts) else f"{end};"


def _wrapped(pieces: Iterable[str], width: int) -> list[str]:
    """Fills lines with pieces, and breaks lines between these only."""
    lines: list[str] = []
    for piece in pieces:
        if lines and len(lines[-1]) + 1 + len(piece) <= width:
            lines[-1] += f" {piece}"
        else:
            lines.append(piece)
    return lines


def _complaints(record: PluginRecord) -> Iterator[tuple[str, str]]:
    if record.slow:
        yield "slow:", record.slow
    yield from (("broken:", problem.what) for problem in record.problems)
    yield from (("remedy:", remedy) for remedy in dict.fromkeys(problem.remedy for problem in record.problems))

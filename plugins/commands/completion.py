"""`stoker completion SHELL`: prints a script that lets the shell complete commands and options."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path

from ...engine.command import Command
from ...engine.hookspecs import hookimpl
from ...engine.options.parser import all_actions
from ...engine.plugin.context import Context

SHELLS = ("bash", "zsh", "fish")


@hookimpl
def stoker_commands() -> Iterable[Command]:
    """Offers the command `completion`."""
    summary = "print a completion script for a shell"
    return [Command(name="completion", summary=summary, add_options=add_options, run=run)]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds the argument that names the shell."""
    parser.add_argument("shell", choices=SHELLS, help='bash: eval "$(stoker completion bash)"')


def run(options: argparse.Namespace, context: Context) -> int:
    """Prints the script, made from the parser of all commands with all plugins' options."""
    import shtab

    parser = context.parsers()
    known = {"model": context.plugins.models, "dataset": context.plugins.datasets, "backend": context.plugins.backends}
    for action in all_actions(parser):
        if action.option_strings and action.dest in known:
            action.choices = list(known[action.dest]())
        elif action.type is Path:
            kind = shtab.FILE if "." in str(action.metavar) else shtab.DIRECTORY
            action.complete = kind  # type: ignore[attr-defined]  # where shtab looks for it
    print(shtab.complete(parser, options.shell))
    return 0

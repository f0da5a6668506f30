"""`stoker completion SHELL`: prints a script that lets the shell complete commands and options."""

from __future__ import annotations

import argparse
from collections.abc import Iterable

from ...engine.command import Command, Context
from ...engine.hookspecs import hookimpl

SHELLS = ("bash", "zsh", "fish")


@hookimpl
def stoker_commands() -> Iterable[Command]:
    """Offers the command."""
    return [Command(name="completion", summary="print a completion script for a shell", add_options=add_options, run=run)]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds the shell."""
    parser.add_argument("shell", choices=SHELLS, help="bash: eval \"$(stoker completion bash)\"")


def run(options: argparse.Namespace, context: Context) -> int:
    """Prints the script, made from the parser of all commands with all plugins' options."""
    import shtab

    print(shtab.complete(context.parsers(), options.shell))
    return 0

"""`stoker rehearse` runs what a dry run wrote, for every backend that sends a package."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path

from ...engine.command import Command, positive_int
from ...engine.hookspecs import hookimpl
from ...engine.plugin.context import Context


@hookimpl
def stoker_commands() -> Iterable[Command]:
    """Offers the command."""
    summary = "run what a dry run wrote, with no more than a node would have"
    return [Command(name="rehearse", summary=summary, add_options=add_options, run=run)]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds the folder, and what is rehearsed with."""
    add = parser.add_argument
    add("folder", type=Path, metavar="DIR", help="what `stoker train --backend NAME --dry-run DIR` wrote")
    data = "the data that would be mounted (default: MNIST's, if the job takes those)"
    add("--data-folder", type=Path, metavar="DIR", help=data)
    add("--epochs", type=positive_int, default=None, metavar="N", help="epochs to train (default: the job's)")


def run(options: argparse.Namespace, context: Context) -> int:
    """Runs the package, shows its log, and says what it lacks."""
    from ...engine.packaging.rehearse import rehearse
    from ...engine.terminal.interrupt import interrupted_by_signals
    from ...engine.terminal.prompt import say

    with interrupted_by_signals():
        done = rehearse(options.folder, options.data_folder, epochs=options.epochs or 0, say=say)
    if not done.missing:
        print(f"the package runs by itself; the service would keep: {', '.join(done.outputs)}")
        return 0
    print("the package does not run by itself; it lacks:")
    for what, remedy in done.missing:
        print(f"  - {what}: {remedy}")
    return 1

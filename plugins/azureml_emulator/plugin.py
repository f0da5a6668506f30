"""The emulator as a plugin: `stoker azureml emulator`."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from typing import Any

from ...engine.command import Command
from ...engine.hookspecs import hookimpl


@hookimpl
def stoker_commands() -> Iterable[Command]:
    """Offers the command, as an action of `stoker azureml`."""
    summary = "run a workspace on this machine, to try things out, until Ctrl-C"
    return [Command(name="azureml emulator", summary=summary, add_options=_add_options, run=_run)]


def _add_options(parser: argparse.ArgumentParser) -> None:
    from .command import add_options

    add_options(parser)


def _run(options: argparse.Namespace, context: Any) -> int:
    from .command import run

    return run(options, context)

"""The emulator as a plugin: `stoker azureml emulator`."""

from __future__ import annotations

from collections.abc import Iterable

from ...engine.command import Command
from ...engine.hookspecs import hookimpl
from .command import add_options, run


@hookimpl
def stoker_commands() -> Iterable[Command]:
    """Offers the command, as an action of `stoker azureml`."""
    summary = "run a workspace on this machine, to try things out, until Ctrl-C"
    return [Command(name="azureml emulator", summary=summary, add_options=add_options, run=run)]

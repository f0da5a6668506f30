"""A command of the command line, as a plugin offers it."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["Command", "positive_int"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Command:
    """One command: `stoker NAME …`.

    Attributes:
        name: One word; or two, "azureml emulator", to add an action to a command that has actions, of whichever plugin.
            Without that command, the action is left out too.
        summary: One line for `stoker --help`, or for `stoker azureml --help`.
        add_options: Adds options, or sub-commands, to the command's own parser.
        run: Runs the command with its options and a context. The context has `plugins`, which finds data sets, models
            and backends by name: `context.plugins.get_model("dnn")`. Returns the exit code; raises errors as
            `StokerError`.
        like: The command whose plugin options it has too; "" is itself.
    """

    name: str
    summary: str
    add_options: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace, Any], int]
    like: str = ""


def positive_int(text: str) -> int:
    """Returns a whole number of 1 or more, for `type=` of an option.

    Raises:
        ArgumentTypeError: The text is no such number.
    """
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError("expected a whole number, 1 or more")
    return value

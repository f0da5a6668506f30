"""A command of the command line, as a plugin offers it."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .options.parser import Parser
    from .options.settings import Settings
    from .plugin.plugins import Plugins


@dataclass(frozen=True, kw_only=True, slots=True)
class Context:
    """What a command is given beside its options.

    Attributes:
        plugins: The loaded plugins; the way to data sets, models and backends.
        settings: Where each option's value came from.
        parsers: Makes the parser of all commands with all their options; given a name, only that command has them.
    """

    plugins: Plugins
    settings: Settings
    parsers: Callable[..., Parser]


@dataclass(frozen=True, kw_only=True, slots=True)
class Command:
    """One command: `stoker NAME …`.

    Attributes:
        name: One word.
        summary: One line for `stoker --help`.
        add_options: Adds options, or sub-commands, to the command's own parser.
        run: Does it. Returns the exit code; errors are raised as `StokerError`.
        like: The command whose options of plugins it has too; "" is itself.
    """

    name: str
    summary: str
    add_options: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace, Context], int]
    like: str = ""

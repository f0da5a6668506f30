"""The context of a command: what it receives beside its options."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..options.parser import Parser
from ..options.settings import Options, Settings
from .plugins import Plugins


@dataclass(frozen=True, kw_only=True, slots=True)
class Context:
    """What a command receives beside its options.

    Attributes:
        plugins: The loaded plugins, which offer data sets, models and backends.
        settings: The environment's and the settings file's values.
        options: The options of this command line, and where each value came from.
        parsers: Makes the parser of all commands with all their options; with a name, only that command's options.
    """

    plugins: Plugins
    settings: Settings
    options: Options
    parsers: Callable[..., Parser]

"""Where the value of an option comes from: command line, then environment, then settings file, then its default."""

from __future__ import annotations

import argparse
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .. import cache, files, paths
from ..errors import InputError, OptionError, UnknownNameError
from ..paths import expanded
from . import habits
from .parser import PLUGIN_OPTIONS, Parser, all_actions, called, expectation, option_value, wrong_value

PREFIX = "STOKER_"
_LOCAL_FILE = re.compile(r"\.{1,2}/.*|[^:]*\.py(:\w+)?")
"""A text that names a file, as `--plugin`, `--model` and options of plugins may."""
_BOOLEANS = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}

_FILE, _MOST_BYTES = "stoker.toml", 1 << 20
_TABLE = ("tool", "stoker")
"""The table of `pyproject.toml` that stands for the whole of `stoker.toml`."""
_UNKNOWN = "remove it, or load the plugin that has this option with -p"

_GATHERING = (argparse._AppendAction, argparse._AppendConstAction, argparse._CountAction)
"""Actions that add to their default, which must then be a list or a number."""


@dataclass(frozen=True, slots=True)
class Setting:
    """A value and its source, such as "command line", "STOKER_EPOCHS", "stoker.toml" or "default"."""

    value: Any
    source: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """The options of one command line.

    Attributes:
        values: Their values, as argparse gives them.
        sources: Where each value came from, by the option's attribute: {"batch_size": Setting(50, "default")}.
        plugin_options: The attributes of the options that plugins added.
    """

    values: argparse.Namespace
    sources: Mapping[str, Setting]
    plugin_options: tuple[str, ...] = ()

    @property
    def given(self) -> set[str]:
        """The attributes of the options that are on the command line."""
        return {name for name, setting in self.sources.items() if setting.source == "command line"}


@dataclass(frozen=True, slots=True)
class _Default:
    """Stands for "not on the command line" while argparse works; prints as the default that it stands for."""

    value: Any
    action: argparse.Action

    def __str__(self) -> str:
        return str(self.value)


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """The environment's and the settings file's values.

    Attributes:
        environ: The environment variables.
        values: The file's values by option name without dashes in front: {"batch-size": 100, "azureml-max-nodes": 2}.
        path: The file; None if there is none.
        left_out: The files that were found and not used, one sentence each.
    """

    environ: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)
    path: Path | None = None
    left_out: tuple[str, ...] = ()

    @classmethod
    def find(cls, folder: Path, environ: Mapping[str, str]) -> Settings:
        """Finds the nearest `stoker.toml`, or `pyproject.toml` with [tool.stoker], in `folder` or above it.

        The search ends at the home folder, and where the file system ends. A settings file can load plugins, which is
        to run code, so one that somebody else can write is left out; `left_out` names it.

        Raises:
            InputError: The file is not TOML.
            OptionError: It has two values for one option.
        """
        names: tuple[tuple[str, tuple[str, ...]], ...] = ((_FILE, ()), ("pyproject.toml", _TABLE))
        left_out: list[str] = []
        for parent in _searched(folder):
            for name, table in names:
                path = parent / name
                distrust = paths.distrust(path)
                try:
                    values = _read_table(path, table)
                except InputError:
                    if not distrust:
                        raise
                    values = {}
                if values is not None and distrust:
                    left_out.append(f"{path} is left out: {distrust}")
                elif values is not None:
                    options = _options_of(values, path)
                    return cls(environ=environ, values=options, path=path, left_out=tuple(left_out))
        return cls(environ=environ, left_out=tuple(left_out))

    def parse(self, parser: Parser, argv: Sequence[str]) -> Options:
        """Parses a command line; the environment, the file and the defaults fill in what it leaves out.

        Raises:
            OptionError: The command line is wrong, or a value of the environment or the file can't be that option's.
        """
        options, unknown = self.parse_known(parser, argv)
        if unknown:
            parser.refuse(unknown)
        return options

    def parse_known(self, parser: Parser, argv: Sequence[str]) -> tuple[Options, list[str]]:
        """Parses as `parse` does; returns the options, and the words that the parser does not know."""
        actions = {action.dest: action for action in self._prepared(parser)}
        values, unknown = parser.parse_known_args(argv)
        of_plugins = tuple(vars(values).pop(PLUGIN_OPTIONS, ()))
        sources = {
            name: self._setting(action, getattr(values, name)) for name, action in actions.items() if name in values
        }
        for name, setting in sources.items():
            setattr(values, name, setting.value)
        return Options(values=values, sources=sources, plugin_options=of_plugins), unknown

    def check_names(self, parser: argparse.ArgumentParser, absent: Iterable[str] = ()) -> None:
        """Refuses a name in the file that no option of any command has.

        Args:
            parser: The parser of all commands.
            absent: Plugins that are broken or left out; names that begin with one of them are allowed.

        Raises:
            OptionError: With the nearest name.
        """
        for error in self.unknown_names(parser, absent):
            raise error

    def unknown_names(self, parser: argparse.ArgumentParser, absent: Iterable[str] = ()) -> Iterator[OptionError]:
        """Yields an error for each name in the file that no option of any command has; see `check_names`."""
        known = _option_names(parser)
        prefixes = tuple(f"{name.replace('_', '-')}-" for name in absent)
        misplaced = "-".join(_TABLE) + "-"
        unknown = [name for name in self.values if name not in known and not f"{name}-".startswith(prefixes)]
        if self.path and self.path.name == _FILE and any(name.startswith(misplaced) for name in unknown):
            unknown = [name for name in unknown if not name.startswith(misplaced)]
            yield OptionError(
                f"the table [{'.'.join(_TABLE)}] in {self.path} belongs in pyproject.toml",
                hint=f"remove the line [{'.'.join(_TABLE)}], for options stand in {_FILE} without a table",
            )
        for name in unknown:
            hint = habits.hint(name, known, repr) or _UNKNOWN
            yield OptionError(f"unknown option {name!r} in {self.path}", hint=hint)

    def unknown_variables(self, parser: argparse.ArgumentParser) -> Iterator[OptionError]:
        """Yields an error for each variable of the environment that looks like an option, and that no command has."""
        names = _option_names(parser) | {_plain(cache.VARIABLE)}
        known = {_variable(name) for name in names}
        for name in sorted(self.environ):
            if name.startswith(PREFIX) and name not in known:
                hint = habits.hint(_plain(name), names, _variable) or _UNKNOWN
                yield OptionError(f"unknown option {name} in the environment", hint=hint)

    def _prepared(self, parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
        """Prepares the options of a parser so that what the command line leaves out can be recognized after parsing.

        argparse does not say whether a value was given or is the default, so the default is made recognizable:

        | option | default while parsing | not given when |
        | --- | --- | --- |
        | store, flag, const | a `_Default` that wraps the real one | the value is a `_Default` |
        | append, count | as it was, since argparse adds to it | the value is that very object |
        """
        for action in all_actions(parser):
            if not action.option_strings:
                continue
            if not isinstance(action, _GATHERING) and not isinstance(action.default, _Default):
                action.default = _Default(action.default, action)
            if self._find(action):
                action.required = False
            yield action

    def _setting(self, action: argparse.Action, parsed: Any) -> Setting:
        """Returns the value of an option and its source, from what the parser returned for it."""
        if isinstance(parsed, _Default):
            setting = self._elsewhere(parsed.action, parsed.value)
        elif parsed is action.default:
            setting = self._elsewhere(action, parsed)
        else:
            setting = Setting(parsed, "command line")
        if isinstance(setting.value, Path):
            return Setting(expanded(setting.value), setting.source)
        return setting

    def _elsewhere(self, action: argparse.Action, default: Any) -> Setting:
        found = self._find(action)
        if found is None:
            return Setting(default, "default")
        value, what, source, base = found
        return Setting(_converted(action, value, what, base), source)

    def _find(self, action: argparse.Action) -> tuple[Any, str, str, Path | None] | None:
        """Finds an option in the environment (not empty) or the file; returns value, description, source and folder."""
        name = called(action).removeprefix("--")
        variable = _variable(name)
        if self.environ.get(variable):
            return self.environ[variable], f"{variable} in the environment", variable, None
        if name in self.values and self.path:
            return self.values[name], f"{name} in {self.path}", str(self.path), self.path.parent
        return None


def _converted(action: argparse.Action, value: Any, what: str, base: Path | None) -> Any:
    """Converts a value of the environment or the file to what the command line would have given."""
    if action.nargs == 0:
        return _flag(action, value, what)
    if isinstance(action, argparse._AppendAction) or action.nargs not in {None, argparse.OPTIONAL}:
        items = value if isinstance(value, list) else str(value).split(",")
        return [single_value(action, item, what, base) for item in items]
    return single_value(action, value, what, base)


def single_value(action: argparse.Action, value: Any, what: str, base: Path | None = None) -> Any:
    """Converts one value of an option, checked as on the command line.

    Args:
        action: The option.
        value: The value: a text, or as TOML has it.
        what: What people call the option, or where the value came from.
        base: The folder that relative paths begin at; None leaves them as they are.

    Raises:
        OptionError: It can't be that option's.
        UnknownNameError: It is none of the option's choices.
    """
    convert = action.type if callable(action.type) else str
    if isinstance(value, list | dict) or (isinstance(value, bool) and convert in {str, Path}):
        raise wrong_value(what, json.dumps(value, default=str), expectation(convert))
    text = str(value).lower() if isinstance(value, bool) else str(value)
    converted = option_value(text, convert, what)
    if base and (isinstance(converted, Path) or (isinstance(converted, str) and _LOCAL_FILE.fullmatch(converted))):
        converted = type(converted)(base / expanded(converted))
    if action.choices is not None and converted not in action.choices:
        raise UnknownNameError(f"value of {what}", str(converted), [str(choice) for choice in action.choices])
    return converted


def _flag(action: argparse.Action, value: Any, what: str) -> Any:
    """Returns the value of an option without an argument when it is on; for `--no-x` that is False."""
    on = truth(value, what)
    if action.const is None:
        return on
    return action.const if on else getattr(action.default, "value", action.default)


def truth(value: Any, what: str) -> bool:
    """Reads a boolean: true or false, yes or no, on or off, 1 or 0.

    Raises:
        OptionError: It is none of these; `what` is what people call the option.
    """
    on = _BOOLEANS.get(str(value).lower())
    if on is None:
        raise wrong_value(what, repr(value), "true or false")
    return on


def _searched(folder: Path) -> Iterator[Path]:
    """Yields a folder and those above it, up to the home folder or the edge of the file system."""
    home = Path(os.path.expanduser("~"))  # noqa: PTH111 - Path.home() raises where there is none
    device = folder.stat().st_dev
    for parent in (folder, *folder.parents):
        if parent.stat().st_dev != device:
            return
        yield parent
        if parent == home:
            return


def _read_table(path: Path, keys: Sequence[str]) -> dict[str, Any] | None:
    """Returns a table of a TOML file; None if there is no such file, or no such table in it."""
    try:
        if not path.is_file():  # a pipe would be waited for
            return None
        with path.open("rb") as stream:
            content = stream.read(_MOST_BYTES + 1)
    except OSError:
        return None
    if len(content) > _MOST_BYTES:
        raise InputError(
            f"{path} is too large for a settings file", expected=f"at most {_MOST_BYTES:,} bytes", path=path
        )
    import tomllib  # most command lines have no settings file, and `--help` is to be quick

    try:
        table: Any = tomllib.loads(files.decode(content))
    except (ValueError, RecursionError) as error:  # not TOML, not UTF-8, or nested too deep
        raise InputError(f"{path} is not valid TOML", received=str(error), path=path) from error
    for key in keys:
        table = table.get(key)
        if not isinstance(table, dict):
            return None
    return dict(table)


def _options_of(table: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """Returns the options of a table by their names.

    Raises:
        OptionError: Two entries mean the same option.
    """
    spelled: dict[str, str] = {}
    options = {}
    for written, name, value in _flat(table):
        if name in spelled:
            raise OptionError(
                f"{path} has two values for the option {name!r}",
                received=f"{spelled[name]} and {written}",
                expected="one of them",
                hint="delete the other",
            )
        spelled[name], options[name] = written, value
    return options


def _flat(table: Mapping[str, Any], above: str = "", prefix: str = "") -> Iterator[tuple[str, str, Any]]:
    """Yields the options of a table as written, by name, and their values.

    `[azureml] max_nodes = 2` is azureml.max_nodes as written, and azureml-max-nodes by name.
    """
    for key, value in table.items():
        written, name = above + key, prefix + key.replace("_", "-")
        if isinstance(value, dict):
            yield from _flat(value, f"{written}.", f"{name}-")
        else:
            yield written, name, value


def _option_names(parser: argparse.ArgumentParser) -> set[str]:
    """Returns the names of the options of all commands, without dashes in front."""
    return {called(action)[2:] for action in all_actions(parser) if called(action).startswith("--")}


def _variable(name: str) -> str:
    """Returns the variable of the environment that an option's value may come from."""
    return PREFIX + name.replace("-", "_").upper()


def _plain(variable: str) -> str:
    """Returns the option that a variable of the environment would be of."""
    return variable.removeprefix(PREFIX).replace("_", "-").lower()

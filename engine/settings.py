"""Where the value of an option comes from: command line, then environment, then settings file, then its default."""

from __future__ import annotations

import argparse
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .errors import InputError, OptionError, UnknownNameError

PREFIX = "STOKER_"
_BOOLEANS = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}


@dataclass(frozen=True, slots=True)
class Setting:
    """A value and its source, such as "command line", "STOKER_EPOCHS", "stoker.toml" or "default"."""

    value: Any
    source: str


@dataclass(frozen=True, slots=True)
class _Default:
    """Stands for "not on the command line" while argparse works; prints as the default that it stands for."""

    value: Any

    def __str__(self) -> str:
        return str(self.value)


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """The environment's and the settings file's values.

    Attributes:
        environ: The environment variables.
        values: The file's values by option name without dashes in front: {"batch-size": 100, "azureml-max-nodes": 2}.
        path: The file; None if there is none.
    """

    environ: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)
    path: Path | None = None

    @classmethod
    def find(cls, folder: Path, environ: Mapping[str, str]) -> Settings:
        """The nearest `stoker.toml`, or `pyproject.toml` with [tool.stoker], in `folder` or above it.

        Raises:
            InputError: The file is no TOML.
        """
        for place in (folder, *folder.parents):
            for name, table in (("stoker.toml", ()), ("pyproject.toml", ("tool", "stoker"))):
                values = _read_table(place / name, table)
                if values is not None:
                    return cls(environ=environ, values=dict(_flat(values)), path=place / name)
        return cls(environ=environ)

    def parse(self, parser: argparse.ArgumentParser, argv: Sequence[str]) -> tuple[argparse.Namespace, dict[str, Setting]]:
        """Parses a command line; what it leaves out is taken from the environment, the file, the defaults.

        Returns:
            The options, and for each where its value came from.

        Raises:
            OptionError: A value of the environment or the file can't be that option's.
        """
        options, sources, unknown = self.parse_known(parser, argv)
        if unknown:
            parser.error(f"unrecognized arguments: {' '.join(unknown)}")
        return options, sources

    def parse_known(
        self, parser: argparse.ArgumentParser, argv: Sequence[str]
    ) -> tuple[argparse.Namespace, dict[str, Setting], list[str]]:
        """As `parse`; the third part is what the parser does not know."""
        actions = {action.dest: action for action in _actions(parser) if not isinstance(action.default, _Default)}
        for action in actions.values():
            if not isinstance(action, argparse._AppendAction):  # it appends to its default
                action.default = _Default(action.default)
        options, unknown = parser.parse_known_args(argv)
        sources = {}
        for name, value in vars(options).items():
            setting = Setting(value, "command line")
            if isinstance(value, _Default) or value is None:
                setting = self._elsewhere(actions[name], value.value if value else None)
                setattr(options, name, setting.value)
            sources[name] = setting
        return options, sources, unknown

    def check_names(self, parser: argparse.ArgumentParser) -> None:
        """Refuses a name in the file that no option of any command has.

        Raises:
            UnknownNameError: With the nearest name.
        """
        known = {name for action in _actions(parser) if (name := _long_name(action))}
        for name in self.values:
            if name not in known:
                raise UnknownNameError(f"option in {self.path}", name, known)

    def _elsewhere(self, action: argparse.Action, default: Any) -> Setting:
        name = _long_name(action)
        variable = PREFIX + name.replace("-", "_").upper()
        if name and variable in self.environ:
            return Setting(_converted(action, self.environ[variable], variable, None), variable)
        if name in self.values and self.path:
            return Setting(_converted(action, self.values[name], f"{name} in {self.path}", self.path.parent), str(self.path))
        return Setting(default, "default")


def option_value(text: str, convert: Any, what: str) -> Any:
    """`convert(text)`, or an error that names the option.

    Raises:
        OptionError: It can't be converted.
    """
    try:
        return convert(text)
    except (ValueError, TypeError, argparse.ArgumentTypeError) as error:
        raise OptionError(f"{what}: not acceptable", received=repr(text), expected=getattr(convert, "__name__", "")) from error


def _converted(action: argparse.Action, value: Any, what: str, base: Path | None) -> Any:
    """The value of the environment or the file, as the command line would have given it."""
    if action.nargs == 0:
        return _boolean(value, what)
    if isinstance(action, argparse._AppendAction):
        items = value if isinstance(value, list) else str(value).split(",")
        return [option_value(str(item), action.type or str, what) for item in items]
    if isinstance(value, bool | list | dict):
        raise OptionError(f"{what}: not acceptable", received=value, expected="one value")
    converted = option_value(str(value), action.type or str, what)
    if base and isinstance(converted, Path):
        converted = base / converted.expanduser()
    if action.choices is not None and converted not in action.choices:
        raise UnknownNameError(f"value of {what}", str(converted), [str(choice) for choice in action.choices])
    return converted


def _boolean(value: Any, what: str) -> bool:
    found = _BOOLEANS.get(str(value).lower())
    if found is None:
        raise OptionError(f"{what}: not acceptable", received=repr(value), expected="true or false")
    return found


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """The options and positionals of a parser and of all parsers below it."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                yield from _actions(below)
        elif action.default is not argparse.SUPPRESS:
            yield action


def _long_name(action: argparse.Action) -> str:
    return next((name[2:] for name in action.option_strings if name.startswith("--")), "")


def _read_table(path: Path, keys: Sequence[str]) -> dict[str, Any] | None:
    try:
        table: Any = tomllib.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is no TOML", received=str(error), path=path) from error
    for key in keys:
        table = table.get(key)
        if not isinstance(table, dict):
            return None
    return dict(table)


def _flat(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """`[azureml] max-nodes = 2` is the option azureml-max-nodes; underscores count as dashes."""
    for name, value in table.items():
        key = prefix + name.replace("_", "-")
        if isinstance(value, dict):
            yield from _flat(value, f"{key}-")
        else:
            yield key, value


def positive_int(text: str) -> int:
    """A whole number of 1 or more, for `type=` of an option."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("expected a whole number, 1 or more")
    return value

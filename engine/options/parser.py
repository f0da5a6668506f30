"""The parser of the command line: argparse, with complaints that say what was expected and what is near.

argparse has no public way to list the options of a parser or to replace how a value is converted. This module uses
its private names (`_actions`, `_option_string_actions`, `_SubParsersAction`, `_choices_actions`, `_registry_get`,
`_get_values`, `_get_value`, `_check_value`), which are the same from Python 3.11 to 3.13; others go through the
functions here.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

from ..command import command_line
from ..errors import OptionError, UnknownNameError
from . import habits

PLUGIN_OPTIONS = "_plugin_options"
"""The attribute that carries the names of the options that plugins added, from a parser to `Settings.parse`."""

_NEVER_EMPTY = {"DIR": "a path", "FILE": "a path", "RUN": "a run"}
"""What options take by their metavars, if an empty text can only be a mistake: an unset variable of the shell."""
_EXPECTED: dict[Any, str] = {int: "a whole number", float: "a number", Path: "a path", str: "a text"}


class Parser(argparse.ArgumentParser):
    """Reports a wrong command line like every other wrong input."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **{"allow_abbrev": False, **named})

    def error(self, message: str) -> NoReturn:
        """Refuses the command line.

        Raises:
            OptionError: Always.
        """
        raise OptionError(message.removeprefix("argument "), hint=self.advice())

    def refuse(self, unknown: Sequence[str]) -> NoReturn:
        """Refuses words that are not options or arguments here.

        Raises:
            OptionError: Always; with the nearest option.
        """
        word = next((word for word in unknown if word.startswith("-")), unknown[0])
        if not word.startswith("-"):
            self.error(f"unexpected argument {word!r}")
        option = word.partition("=")[0]
        known = {name.lstrip("-"): name for name in self._option_string_actions}  # dashes would make all names alike
        answer = habits.hint(option.lstrip("-"), known, known.__getitem__)
        raise OptionError(f"unknown option {option}", hint=answer or self.advice())

    def mark_plugin_options(self, own: Collection[str] = ()) -> None:
        """Marks all options but the command's as added by plugins, for `Settings.parse`.

        argparse copies the defaults of the chosen sub-command's parser into the result, so this one arrives there too.
        """
        added = [action.dest for action in self._actions if action.dest not in {"help", *own}]
        self.set_defaults(**{PLUGIN_OPTIONS: added})

    def advice(self) -> str:
        """Returns where to read on."""
        return f"see `{self.help_command()}`"

    def help_command(self) -> str:
        """Returns the command that shows the help of this parser."""
        return command_line(*self.prog.split()[1:], "--help")

    def _get_values(self, action: argparse.Action, arg_strings: list[str]) -> Any:
        if action.option_strings and "" in arg_strings and str(action.metavar) in _NEVER_EMPTY:
            raise _empty(called(action), _NEVER_EMPTY[str(action.metavar)])
        return super()._get_values(action, arg_strings)

    def _get_value(self, action: argparse.Action, arg_string: str) -> Any:
        convert = self._registry_get("type", action.type, action.type)
        return option_value(arg_string, convert, called(action), hint=self.advice())

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is None or value in action.choices:
            return
        kind = f"value of {called(action)}" if action.option_strings else called(action)
        known = [str(choice) for choice in action.choices]
        if isinstance(action, argparse._SubParsersAction):  # those without a help text are internal
            known = [choice.dest for choice in action._choices_actions]
        raise UnknownNameError(kind, str(value), known, hint=self.advice())


class CommandParser(Parser):
    """The parser of one command; it refuses options that it does not know."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parses as argparse does, but leaves nothing over.

        Raises:
            OptionError: There is an unknown option, or an argument too many.
        """
        options, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.refuse(unknown)
        return options, unknown


class TopParser(Parser):
    """The parser of the whole command line: global options, then a command with its own."""

    def advice(self) -> str:
        """Returns where to read on."""
        return f"the options of a command come after it; see `{self.help_command()}`"

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parses as argparse does, but refuses an option of a command in front of the command.

        Raises:
            OptionError: There is one.
        """
        first = next(iter(sys.argv[1:] if args is None else args), "")
        if first.startswith("-") and first not in self._option_string_actions:
            self.refuse([first])
        return super().parse_known_args(args, namespace)


def all_actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Yields the options and positionals of a parser and of all parsers below it."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                yield from all_actions(below)
        elif action.default is not argparse.SUPPRESS:
            yield action


def own_actions(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """Returns the options and positionals of a parser, without those of parsers below it."""
    return list(parser._actions)


def sub_parsers(parser: argparse.ArgumentParser) -> argparse._SubParsersAction[Any] | None:
    """Returns what adds parsers of actions below a parser; None if the parser has no actions."""
    return next((action for action in parser._actions if isinstance(action, argparse._SubParsersAction)), None)


def option_strings(parser: argparse.ArgumentParser) -> list[str]:
    """Returns the options of a parser as they are typed: "-h", "--help", …, in the order in which they were added."""
    return list(parser._option_string_actions)


def option_value(text: str, convert: Callable[[str], Any], what: str, *, hint: str = "") -> Any:
    """Converts the value of an option, or raises an error that names the option and what it takes.

    Args:
        text: The value as it was written.
        convert: The option's `type=`.
        what: What people call the option: "--epochs".
        hint: The next step for the user.

    Raises:
        OptionError: It can't be converted.
    """
    if convert is Path and not text:  # Path("") is the current folder
        raise _empty(what, "a path")
    try:
        return convert(text)
    except argparse.ArgumentTypeError as error:
        raise wrong_value(what, repr(text), str(error).removeprefix("expected "), hint) from error
    except (ValueError, TypeError) as error:
        raise wrong_value(what, repr(text), expectation(convert), hint) from error


def _empty(what: str, expected: str) -> OptionError:
    """Returns the error for an option that is given, but empty."""
    hint = "is a variable of the shell not set?" + (" The current folder is `.`" if expected == "a path" else "")
    return OptionError(f"{what} is empty", expected=expected, hint=hint)


def expectation(convert: Callable[[str], Any]) -> str:
    """Returns what people call the values that `convert` takes."""
    return _EXPECTED.get(convert) or getattr(convert, "__name__", "").replace("_", " ")


def wrong_value(what: str, received: str, expected: str, hint: str = "") -> OptionError:
    """Returns the error for a value that an option can't have.

    Args:
        what: What people call the option: "--epochs".
        received: The value.
        expected: What the option takes: "a whole number".
        hint: The next step for the user.
    """
    return OptionError.must_be(what, expected, received=received, hint=hint)


def called(action: argparse.Action) -> str:
    """Returns what people call an option or argument: `--epochs`, `shell`."""
    if action.option_strings:
        return next((name for name in action.option_strings if name.startswith("--")), action.option_strings[0])
    return str(action.metavar or action.dest).lower()

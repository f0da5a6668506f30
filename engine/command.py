"""A command of the command line, as a plugin offers it, and a command as a user can paste it."""

from __future__ import annotations

import argparse
import shlex
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Command", "command_line", "positive_int"]

_NAME = "stoker"
_CLI = Path(__file__).resolve().parents[1] / "cli.py"
_RUNS = "runs"
"""The folder of the runs if `--runs-dir` names no other."""


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


def command_line(*words: object, runs_dir: Path | None = None) -> str:
    """Returns a command of stoker for a message, as the user can paste it into this shell.

    It begins as this process was called: `stoker`, `.venv/bin/stoker`, `python cli.py` or `python -m stoker`, and has
    the plugins that `-p` named.

    Args:
        words: The command and its arguments: "runs", "show", "latest".
        runs_dir: The folder of the runs that it is about, which is named unless it is the usual one.

    Example:
        >>> command_line("runs", "show", "my run")
        "stoker runs show 'my run'"
    """
    named = () if runs_dir is None or _is_usual(runs_dir) else ("--runs-dir", _from_here(runs_dir))
    return shlex.join([*_program(), *map(str, (*words, *named))])


def _program() -> list[str]:
    """Returns the words that started stoker in this process; only its name if another program did."""
    main = sys.modules.get("__main__")
    called, python = sys.argv[0] if sys.argv else "", (sys.orig_argv or [sys.executable])[0]
    spec, file = getattr(main, "__spec__", None), getattr(main, "__file__", None)
    if spec and spec.name == f"{_NAME}.__main__":
        words = [python, "-m", _NAME]
    elif file and Path(file).resolve() == _CLI:
        words = [python, called]
    elif Path(called).name == _NAME:
        words = [_NAME if called == shutil.which(_NAME) else called]  # the shell puts the path in place of a bare name
    else:
        return [_NAME]
    return [*words, *_plugins(sys.argv[1:])]


def _plugins(arguments: Sequence[str]) -> Iterator[str]:
    """Yields the options `-p` of a command line."""
    follows = False
    for argument in arguments:
        if follows or argument in {"-p", "--plugin"} or argument.startswith(("-p", "--plugin=")):
            yield argument
        follows = not follows and argument in {"-p", "--plugin"}


def _is_usual(runs_dir: Path) -> bool:
    return runs_dir.resolve() == Path(_RUNS).resolve()


def _from_here(folder: Path) -> Path:
    """Returns the shorter form of a path: relative if it is below the current folder."""
    absolute = folder.resolve()
    return absolute.relative_to(Path.cwd()) if absolute.is_relative_to(Path.cwd()) else absolute

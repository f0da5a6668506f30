"""The command line of stoker: finds plugins, makes the parser from them, and turns errors into exit codes."""

from __future__ import annotations

import argparse
import io
import os
import shlex
import sys
from importlib.machinery import ModuleSpec
from importlib.util import module_from_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from stoker.engine.command import Command
    from stoker.engine.options.parser import Parser
    from stoker.engine.options.settings import Settings
    from stoker.engine.plugin.plugins import Plugins

_HERE = Path(__file__).resolve().parent
# Our folders `datasets` and `models` must not hide installed packages of the same names.
sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() != _HERE]
if not __package__:  # `python cli.py`: this folder is the package `stoker`, installed or not
    _spec = ModuleSpec("stoker", None, is_package=True)
    _spec.submodule_search_locations = [str(_HERE)]
    sys.modules["stoker"] = module_from_spec(_spec)

_PYTHON = (3, 11)


def main(argv: list[str] | None = None) -> int:
    """Runs one command line.

    Args:
        argv: The arguments; None takes those of the process.

    Returns:
        The exit code: 0; 1 for a failed run; 2 for bad input; 130 for an interrupt; 141 when the output's reader is
        gone.
    """
    arguments = sys.argv[1:] if argv is None else argv
    debug = "--debug" in arguments
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a name that the terminal can't show must not stop anything
            stream.reconfigure(errors="backslashreplace")
    try:
        _check_interpreter()
        code = _dispatch([argument for argument in arguments if argument != "--debug"])
        if sys.stdout:
            sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # `stoker … | head`: the reader has what it wanted
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except Exception as error:
        code = _report(error, debug=debug)
        if not code:
            raise
        return code


def _dispatch(argv: list[str]) -> int:
    from stoker.engine.options.parser import Parser
    from stoker.engine.options.settings import Settings
    from stoker.engine.plugin.context import Context
    from stoker.engine.plugin.plugins import Plugins
    from stoker.engine.terminal.text import visible

    settings = Settings.find(Path.cwd(), os.environ)
    for sentence in settings.left_out:
        print(f"warning: {visible(sentence)}", file=sys.stderr)
    early = Parser(prog="stoker", add_help=False)
    _add_global_options(early)
    given, rest = settings.parse_known(early, argv)
    on_line = "plugin" in given.given
    asked_by = "-p" if on_line else given.sources["plugin"].source
    plugins = Plugins.load(given.values.plugin or (), forgiving=not on_line, asked_by=asked_by)
    parsers = Parsers(plugins)
    words = [word for word in rest if not word.startswith("-")]
    name = "".join(words[:1])
    plugins.refuse_clash("command", name)
    plugins.refuse_clash("command", " ".join(words[:2]))
    if settings.values and name not in {"", "config"} and not {"-h", "--help"}.intersection(rest):
        # The two that help with a wrong settings file must not fail because of it.
        _check_settings(settings, parsers(), {*plugins.left_out, *plugins.broken()})
    top = parsers(name)
    options = settings.parse(top, rest)
    if options.values.command is None:
        top.print_help()
        return 2
    context = Context(plugins=plugins, settings=settings, options=options, parsers=parsers)
    return parsers.commands[options.values.command].run(options.values, context)


def _check_settings(settings: Settings, parser: Parser, absent: set[str]) -> None:
    """Refuses a name in the settings file that no option has, unless a plugin that is not here may have it."""
    from stoker.engine.errors import OptionError

    try:
        settings.check_names(parser, absent)
    except OptionError as error:
        if not absent:
            raise
        names = ", ".join(sorted(absent))
        print(f"warning: {error.what}; it may be one of a plugin that is broken or left out: {names}", file=sys.stderr)


class Parsers:
    """Makes the parser of the command line.

    Attributes:
        commands: The commands that plugins offer.
    """

    def __init__(self, plugins: Plugins) -> None:
        self._plugins = plugins
        self.commands = plugins.commands()

    def __call__(self, only: str | None = None) -> Parser:
        """Makes the parser of all commands.

        Args:
            only: The command whose options, actions and options of actions are filled in; None fills in all.
        """
        from stoker.engine.options.parser import CommandParser, TopParser

        first = only and only.partition(" ")[0]
        top = TopParser(prog="stoker", description="train Keras models here, or the same job elsewhere")
        _add_global_options(top)
        below = top.add_subparsers(dest="command", metavar="COMMAND", title="commands", parser_class=CommandParser)
        for command in self.commands.values():
            if " " not in command.name:
                child = _add_parser(below, command.name, command.summary)
                if first in {None, command.name}:
                    self._fill(child, command)
                    self._add_actions(child, command.name)
        return top

    def _add_actions(self, parser: Parser, name: str) -> None:
        """Adds the actions that commands of two words are, below the command that is their first word."""
        from stoker.engine.options.parser import sub_parsers

        below = sub_parsers(parser)
        for command in self.commands.values():
            first, _, action = command.name.partition(" ")
            if first != name or not action:
                continue
            if below is None or action in below.choices:
                lack = f"has an action {action!r} already" if below else "has no actions"
                self._plugins.add_problem("command", command.name, f"the command {name!r} {lack}")
                continue
            child = _add_parser(below, action, command.summary)
            child.set_defaults(command=command.name)
            self._fill(child, command)

    def _fill(self, parser: Parser, command: Command) -> None:
        from stoker.engine.options.parser import own_actions

        command.add_options(parser)
        own = {action.dest for action in own_actions(parser)}
        self._plugins.add_options(parser, command.like or command.name)
        parser.mark_plugin_options(own)


def _add_parser(below: argparse._SubParsersAction[Any], name: str, summary: str) -> Parser:
    shown: Any = {"help": summary} if summary else {}  # one without is not for people
    parser: Parser = below.add_parser(name, description=summary, **shown)
    return parser


def _add_global_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    from stoker.engine import VERSION

    add("--version", action="version", version=f"stoker {VERSION}")
    add("--debug", action="store_true", help="show where in the program an error came from")
    plugin = "load a plugin: module, ./file.py; no:NAME leaves one out"
    add("-p", "--plugin", action="append", metavar="PLUGIN", help=plugin)


def _check_interpreter() -> None:
    """Stops with one line when this Python is too old or lacks what every command needs."""
    if sys.version_info < _PYTHON:
        _stop(f"stoker needs Python {_PYTHON[0]}.{_PYTHON[1]} or newer; this is {sys.version.split()[0]}")
    try:
        import pluggy  # noqa: F401
    except ModuleNotFoundError as error:
        _stop(f"the package {error.name!r} is not installed for {sys.executable}", error.name)


def _stop(reason: str, package: str | None = None) -> NoReturn:
    """Ends the program with one line: what is wrong, and the command that helps."""
    own = _HERE / ".venv"
    python = own / "bin" / "python"
    helps = "install stoker with a newer Python"
    if python.exists() and Path(sys.prefix).resolve() != own.resolve():
        helps = shlex.join([str(python), str(_HERE / "cli.py"), *sys.argv[1:]])
    elif not python.exists() and (_HERE / "Makefile").exists():
        helps = f"make -C {shlex.quote(str(_HERE))} train"
    elif package:
        helps = shlex.join([sys.executable, "-m", "pip", "install", package])
    print(f"error: {reason}; try: {helps}", file=sys.stderr)
    raise SystemExit(2)


def _report(error: Exception, *, debug: bool) -> int:
    """Prints an error for people; the exit code, or 0 if it is not one of ours."""
    from importlib.metadata import PackageNotFoundError

    from stoker.engine.errors import StokerError

    if isinstance(error, PackageNotFoundError):  # its module may be there, from another distribution
        if debug:
            return 0
        print(f"error: pip knows no package {error.name!r} for {sys.executable}", file=sys.stderr)
        print("hint: --debug in front of the command shows who asks for it", file=sys.stderr)
        return 1
    if isinstance(error, ModuleNotFoundError) and not str(error.name).startswith("stoker"):
        _stop(f"the package {error.name!r} is not installed for {sys.executable}", error.name)
    if not isinstance(error, StokerError):
        return 0
    if debug:
        import traceback

        traceback.print_exception(error)
    from stoker.engine.terminal.text import visible

    print(visible(f"error: {error}"), file=sys.stderr)
    if error.hint:
        print(visible(f"hint: {error.hint}"), file=sys.stderr)
    return error.exit_code


if __name__ == "__main__":
    raise SystemExit(main())

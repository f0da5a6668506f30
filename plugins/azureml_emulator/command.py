"""`stoker azureml emulator`: runs the emulator in the foreground."""

from __future__ import annotations

import argparse
import contextlib
import shlex
import tempfile
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ...engine.errors import BackendError, OptionError
from ...engine.plugin.extras import missing_package
from ...engine.terminal.interrupt import interrupted_by_signals

_ENVIRONMENT = "environment.sh"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    parser.add_argument("--root", type=Path, metavar="DIR", help="where to keep the workspace (default: nowhere)")
    parser.add_argument("--port", type=int, default=0, metavar="N", help="where to listen (default: a free port)")


def run(options: argparse.Namespace, context: Any) -> int:
    """Runs the emulator until Ctrl-C, SIGTERM or the end of the terminal.

    Args:
        options: The options of the command.
        context: Not used.

    Raises:
        OptionError: `--port` is no port.
    """
    if not 0 <= options.port <= 65535:
        raise OptionError("--port is no port", received=options.port, expected="a number from 0 to 65535")
    # A shell makes what it runs in the background ignore Ctrl-C, and ends it with SIGTERM.
    with interrupted_by_signals():
        if options.root:
            return serve(options.root, port=options.port)
        with tempfile.TemporaryDirectory(prefix="stoker-azureml-") as folder:
            return serve(Path(folder), port=options.port)


def serve(root: Path, *, port: int = 0, wait: Callable[[], object] | None = None) -> int:
    """Runs the emulator until it is interrupted, and prints how clients find it.

    Args:
        root: Where the workspace is kept; `environment.sh` and `config.json` appear there.
        port: Where to listen; 0 takes a free port.
        wait: Returns, or raises KeyboardInterrupt, when the emulator is to stop; None waits forever.

    Returns:
        The exit code.

    Raises:
        BackendError: The port is taken.
        PluginError: A package is missing.
    """
    from .emulator import Emulator

    emulator = Emulator(root, port=port)
    try:
        emulator.start()
    except ModuleNotFoundError as error:
        raise missing_package("the emulator", str(error.name), "emulator") from error
    except OSError as error:
        hint = "leave --port out for a free one"
        raise BackendError(f"can't listen on 127.0.0.1:{port}: {error.strerror}", hint=hint) from error
    try:
        _announce(emulator.client_environment(), root, emulator.write_config(root))
        (wait or threading.Event().wait)()
    except KeyboardInterrupt:
        with contextlib.suppress(OSError):  # the terminal may be gone
            print("# stopped", flush=True)
    finally:
        emulator.stop()
    return 0


def _announce(environment: Mapping[str, str], root: Path, config: Path) -> None:
    lines = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in environment.items())
    (root / _ENVIRONMENT).write_text(lines, encoding="utf-8")
    print(lines, end="")
    print(f"# set these in the shell of the client, or there: . {shlex.quote(str(root / _ENVIRONMENT))}")
    print(f"# the workspace is described by {config}; Ctrl-C stops the emulator", flush=True)

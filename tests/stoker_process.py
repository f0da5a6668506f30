"""Runs the command line of this checkout as a user does: in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from stoker.engine.cache import VARIABLE

from .patience import PATIENCE_S

CLI = Path(__file__).resolve().parents[1] / "cli.py"


def stoker(*arguments: object, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs `python cli.py ARGUMENTS` in a folder and waits for its end."""
    return subprocess.run(
        command(*arguments),
        cwd=cwd,
        env=_environment(environment),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


def start(*arguments: object, cwd: Path, **popen: Any) -> subprocess.Popen[str]:
    """Starts `python cli.py ARGUMENTS` in a folder."""
    return subprocess.Popen(command(*arguments), cwd=cwd, env=_environment({}), text=True, **popen)


def command(*arguments: object) -> list[str]:
    """The words of `python cli.py ARGUMENTS`."""
    return [sys.executable, str(CLI), *(str(argument) for argument in arguments)]


def _environment(more: dict[str, str]) -> dict[str, str]:
    """This process' environment without what would change what stoker does."""
    kept = {name: value for name, value in os.environ.items() if name == VARIABLE or not name.startswith("STOKER_")}
    return kept | {"COLUMNS": "100"} | more

"""Runs Python in a process of its own that has this checkout as the package `stoker`, as conftest.py does it here."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

_HERE = Path(__file__).resolve().parent


def start(code: str, *arguments: object, **popen: Any) -> subprocess.Popen[str]:
    """Starts a process that runs `code`, which finds its arguments in `sys.argv[1:]`."""
    shim = f"import sys; sys.path.insert(0, {str(_HERE)!r}); import conftest; del sys.path[0]\n"
    return subprocess.Popen([sys.executable, "-c", shim + code, *map(str, arguments)], text=True, **popen)

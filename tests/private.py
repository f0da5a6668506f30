"""Makes a path private to somebody else, for whoever runs the tests: root could read it whatever its mode is."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


def make_private(monkeypatch: pytest.MonkeyPatch, private: Path) -> None:
    """Has the system refuse to open or to list a path."""

    def refusing(call: Callable[..., Any]) -> Callable[..., Any]:
        def refuse(path: Any = ".", *words: Any, **options: Any) -> Any:
            if not isinstance(path, int) and Path(os.fsdecode(path)) == private:
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(private))
            return call(path, *words, **options)

        return refuse

    for name in ("open", "scandir", "listdir"):
        monkeypatch.setattr(os, name, refusing(getattr(os, name)))

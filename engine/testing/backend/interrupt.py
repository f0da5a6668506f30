"""Acts at a chosen file operation below a folder, so that an interruption comes in the middle of the work for sure."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

_EVENTS = {"os.rename", "os.mkdir", "os.link", "os.symlink", "os.truncate"}
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


class Interrupt:
    """Counts the operations that write below a folder while the block runs, and acts from one of them on.

    Python reports every such operation to an audit hook before it happens (sys.addaudithook, PEP 578).

    Attributes:
        count: How many there were.
    """

    def __init__(self, folder: Path, moment: int, act: Callable[[], None]) -> None:
        self.count = 0
        self._places = {os.fspath(folder), os.path.realpath(folder)}
        self._moment, self._act = moment, act

    def __enter__(self) -> Interrupt:
        if not _active:
            sys.addaudithook(_audit)  # for good: no hook can be taken away
        _active.append(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _active[-1] = None

    def see(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Looks at one operation of Python."""
        if event == "open":
            if not isinstance(arguments[2], int) or not arguments[2] & _WRITING:
                return
        elif event not in _EVENTS:
            return
        names = [os.fsdecode(name) for name in arguments if isinstance(name, str | bytes)]
        if any(name == place or name.startswith(f"{place}/") for name in names for place in self._places):
            self.count += 1
            if 0 < self._moment <= self.count:
                self._act()


_active: list[Interrupt | None] = []


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    interrupt = _active[-1] if _active else None
    if interrupt:
        interrupt.see(event, arguments)

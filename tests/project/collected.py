"""A plugin of pytest that writes down which tests it collects, and with which parameters.

With COLLECTED_ELSEWHERE it does so as if on another machine, at another time.
"""

from __future__ import annotations

import json
import os
import platform
import re
import socket
import time
from collections.abc import Mapping, Sequence, Set
from pathlib import Path
from typing import Any

import pytest

LATER_S = 40_000_000.7
"""More than a year, and a part of a second."""


def move_away() -> None:
    """Changes what Python says about the time and the machine."""
    seconds, nanoseconds = time.time, time.time_ns
    time.time = lambda: seconds() + LATER_S
    time.time_ns = lambda: nanoseconds() + int(LATER_S * 1e9)
    os.cpu_count = lambda: 3
    os.getlogin = lambda: "somebody"
    socket.gethostname = platform.node = lambda: "elsewhere"


def described(value: Any) -> Any:
    """What is the same for equal parameters: no addresses in memory, no order where there is none."""
    if isinstance(value, Mapping):
        return [[described(name), described(each)] for name, each in value.items()]
    if isinstance(value, Set):
        return sorted((described(each) for each in value), key=repr)
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [described(each) for each in value]
    return re.sub(r"\b0x[0-9a-f]+", "0x", repr(value))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Writes all tests, those that are left out by their mark too."""
    tests = [[item.nodeid, described(getattr(item, "callspec", None) and item.callspec.params)] for item in items]  # type: ignore[attr-defined]
    Path(os.environ["COLLECTED"]).write_text(json.dumps(tests), encoding="utf-8")


if os.environ.get("COLLECTED_ELSEWHERE"):
    move_away()

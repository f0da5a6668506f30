"""A plugin for tests: counts what the training process does to files, and kills it at a chosen moment.

STOKER_TEST_FAULT is `record:FILE`, which appends one line a moment to FILE, or `kill:N`, which kills the process with
SIGKILL at moment N. Moments are the beginnings and ends of every function of `engine.files` that changes something.
"""

from __future__ import annotations

import functools
import itertools
import os
import signal
from collections.abc import Callable
from typing import Any

from stoker.engine import files
from stoker.engine.hookspecs import hookimpl

FUNCTIONS = ("sync_file", "sync_folder", "replace", "append_line", "remove_tree", "make_folder")
_moments = itertools.count(1)


@hookimpl
def stoker_callbacks() -> None:
    """Offers none; a plugin has at least one hook."""


def _moment(name: str) -> None:
    number, (action, _, what) = next(_moments), os.environ["STOKER_TEST_FAULT"].partition(":")
    if action == "record":
        with open(what, "a", encoding="utf-8") as stream:  # noqa: PTH123 - not through what is being counted
            stream.write(f"{number} {name}\n")
    elif number == int(what):
        os.kill(os.getpid(), signal.SIGKILL)


def _watched(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*arguments: Any, **named: Any) -> Any:
        _moment(f"before {function.__name__}")
        result = function(*arguments, **named)
        _moment(f"after {function.__name__}")
        return result

    return call


if os.environ.get("STOKER_TEST_FAULT"):
    for _name in FUNCTIONS:
        setattr(files, _name, _watched(getattr(files, _name)))

"""Talks to a person at a terminal: lines at once, a status line, and questions."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import TextIO

from ..errors import InputError


@contextlib.contextmanager
def status_line() -> Iterator[Callable[[str], None]]:
    """Gives a function that shows on a terminal what is being checked; the next text replaces it, "" erases it."""
    stream = sys.stderr  # kept, because calls of the SDK are silenced by putting another stream in its place

    def show(what: str) -> None:
        if stream.isatty():
            stream.write(f"\r\x1b[K{what and f'checking: {what} …'}")
            stream.flush()

    try:
        yield show
    finally:
        show("")


def say(line: str, stream: TextIO | None = None) -> None:
    """Prints a line at once, because what comes next may take long.

    Args:
        line: The line.
        stream: Where to print it; None prints to stdout.
    """
    print(line, file=stream, flush=True)


def can_ask() -> bool:
    """Tells whether somebody can be asked: stdin and stderr are terminals."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def confirmed(question: str, *, option: str) -> bool:
    """Asks a question and returns whether the answer is yes.

    Args:
        question: What to ask.
        option: The option that answers yes where there is no terminal.

    Raises:
        InputError: There is no terminal to ask at.
    """
    if not can_ask():
        raise InputError("nothing was deleted: there is no terminal to ask at", hint=f"pass {option}")
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in {"y", "yes"}

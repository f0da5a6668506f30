"""What a person at a terminal sees while something is looked at, and is asked before something is deleted."""

from __future__ import annotations

import contextlib
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterator
from typing import TextIO

from ..errors import InputError

_LEAST = 60


@contextlib.contextmanager
def status_line() -> Iterator[Callable[[str], None]]:
    """Gives what says, on a terminal, what is looked at now; the next line takes its place, "" wipes it."""
    stream = sys.stderr  # of before: the calls of the SDK are kept quiet by another one in its place

    def show(what: str) -> None:
        if stream.isatty():
            stream.write(f"\r\x1b[K{what and f'looking at: {what} …'}")
            stream.flush()

    try:
        yield show
    finally:
        show("")


def say(line: str, stream: TextIO | None = None) -> None:
    """Prints a line at once, for what comes next may take long; to stdout if nothing else is said."""
    print(line, file=stream, flush=True)


def labelled(label: str, text: str) -> Iterator[str]:
    """A text behind its label, in lines that fit; words stay whole, for they may be names to copy."""
    yield from textwrap.wrap(
        text,
        max(shutil.get_terminal_size().columns, _LEAST),
        initial_indent=label,
        subsequent_indent=" " * len(label),
        break_long_words=False,
        break_on_hyphens=False,
    )


def confirmed(question: str, *, option: str) -> bool:
    """Whether the person says yes.

    Args:
        question: What to ask.
        option: What says yes where there is nobody to ask.

    Raises:
        InputError: There is nobody to ask.
    """
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise InputError("nothing was deleted: there is no terminal to ask at", hint=f"pass {option}")
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in {"y", "yes"}

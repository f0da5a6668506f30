"""Prompts on the terminal: shows what stoker looks at, and asks before it deletes something."""

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
    """Yields a function that shows on a terminal what stoker looks at now; the next text replaces it, "" wipes it."""
    stream = sys.stderr  # kept now: stderr is replaced later to keep the SDK's calls quiet

    def show(what: str) -> None:
        if stream.isatty():
            stream.write(f"\r\x1b[K{what and f'looking at: {what} …'}")
            stream.flush()

    try:
        yield show
    finally:
        show("")


def say(line: str, stream: TextIO | None = None) -> None:
    """Prints a line at once, because what comes next may take long; to stdout unless `stream` is given."""
    print(line, file=stream, flush=True)


def labelled(label: str, text: str) -> Iterator[str]:
    """Wraps a text behind its label; words stay whole, because they may be names to copy."""
    yield from textwrap.wrap(
        text,
        max(shutil.get_terminal_size().columns, _LEAST),
        initial_indent=label,
        subsequent_indent=" " * len(label),
        break_long_words=False,
        break_on_hyphens=False,
    )


def confirmed(question: str, *, option: str) -> bool:
    """Asks a question on the terminal, and returns whether the answer is yes.

    Args:
        question: What to ask.
        option: The option that says yes without asking, for the hint.

    Raises:
        InputError: There is no terminal to ask at.
    """
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise InputError("nothing was deleted: there is no terminal to ask at", hint=f"pass {option}")
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in {"y", "yes"}

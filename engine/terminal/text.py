"""Formats figures, times, sizes and lines of text for a terminal."""

from __future__ import annotations

import math
import re
import shutil
import textwrap

_LEAST = 24
"""Columns that a text keeps beside its label, however narrow the terminal is."""

_ESCAPES = r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[]PX^_].*?(?:\x07|\x1b\\)|[ -/]*[0-~])?"
_OBEYED = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
_BROKEN = re.compile(r"[\t\n\ud800-\udfff]")
_CONTROLS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def clean(text: str) -> str:
    """Removes what a terminal would obey: escape sequences, control characters but tabs, changes of direction.

    Of a line that overwrites itself by carriage returns, the last text remains.
    """
    text = re.sub(_ESCAPES, "", text).rstrip("\r\n").rpartition("\r")[2]
    return _CONTROLS.sub("", text)


def visible(text: str) -> str:
    r"""Makes visible what a terminal would obey: each control character but tabs and newlines becomes its escape.

    For names, paths and messages, which other people may have written.

    Example:
        >>> visible("a\x1b[2Jb")
        'a\\x1b[2Jb'
    """
    return _OBEYED.sub(lambda match: match[0].encode("unicode_escape", "surrogatepass").decode(), text)


def in_line(text: str) -> str:
    r"""Makes visible what `visible` does, and tabs, line breaks, and bytes of a name that are no text.

    For the name of a file in the middle of a sentence.

    Example:
        >>> in_line("a\nb\udcff")
        'a\\nb\\udcff'
    """
    return _BROKEN.sub(lambda match: match[0].encode("unicode_escape").decode(), visible(text))


def rate(steps_per_s: float) -> str:
    """Formats a rate of steps; "" if it is unknown."""
    if not steps_per_s > 0:
        return ""
    return f"{steps_per_s:,.0f} steps/s" if steps_per_s >= 10 else f"{steps_per_s:.1f} steps/s"


def duration(seconds: float) -> str:
    """Formats a time in at most two units: "8 s", "3 min 20 s", "2 h 05 min"."""
    whole = math.ceil(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"


def megabytes(size_bytes: float) -> str:
    """Formats a size: "11.6 MB", with two decimals below 1 MB: "0.01 MB"."""
    return f"{size_bytes / 1e6:,.{1 if size_bytes >= 1e6 else 2}f} MB"


def labelled(label: str, text: str, width: int = 0) -> list[str]:
    """Wraps a text behind its label. Words stay whole, because they may be names or paths to copy.

    Args:
        label: What the first line begins with; the others are indented as far.
        text: The text.
        width: The columns of a line; 0 takes those of the terminal.
    """
    return textwrap.wrap(
        text,
        max(width or shutil.get_terminal_size().columns, len(label) + _LEAST),
        initial_indent=label,
        subsequent_indent=" " * len(label),
        break_long_words=False,
        break_on_hyphens=False,
    )

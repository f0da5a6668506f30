"""Finds secrets in text: keys and tokens by their forms, and values by the names before them."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from operator import itemgetter

from .secret_forms import PATTERNS, PREFIXES
from .secret_names import named_secrets

PRAGMA = "# pragma: allowlist secret"
"""The comment that lets a line pass; it is that of detect-secrets, so that one comment does for both."""

_BINARY = b"\0"
_AS_SETTINGS = "value.ini"
"""A name of a file in which values have no quotes."""


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret in a text; what it is, never what it says.

    Attributes:
        what: The kind of it.
        line: Where, counted from 1.
        allowed: Whether a comment on the line lets it pass.
    """

    what: str
    line: int
    allowed: bool = False

    def __str__(self) -> str:
        return f"{self.what} in line {self.line}"


def find(content: bytes, file: str = "") -> Secret | None:
    """Returns the first secret in a file's content, allowed or not; None if there is none."""
    return next(iter(find_all(content, file)), None)


def find_in_value(name: str, value: str) -> Secret | None:
    """Returns the first secret in the value of an option, or in a path; None if there is none.

    Beside what `find` sees, these are values that a name in the text gives away, tokens as a part of a path, and the
    login of a registry, which needs no scheme before it.

    Args:
        name: What the value is called; "" if that says nothing.
        value: The text.
    """
    text = value.replace(_BINARY.decode(), " ")
    named = f"{name} = {text!r}" if name else ""
    ways = ((named, ""), (text, ""), (text, _AS_SETTINGS), (text.replace("/", "\n"), ""))
    for each, file in ways:
        found = find(each.encode(errors="replace"), file)
        if found:
            return found
    login = _login().search(text)
    return Secret("a login", text.count("\n", 0, login.start()) + 1) if login else None


def find_all(content: bytes, file: str = "") -> list[Secret]:
    """Returns the secrets in a file's content, the first of each line; none if it is no text.

    Args:
        content: What the file holds.
        file: Its name or path, which says how values are written in it; "" is code.
    """
    text = _text(content)
    found: list[Secret] = []
    line, seen, end = 1, 0, -1
    for position, what in sorted(_positions(text, file), key=itemgetter(0)):
        if position < end:
            continue  # on the line of the last one
        line, seen = line + text.count("\n", seen, position), position
        end = text.find("\n", position)
        end = len(text) if end < 0 else end
        allowed = _allowing().search(text, position, end) is not None
        found.append(Secret(what, line, allowed))
    return found


def _text(content: bytes) -> str:
    """Returns a file's text, also if an editor of Windows wrote it; "" if it has none."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16", errors="replace")
    return "" if _BINARY in content[:8192] else content.decode("utf-8", errors="replace")


def _positions(text: str, file: str) -> Iterator[tuple[int, str]]:
    """Yields where secrets begin, with what they are; what has a form of its own comes first."""
    for what, prefix, pattern in _prefixes():
        if prefix in text:
            yield from ((match.start(), what) for match in pattern.finditer(text))
    for what, word, pattern in _patterns():
        if word in text:
            yield from ((match.start(), what) for match in pattern.finditer(text))
    yield from ((position, "a value named like a secret") for position in named_secrets(text, file))


@cache
def _prefixes() -> tuple[tuple[str, str, re.Pattern[str]], ...]:
    form = r"{0}(?<![A-Za-z0-9_+/-]{0})(?=[A-Za-z0-9]{{{1}}}|[a-z_.=+/-]*[A-Z0-9])[A-Za-z0-9_.=+/-]{{{1},}}"
    return tuple(
        (what, prefix, re.compile(form.format(re.escape(prefix), least)))
        for what, (least, prefixes) in PREFIXES.items()
        for prefix in prefixes.split()
    )


@cache
def _patterns() -> tuple[tuple[str, str, re.Pattern[str]], ...]:
    return tuple((what, word, re.compile(pattern)) for what, (word, pattern) in PATTERNS.items())


@cache
def _login() -> re.Pattern[str]:
    """Returns what matches `name:password@host`; an image with its tag and its digest looks much like it."""
    stand_in = r"(?!(?i:pass|password|passwd|pwd|token|secret)@)"
    return re.compile(
        rf"(?<![^\s=,;/])[^\s/:@'\"{{}}<>$]{{1,200}}:{stand_in}[^\s/:@'\"{{}}<>$]{{3,500}}@(?!sha\d+:)[\w\[]"
    )


@cache
def _allowing() -> re.Pattern[str]:
    return re.compile(r"(?:#|//|--|/\*)[ \t]*pragma: ?allowlist[ -]secret\b")

"""One line of an ignore file, as git reads it."""

from __future__ import annotations

import re
from dataclasses import dataclass

_CHARACTER = re.compile(
    r"""
    \\(?P<escaped>.) | (?P<blank>\s) | (?P<broken>\\\Z)
    | \[(?P<negated>[!^]?)(?P<members>\]?(?:\\.|\[:[a-z]+:\]|[^\]\\])*)\] | (?P<open>\[)
    """,
    re.DOTALL | re.VERBOSE,
)
"""What stands for one character of a path, but for `?` and the character itself."""

_MEMBER = re.compile(r"\[:([a-z]+):\]|\\(.)|([\[\]^&~|])", re.DOTALL)
_NAMED = {
    **{"alpha": "a-zA-Z", "digit": "0-9", "alnum": "a-zA-Z0-9", "upper": "A-Z", "lower": "a-z", "space": r"\s"},
    **{"xdigit": "0-9A-Fa-f", "blank": r" \t", "punct": r"!-/:-@\[-`{-~", "cntrl": r"\x00-\x1f\x7f"},
}
_ASIDE = 0xF0000
"""The first of the characters that no path has, which stand for what is put aside."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """One line of an ignore file.

    Attributes:
        text: The line.
        source: Where it stands: `.gitignore:3`.
        negated: It brings back what an earlier one excludes.
        folders_only: It is for folders.
        regex: What a path relative to the file's folder has to match; a group in it has matched a folder above.
    """

    text: str
    source: str
    negated: bool
    folders_only: bool
    regex: re.Pattern[str]

    @classmethod
    def parse(cls, line: str, source: str) -> Pattern | None:
        """Returns the pattern of a line; None for a comment, a blank line, and what can match nothing."""
        text = _stripped(line)
        if not text or text.startswith("#"):
            return None
        negated = text.startswith("!")
        body = text.removeprefix("!")
        folders_only = body.endswith("/")
        regex = _compiled(body.removesuffix("/"))
        return cls(text, source, negated, folders_only, regex) if regex else None

    def matches(self, path: str, *, is_folder: bool) -> bool:
        """Returns whether it is about a path itself, which is relative to its file's folder."""
        if self.folders_only and not is_folder:
            return False
        found = self.regex.search(path)
        return found is not None and not found.lastindex


def _stripped(line: str) -> str:
    """Returns the line without its end, and without trailing blanks but for one that a backslash holds."""
    text = line.removesuffix("\r")
    bare = text.rstrip(" ")
    escapes = len(bare) - len(bare.rstrip("\\"))
    return bare + " " if escapes % 2 and len(bare) < len(text) else bare


def _compiled(glob: str) -> re.Pattern[str] | None:
    """Returns what a path must match; None if nothing can.

    pathspec knows what `/`, `*` and `**` mean. What stands for one character is put aside meanwhile: pathspec reads
    sets as Python's `re` does, not as git does, and strips blanks.
    """
    from pathspec import GitIgnoreSpec, RegexPattern

    aside: list[str] = []

    def put_aside(match: re.Match[str]) -> str:
        aside.append(_character(match))
        return chr(_ASIDE + len(aside) - 1)

    anchor = "/" if "/" in glob else ""  # also one in a set, which is put aside
    literal = "\\" if glob.startswith(("!", "#")) else ""
    try:
        body = _CHARACTER.sub(put_aside, literal + glob)
    except ValueError:
        return None
    made = next(iter(GitIgnoreSpec.from_lines([anchor + body.removeprefix("/")]).patterns)) if body else None
    if not isinstance(made, RegexPattern) or made.regex is None:
        return None
    regex = str(made.regex.pattern)
    for index, each in enumerate(aside):
        regex = regex.replace(chr(_ASIDE + index), each)
    return re.compile(regex, re.DOTALL)


def _character(match: re.Match[str]) -> str:
    """Returns what stands for one character, as a regular expression.

    Raises:
        ValueError: It has no end, or is no set: git lets such a pattern match nothing.
    """
    if match["broken"] or match["open"]:
        raise ValueError("a pattern that does not end")
    if match["members"] is None:
        return re.escape(match["escaped"] or match["blank"])
    inside = _MEMBER.sub(_member, match["members"])
    try:
        re.compile(f"[{inside}]")
    except re.error as error:
        raise ValueError("no set of characters") from error
    return f"(?!/)[{'^' if match['negated'] else ''}{inside}]"


def _member(match: re.Match[str]) -> str:
    if match[1]:
        return _NAMED.get(match[1], "")
    return re.escape(match[2]) if match[2] else f"\\{match[3]}"

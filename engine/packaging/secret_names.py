"""Values that the name before them gives away: `password = "…"`, `api_key: …`, `AUTH_TOKEN=…`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import PurePosixPath

_STEMS = ("pass", "pwd", "secret", "token", "key", "pat", "credential", "connection")
"""What one of these names has in it."""

_NAME = r"(?P<name>pass(?:word|wd|phrase)?|pwd|secret(?:_?key)?|token|key|pat|credentials?|connection_?string)_?\d{0,2}"
_STRONG = ("password", "passwd", "passphrase", "pwd", "secret", "secretkey")
"""Names whose values are secrets whatever they look like."""

_QUALIFIED = (
    r"(?:(?:api|access|account|auth|service|private|client|database|db|encryption|signing|subscription|master|admin|"
    r"kaggle|secret)[_-]?key|(?:access|auth|api|bearer|refresh|private|bot|personal)[_-]?token|connection_?string|"
    r"(?:db|database|smtp|mail|user|ftp|my|pg)_?pass)$"
)
"""Names whose values are secrets if a digit is among letters."""

_RANDOM = r"(?:(?<!publickey)(?<!page_)token|(?<![a-z])pat|credentials?)$"
"""Names whose values are secrets if they look drawn at random."""

_LONGEST_QUALIFIER = 20
_SHORTEST, _SHORTEST_RANDOM, _RUN = 6, 16, 10
_QUOTED_ONLY = {
    *(".py", ".pyi", ".ipynb", ".json", ".js", ".ts", ".jsx", ".tsx", ".java", ".c", ".h", ".cc", ".cpp", ".go", ".rs"),
    *(".rb", ".jl", ".r", ".cs", ".scala", ".kt", ".php", ".html", ".css", ".csv", ".tsv", ".jsonl"),
}
"""In these, a value without quotes is an expression, or text."""

_SETTINGS = {
    *(".ini", ".cfg", ".conf", ".config", ".cnf", ".yaml", ".yml", ".toml", ".env", ".properties", ".sh", ".bash"),
    *(".zsh", ".rc", ".tf", ".service", ""),
}
"""In these, the word after a name is its value; elsewhere it may be a part of a sentence."""

_STAND_INS = ("your", "changeme", "change_me", "change-me", "placeholder", "redacted", "example", "xxxx", "dummy")
_WORDS = {
    *("required", "optional", "default", "disabled", "enabled", "prompt", "keyring", "unknown", "hidden", "missing"),
    *("string", "integer", "boolean", "object", "varchar", "bytes", "secretstr", "external", "inherit", "undefined"),
}
_KINDS = ("password", "passwd", "passphrase", "pwd", "secret", "token", "key", "credential")


def named_secrets(text: str, file: str) -> Iterator[int]:
    """Yields where a value begins that its name makes a secret.

    Args:
        text: The content of the file.
        file: Its name, which says how values are written in it; "" is code.
    """
    suffix = PurePosixPath(file.lower()).suffix if file else ".py"
    pattern = _assignment(unquoted=suffix not in _QUOTED_ONLY)
    for position in _stems(text):
        match = pattern.match(text, position)
        if match and _is_secret(match, in_settings=suffix in _SETTINGS):
            yield match.start("quoted") if match["quoted"] else match.start("bare")


def _stems(text: str) -> Iterator[int]:
    """Yields where such a name may begin; many times faster than a search for the whole expression."""
    lowered = text.encode("ascii", "replace").lower()  # as long as the text
    for stem in _STEMS:
        yield from (match.start() for match in re.finditer(stem.encode(), lowered))


@cache
def _assignment(*, unquoted: bool) -> re.Pattern[str]:
    r"""Returns what matches a name and its value.

    The name may be the last part of a longer one, a key in quotes (`\"` in a notebook), or have a type. A value
    without quotes ends with the line, or, right behind a `=`, with the word.
    """
    blank = r"[ \t]{0,30}"  # without an end, a line of blanks would take for ever
    annotated = rf"{blank}:{blank}[A-Za-z][\w.\[\] |]{{0,30}}=(?!=)"
    between = rf"(?:{blank}(?:\\?[\"'])?\]?(?:{annotated}|{blank}(?:=>|:=|[!=]=|[:=]))|>|[\"'] value=)"
    default = r"\\?[\"'](?P<comma>,)"
    quoted = r"(?:[bru@]?\\?(?P<quote>[\"'`])(?P<quoted>[^\s\"'`\\]{4,200})\\?(?P=quote))"
    bare = rf"(?P<bare>(?<==)[^\s\"'`,;&<>]{{4,200}}|[^\s\"'`,;&<>]{{4,200}}(?=<|{blank}(?:[,;#]|\\n|$)))"
    value = rf"(?:{quoted}|{bare})" if unquoted else quoted
    return re.compile(rf"{_NAME}(?:{between}|{default}){blank}{value}", re.IGNORECASE | re.MULTILINE)


def _is_secret(match: re.Match[str], *, in_settings: bool) -> bool:
    value, begin, end = match["quoted"] or match["bare"], *match.span("name")
    if _stands_in(value):
        return False
    name = match.string[max(0, begin - _LONGEST_QUALIFIER) : end]
    if match["name"].lower().replace("_", "") in _STRONG:
        sure = match["quoted"] is not None or in_settings
        if sure and not match["comma"]:
            return len(value) >= _SHORTEST and (match["quoted"] is not None or not re.search(r"[(\[\]]", value))
        return len(value) >= _SHORTEST and _is_mixed(value)
    if re.search(_QUALIFIED, name, re.IGNORECASE):
        return len(value) >= _SHORTEST and _is_mixed(value)
    return bool(re.search(_RANDOM, name, re.IGNORECASE)) and len(value) >= _SHORTEST_RANDOM and _is_random(value)


def _stands_in(value: str) -> bool:
    """Returns whether a value only stands for a secret: a reference, a name, stars."""
    lowered = value.lower()
    if re.search(r"[{}<>$]|%\(|\.\.\.", value) or value.startswith("!") or len(set(value)) < 3:
        return True
    if lowered in _WORDS or any(word in lowered for word in _STAND_INS):
        return True
    return not _has_digit(value) and any(kind in lowered for kind in _KINDS)


def _is_mixed(value: str) -> bool:
    return _has_digit(value) and any(letter.isalpha() for letter in value)


def _is_random(value: str) -> bool:
    """Returns whether digits stand among letters within a long run of both, as they don't in words."""
    return any(_is_mixed(run) for run in re.findall(rf"[A-Za-z0-9]{{{_RUN},}}", value))


def _has_digit(value: str) -> bool:
    return any(letter.isdigit() for letter in value)

"""Finds secrets in text: keys and tokens by the forms that those who hand them out give them."""

from __future__ import annotations

import re
from dataclasses import dataclass

_FORMS = {
    "a private key": r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----",
    "a key of AWS": r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
    "a secret key of AWS": r"(?i)aws_?secret_?access_?key\W{1,6}[A-Za-z0-9/+]{40}\b",
    "a key of an Azure storage account": r"AccountKey=[A-Za-z0-9+/]{40,}={0,2}|[\"' =][A-Za-z0-9+/]{86}==",
    "a shared access key of Azure": r"SharedAccessKey=[A-Za-z0-9+/]{40,}={0,2}",
    "a shared access signature of Azure": r"[?&]sig=[A-Za-z0-9%+/]{30,}",
    "a client secret of Azure": r"(?<![A-Za-z0-9_~.-])[A-Za-z0-9_~.-]{3}\dQ~[A-Za-z0-9_~.-]{31,34}",
    "a token of GitHub": r"\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{22})",
    "a token of Hugging Face": r"\bhf_[A-Za-z0-9]{30,}",
    "a token of Slack": r"\bxox[abeprs]-[A-Za-z0-9-]{10,}",
    "a key of Google": r"\bAIza[0-9A-Za-z_-]{35}",
    "a key of a language model's service": r"\bsk-[A-Za-z0-9_-]{32,}",
    "a signed web token": r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}",
    "a URL with a password or token": r"\b[a-zA-Z][a-zA-Z0-9+.-]*://"
    r"(?:[^\s/:@'\"{}<>$]*:[^\s/@'\"{}<>$]{3,}|[^\s/:@'\"{}<>$]{16,})@",
    "a secret by its name": r"(?i)[\"']?\b[a-z0-9_-]*(?:password|passwd|secret|api_?key|account_?key|access_?token|"
    r"auth_?token|private_?key|connection_?string)[\"']?\s*(?::\s*str\s*)?[:=]\s*[\"'][^\s\"'{}<>$]{8,}[\"']",
}
_PATTERNS = tuple((what, re.compile(form)) for what, form in _FORMS.items())
_BINARY = b"\0"


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret in a text; what it is, never what it says.

    Attributes:
        what: The kind of it.
        line: Where, counted from 1.
    """

    what: str
    line: int

    def __str__(self) -> str:
        return f"{self.what} in line {self.line}"


def find(content: bytes) -> Secret | None:
    """The first secret in a file's content; None if there is none, or if it is no text."""
    if _BINARY in content[:8192]:
        return None
    text = content.decode("utf-8", errors="replace")
    for what, pattern in _PATTERNS:
        match = pattern.search(text)
        if match:
            return Secret(what, text.count("\n", 0, match.start()) + 1)
    return None

"""Addresses of tracking servers: keeps passwords and tokens in them out of files and messages."""

from __future__ import annotations

import os
import re
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

from ....engine.errors import OptionError
from ....engine.paths import expanded

_SQLITE = "sqlite:///"
_SECRET = "passw|pwd|token|secret|key|sig"
_VARIABLES = ("MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN")


def address(text: str) -> str:
    """Converts the value of `--mlflow-uri`; makes the path of a database file absolute.

    Raises:
        OptionError: It has a password or token in it, which would be written into `job.json`.
        ValueError: It is not an address.
    """
    if has_secret(text):
        raise OptionError(
            "--mlflow-uri has a password or token in it, which would be written into the run's folder",
            expected="an address without one",
            hint="set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN; a database "
            "with a password goes whole into MLFLOW_TRACKING_URI",
        )
    path = unquote(text.removeprefix(_SQLITE))
    if text.startswith(_SQLITE) and path and path[0] != ":":
        return _SQLITE + quote(str(expanded(path).absolute()))
    return text


def has_secret(uri: str) -> bool:
    """Returns whether an address has a password or token in it; over HTTP a user name may be one.

    Raises:
        ValueError: It is not an address.
    """
    parts = urlsplit(uri)
    names = [name for name, _ in parse_qsl(parts.query)]
    return bool(
        parts.password or (parts.username and _is_http(parts)) or any(re.search(_SECRET, name, re.I) for name in names)
    )


def bare(uri: str) -> str:
    """Returns an address as it may be shown, without its secrets."""
    parts = urlsplit(uri)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="").geturl() if has_secret(uri) else uri


def hidden(text: str, uri: str) -> str:
    """Returns a text without the secrets of an address and of the environment, which it may quote."""
    parts = urlsplit(uri)
    secrets = [os.environ.get(name, "") for name in _VARIABLES]
    if has_secret(uri):
        secrets += [parts.netloc.rpartition("@")[0], parts.query, unquote(parts.password or "")]
    for secret in filter(None, secrets):
        text = text.replace(secret, "***")
    return text


def _is_http(parts: SplitResult) -> bool:
    return parts.scheme in {"http", "https"}

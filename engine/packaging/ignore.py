"""Which files of a folder stay here: git's ignore rules, `.amlignore` in place of `.gitignore`, and what never goes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath

AMLIGNORE, GITIGNORE = ".amlignore", ".gitignore"

_SECRET = "a secret"
_NEVER = {
    "the history of a repository": (".git", ".hg", ".svn", ".bzr"),
    "an environment": (".venv/", "venv/", ".tox/", ".nox/", "node_modules/", "site-packages/", "__pypackages__/"),
    "a cache": (
        *("__pycache__/", "*.py[cod]", ".*_cache/", ".cache/", ".hypothesis/", ".ipynb_checkpoints/"),
        *("*.egg-info/", ".eggs/", ".DS_Store", "*.swp", "*~", ".idea/", ".vscode/"),
    ),
    "runs": ("runs/", "mlruns/", "mlflow.db", "outputs/", "logs/"),
    "data": ("*-ubyte", "*-ubyte.gz", "*.tfrecord", "*.parquet"),
    _SECRET: (
        *(".env", ".env.*", "*.env", ".envrc", "*.pem", "*.key", "*.p12", "*.pfx", "*.jks", "*.keystore", "*.kdbx"),
        *("*.ppk", "*.gpg", "*.asc", "id_rsa*", "id_dsa*", "id_ecdsa*", "id_ed25519*", ".ssh/", ".gnupg/", ".aws/"),
        *(".azure/", ".azureml/", ".kube/", ".docker/", ".netrc", "_netrc", ".pgpass", ".npmrc", ".pypirc", "*.token"),
        *(".git-credentials", "credentials", "credentials.*", "*credentials.json", "client_secret*.json", "token"),
        *("service-account*.json", "service_account*.json", "secrets/", "secrets.*", ".secrets*", "*.secret"),
        *(
            "*.secrets",
            "azureauth.json",
            "local.settings.json",
            "kubeconfig",
            "token.json",
            "*.publishsettings",
            "*.tfstate*",
        ),
    ),
}
"""What never goes, and why, as patterns of git; no rule of a file brings it back."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """One line of an ignore file.

    Attributes:
        text: The line.
        source: Where it stands: `.gitignore:3`.
        negated: It brings back what an earlier one excludes.
        folders_only: It is for folders.
        regex: What a path relative to the file's folder has to match.
    """

    text: str
    source: str
    negated: bool
    folders_only: bool
    regex: re.Pattern[str]

    @classmethod
    def parse(cls, line: str, source: str) -> Pattern | None:
        """The pattern of a line; None for a comment or a blank line."""
        text = _stripped(line)
        if not text or text.startswith("#"):
            return None
        negated = text.startswith("!")
        body = text[negated:]
        folders_only = body.endswith("/")
        body = body.removesuffix("/")
        if not body:
            return None
        anchored = "/" in body
        regex = _translate(body.removeprefix("/"))
        prefix = "" if anchored else "(?:.*/)?"
        return cls(text, source, negated, folders_only, re.compile(prefix + regex, re.DOTALL))

    def matches(self, path: str, *, is_folder: bool) -> bool:
        """Whether it is about a path, which is relative to its file's folder."""
        return (is_folder or not self.folders_only) and bool(self.regex.fullmatch(path))


class Ignore:
    """The rules that hold in a folder and below it.

    Args:
        root: The topmost folder whose ignore files count.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._files: dict[Path, tuple[Pattern, ...]] = {}

    @classmethod
    def around(cls, folder: Path) -> Ignore:
        """The rules of the repository that `folder` is in; outside of one, from the nearest folder that has some."""
        places = (folder, *folder.parents)
        repository = (place for place in places if (place / ".git").exists())
        with_rules = (place for place in places if any((place / name).is_file() for name in (AMLIGNORE, GITIGNORE)))
        return cls(next(repository, None) or next(with_rules, folder))

    def walk(self, folder: Path) -> Iterator[tuple[Path, str]]:
        """Each file below a folder, in order, with the rule that keeps it here, or "".

        A folder that stays here is given by itself, with the rule; links are not followed and stay.
        """
        for path in sorted(folder.iterdir()):
            rule = "a link" if path.is_symlink() else self.rule(path, is_folder=path.is_dir())
            if path.is_dir() and not rule:
                yield from self.walk(path)
            else:
                yield path, rule

    def rule(self, path: Path, *, is_folder: bool = False) -> str:
        """The rule that keeps a path here, "" if there is none; its parent folders are taken to go."""
        is_code = is_folder and (path / "__init__.py").is_file()
        kept = "" if is_code else never(path.name, is_folder=is_folder)
        return kept or self._excluded(path, is_folder=is_folder)

    def _excluded(self, path: Path, *, is_folder: bool) -> str:
        """The last pattern about the path decides, in the innermost file that has one."""
        for folder in path.parents:
            relative = path.relative_to(folder).as_posix()
            for pattern in reversed(self._patterns(folder)):
                if pattern.matches(relative, is_folder=is_folder):
                    return "" if pattern.negated else f"{pattern.source}: {pattern.text}"
            if folder == self.root:
                break
        return ""

    def _patterns(self, folder: Path) -> tuple[Pattern, ...]:
        if folder not in self._files:
            name = next((name for name in (AMLIGNORE, GITIGNORE) if (folder / name).is_file()), None)
            self._files[folder] = _read(folder / name) if name else ()
        return self._files[folder]


def never(name: str, *, is_folder: bool = False) -> str:
    """Why something of this name never goes; "" if it may. Whether Python is a secret, its content tells."""
    for why, patterns in _never().items():
        if why == _SECRET and name.endswith(".py"):
            continue
        for pattern in patterns:
            if pattern.matches(name.lower(), is_folder=is_folder):
                return f"{why}: {pattern.text}"
    return ""


def secret_name(path: str) -> str:
    """The pattern by which a path, or a folder on the way to it, looks like a secret; "" if none does."""
    parts = PurePosixPath(path).parts
    for index, part in enumerate(parts):
        why = never(part, is_folder=index < len(parts) - 1)
        if why.startswith(_SECRET):
            return why
    return ""


@lru_cache(maxsize=1)
def _never() -> dict[str, tuple[Pattern, ...]]:
    return {
        why: tuple(pattern for line in lines if (pattern := Pattern.parse(line.lower(), "stoker")))
        for why, lines in _NEVER.items()
    }


def _read(path: Path) -> tuple[Pattern, ...]:
    lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    parsed = (Pattern.parse(line, f"{path.name}:{number}") for number, line in enumerate(lines, 1))
    return tuple(pattern for pattern in parsed if pattern)


def _stripped(line: str) -> str:
    """The line without its end, and without trailing blanks but for one that a backslash holds."""
    text = line.removesuffix("\r")
    bare = text.rstrip(" ")
    escapes = len(bare) - len(bare.rstrip("\\"))
    return bare + " " if escapes % 2 and len(bare) < len(text) else bare


def _translate(glob: str) -> str:
    """A pattern of git as a regular expression."""
    found: list[str] = []
    rest = glob
    while rest:
        if rest == "**" and not found:
            token, rest = ".*", ""
        elif rest.startswith("**/") and not found:
            token, rest = "(?:.*/)?", rest[3:].lstrip("/")
        elif rest.startswith("/**/"):
            token, rest = "/(?:.*/)?", rest[4:]
            while rest.startswith("**/"):
                rest = rest[3:]
        elif rest == "/**":
            token, rest = "/.+", ""
        elif rest[0] == "*":
            token, rest = "[^/]*", rest.lstrip("*")
        elif rest[0] == "?":
            token, rest = "[^/]", rest[1:]
        elif rest[0] == "[":
            token, rest = _class(rest)
        elif rest[0] == "\\":
            token, rest = (re.escape(rest[1]), rest[2:]) if rest[1:] else (_NOTHING, "")
        else:
            token, rest = re.escape(rest[0]), rest[1:]
        found.append(token)
    return "".join(found)


_NOTHING = "(?!)"
_CLASS = re.compile(r"\[([!^]?)(\]?(?:\\.|\[:[a-z]+:\]|[^\]\\])*)\]", re.DOTALL)
_NAMED = {
    **{"alpha": "a-zA-Z", "digit": "0-9", "alnum": "a-zA-Z0-9", "upper": "A-Z", "lower": "a-z", "space": r"\s"},
    **{"xdigit": "0-9A-Fa-f", "blank": r" \t", "punct": r"!-/:-@\[-`{-~", "cntrl": r"\x00-\x1f\x7f"},
}


def _class(rest: str) -> tuple[str, str]:
    """The set of characters that a text begins with, as a regular expression, and what follows it."""
    match = _CLASS.match(rest)
    if not match:
        return _NOTHING, ""  # no end: git lets such a pattern match nothing
    inside = re.sub(r"\[:([a-z]+):\]|\\(.)|([\[\]^&~|])", _member, match[2], flags=re.DOTALL)
    try:
        re.compile(f"[{inside}]")
    except re.error:
        return _NOTHING, rest[match.end() :]
    return f"(?!/)[{'^' if match[1] else ''}{inside}]", rest[match.end() :]


def _member(match: re.Match[str]) -> str:
    if match[1]:
        return _NAMED.get(match[1], "")
    return re.escape(match[2]) if match[2] else f"\\{match[3]}"

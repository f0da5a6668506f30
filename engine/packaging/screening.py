"""Keeps secrets out of a package: by name, by content, and in the options of the job."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..errors import InputError, few
from ..job import TrainJob
from . import secrets
from .never import secret_name
from .user_code import UserCode

_IF_NONE = f"if it is none, put the comment `{secrets.PRAGMA}` on the line"


def has_secret_name(place: str, path: Path, code: UserCode) -> bool:
    """Returns whether a file has a secret's name; it is then left out. Of Python, only the content is asked."""
    rule = "" if place.endswith(".py") else secret_name(place)
    if rule:
        _leave_out(path, rule, code)
    return bool(rule)


def holds_secret(place: str, data: bytes, code: UserCode) -> bool:
    """Returns whether a file holds a secret; it is then left out, or refused if the job needs it.

    What a comment on its line lets pass is noted and goes.

    Raises:
        InputError: The job needs it.
    """
    path, findings = code.files[place], secrets.find_all(data, place)
    barred = [str(one) for one in findings if not one.allowed]
    if not barred:
        code.allowed |= {str(path): tuple(str(one) for one in findings)} if findings else {}
        return False
    rule = f"it holds {few(barred)}"
    if place.endswith(".py"):  # without it the job would not run
        raise InputError(
            f"{path} may not leave this machine: {rule}",
            hint=f"take it out; code can read a secret from the environment or from a key vault; {_IF_NONE}",
            path=path,
        )
    _leave_out(path, rule, code, remedy="" if path.suffix == ".json" else f"; {_IF_NONE}")  # JSON has no comments
    return True


def refuse_secrets(job: TrainJob) -> None:
    """Refuses a job with a secret in one of its options: they lie in the package, in tags and names of the service.

    Raises:
        InputError: With the option's name.
    """
    for name, value in _texts(job):
        finding = secrets.find_in_value(name, value)
        if finding:
            raise InputError(
                f"the value of --{name.replace('_', '-')} may not leave this machine: it holds {finding.what}",
                hint="leave it out, and give it to the job through the environment of the service, or a key vault",
            )


def _texts(job: TrainJob) -> Iterator[tuple[str, str]]:
    """Yields each text of a job, with the name of its option."""
    for name, value in {**job.to_json(), **job.options}.items():
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, str):
                yield name, each


def _leave_out(path: Path, rule: str, code: UserCode, remedy: str = "") -> None:
    code.left_out[str(path)] = rule
    code.warnings.append(f"{path} is not sent: {rule}{remedy}")

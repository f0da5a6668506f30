"""Keeps secrets out of a package: by name, by content, and in the options of the job."""

from __future__ import annotations

from pathlib import Path

from ..errors import InputError, few
from ..job import TrainJob
from . import secrets
from .never import secret_name
from .user_code import UserCode

_COMMENT = f"; if it is none, put the comment `{secrets.PRAGMA}` on the line"


def has_secret_name(place: str, path: Path, code: UserCode) -> bool:
    """Returns whether a file has a secret's name; it is then left out, or refused if the job needs it.

    Raises:
        InputError: The job needs it.
    """
    rule = secret_name(place)
    if not rule:
        return False
    _leave_out(place, path, rule, code)
    return True


def holds_secret(place: str, data: bytes, code: UserCode) -> bool:
    """Returns whether a file holds a secret; it is then left out, or refused if the job needs it.

    What a comment on its line lets pass is noted and goes.

    Raises:
        InputError: The job needs it.
    """
    path, findings = code.files[place], secrets.find_all(data, place)
    barred = [str(one) for one in findings if not one.allowed]
    if barred:
        _leave_out(place, path, f"it holds {few(barred)}", code, hint=_COMMENT)
    elif findings:
        code.allowed[str(path)] = tuple(str(one) for one in findings)
    return bool(barred)


def refuse_secrets(job: TrainJob) -> None:
    """Refuses a job with a secret in one of its options: they would lie in the package and in the record of the run.

    Raises:
        InputError: With the option's name.
    """
    texts = {name: value for name, value in job.to_json().items() if isinstance(value, str)}
    for name, value in {**texts, **job.options}.items():
        finding = secrets.find(f"{name} = {str(value)!r}".encode())
        if finding:
            raise InputError(
                f"the value of --{name.replace('_', '-')} may not leave this machine: it holds {finding.what}",
                hint="leave it out, and give it to the job through the environment of the service, or a key vault",
            )


def _leave_out(place: str, path: Path, rule: str, code: UserCode, hint: str = "") -> None:
    if place.endswith(".py"):  # without it the job would not run
        raise InputError(
            f"{path} may not leave this machine: {rule}",
            hint=f"take the secret out of it; code can read it from the environment or from a key vault{hint}",
            path=path,
        )
    code.left_out[str(path)] = rule
    comment = hint if path.suffix != ".json" else ""  # which has no comments
    code.warnings.append(f"{path} is not sent: {rule}{comment}")

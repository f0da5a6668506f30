"""The package: all files that go up for a job, with one digest. It runs by itself, on a node or in a folder here."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from .. import files
from ..errors import InputError
from ..job import TrainJob
from . import secrets, user_code
from .engine_code import own_files, read
from .ignore import secret_name

JOB = "job.json"
"""The job, at the top of the package."""

MAX_BYTES, MAX_FILES = 300 * 10**6, 2000
"""The service's limits of a snapshot."""

_LARGEST = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Package:
    """What goes up.

    Attributes:
        files: {path with "/": content}, sorted by path.
        left_out: {file of the user's: the rule that keeps it here}.
        requirements: Installed distributions that the user's code needs: {name: version}.
        warnings: What may go wrong at the node, one sentence each.
    """

    files: Mapping[str, bytes]
    left_out: Mapping[str, str] = field(default_factory=dict)
    requirements: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @classmethod
    def of(cls, job: TrainJob) -> Package:
        """The package of a job; the same job and files give the same one, wherever stoker is installed.

        Raises:
            InputError: A file is missing, holds a secret, or the package is larger than the service takes.
        """
        code = user_code.gather(job)
        sources = {place: path for place, path in code.files.items() if not _secret_by_name(place, path, code)}
        _check_limits(sources)
        contents = {place: read(path) for place, path in sources.items()}
        contents = {place: data for place, data in contents.items() if not _secret_inside(place, data, code)}
        sent = job_to_send(job, code.names)
        _refuse_secrets(sent)
        contents |= {JOB: (json.dumps(sent.to_json(), indent=2) + "\n").encode()}
        contents |= own_files(job.plugins)
        whole = cls(
            files=dict(sorted(contents.items())),
            left_out=dict(sorted(code.left_out.items())),
            requirements=dict(sorted(code.requirements.items())),
            warnings=(*code.warnings, *_paths_in_options(job)),
        )
        _refuse_large({place: len(data) for place, data in whole.files.items()})
        return whole

    @property
    def digest(self) -> str:
        """The SHA-256 over all paths and contents, in hexadecimal."""
        lines = (f"{digest}  {place}\n" for place, digest in self.digests.items())
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    @property
    def digests(self) -> dict[str, str]:
        """{path: SHA-256, in hexadecimal}."""
        return {place: hashlib.sha256(data).hexdigest() for place, data in self.files.items()}

    @property
    def job(self) -> str:
        """The job that goes up, as JSON on one line."""
        return json.dumps(json.loads(self.files[JOB]))

    @property
    def sizes(self) -> dict[str, int]:
        """{path: size in bytes}."""
        return {place: len(data) for place, data in self.files.items()}

    def write(self, folder: Path) -> Path:
        """Writes the files below a folder, which is made, and gives it back.

        Raises:
            StorageError: They can't be written.
        """
        write_files(folder, self.files)
        return folder


def write_files(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Writes {path below the folder: content}; the folder is made.

    Raises:
        StorageError: They can't be written.
    """
    for place, data in contents.items():
        path = folder / place
        files.make_folder(path.parent)
        with files.storage_errors(path):
            path.write_bytes(data)


def job_to_send(job: TrainJob, names: Mapping[str, str]) -> TrainJob:
    """The job as the node gets it.

    Its data come from where the node has them, its model is registered by whoever submitted it, and a restarted job
    goes on even on another kind of processor.

    Args:
        job: The job.
        names: {what it calls a file: what the package calls it}.
    """
    return replace(
        job,
        name=job.title,
        data_folder="",
        register="",
        allow_drift=True,
        model=names.get(job.model, job.model),
        plugins=tuple(names.get(name, name) for name in job.plugins),
    )


def _secret_by_name(place: str, path: Path, code: user_code.UserCode) -> bool:
    """Whether a file has a secret's name; it is then left out, or refused if the job needs it."""
    rule = secret_name(place)
    if not rule:
        return False
    _leave_out(place, path, rule, code)
    return True


def _secret_inside(place: str, data: bytes, code: user_code.UserCode) -> bool:
    """Whether a file holds a secret; it is then left out, or refused if the job needs it."""
    finding = secrets.find(data)
    if not finding:
        return False
    _leave_out(place, code.files[place], f"it holds {finding}", code)
    return True


def _leave_out(place: str, path: Path, rule: str, code: user_code.UserCode) -> None:
    """Leaves a file out.

    Raises:
        InputError: It is Python: without it the job would not run.
    """
    if place.endswith(".py"):
        raise InputError(
            f"{path} may not leave this machine: {rule}",
            hint="take the secret out of it; code can read it from the environment or from a key vault",
            path=path,
        )
    code.left_out[str(path)] = rule
    code.warnings.append(f"{path} is not sent: {rule}")


def _refuse_secrets(job: TrainJob) -> None:
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


def _paths_in_options(job: TrainJob) -> list[str]:
    """A warning for each option that names a file of this machine."""
    named = {name: value for name, value in job.options.items() if isinstance(value, str) and "/" in value}
    return [
        f"--{name.replace('_', '-')} names {value}, which stays on this machine"
        for name, value in named.items()
        if "://" not in value and len(value) < 1000 and Path(value).expanduser().exists()
    ]


def _check_limits(sources: Mapping[str, Path]) -> None:
    """Refuses before anything large is read."""
    try:
        _refuse_large({place: path.stat().st_size for place, path in sources.items()})
    except OSError as error:
        raise InputError(f"can't read {error.filename}", received=error.strerror) from error


def _refuse_large(sizes: Mapping[str, int]) -> None:
    total = sum(sizes.values())
    if total <= MAX_BYTES and len(sizes) <= MAX_FILES:
        return
    largest = sorted(sizes, key=lambda place: (-sizes[place], place))[:_LARGEST]
    raise InputError(
        "the package is larger than Azure ML takes",
        received=f"{total / 1e6:,.1f} MB in {len(sizes):,} files; the largest: "
        + ", ".join(f"{place} ({sizes[place] / 1e6:,.1f} MB)" for place in largest),
        expected=f"at most {MAX_BYTES / 1e6:,.0f} MB in {MAX_FILES:,} files",
        hint="keep data out of it: put them into --data-folder, or name them in .amlignore",
    )

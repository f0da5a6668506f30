"""The package: all files that are sent for a job, with one digest. It runs by itself, on a node or in a folder here."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from .. import files
from ..errors import InputError, StokerError
from ..job import TrainJob
from ..paths import expanded
from . import user_code
from .engine_code import engine_files, read
from .entry import Entry
from .ignore import GITIGNORE
from .limits import Limits
from .names import refuse_names
from .screening import has_secret_name, holds_secret, refuse_secrets

JOB = "job.json"
"""The job, at the top of the package."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Package:
    """What is sent for a job.

    Attributes:
        files: {path with "/": content}, sorted by path.
        left_out: {file of the user's: the rule that keeps it here}.
        requirements: Installed distributions that the user's code needs: {name: version}.
        allowed: {file of the user's that is sent: what looks like a secret in it and a comment lets pass}.
        warnings: What may go wrong at the node, one sentence each.
    """

    files: Mapping[str, bytes]
    left_out: Mapping[str, str] = field(default_factory=dict)
    requirements: Mapping[str, str] = field(default_factory=dict)
    allowed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        job: TrainJob,
        *,
        entry: Entry | None = None,
        without: tuple[str, ...] = (),
        limits: Limits | None = None,
        ignore_files: Sequence[str] = GITIGNORE,
    ) -> Package:
        """Returns the package of a job; the same job and files give the same one, wherever stoker is installed.

        Args:
            job: The job.
            entry: What the node starts. It goes along with this engine; None sends neither, for a backend that has
                stoker there.
            without: Folders of the engine, with "/" at the end, that no node of this backend needs.
            limits: How large it may be; None is as large as it gets.
            ignore_files: The names of files with git's rules about what stays here; in a folder with several, the
                first counts.

        Raises:
            InputError: A file is missing, holds a secret, has a name that can't be sent, or the package is larger than
                the service takes.
        """
        code = user_code.gather(job, ignore_files)
        sources = {place: path for place, path in code.files.items() if not has_secret_name(place, path, code)}
        refuse_names(sources)
        if limits:
            limits.refuse(_sizes(sources), ignore_files[0])
        contents = {place: read(path) for place, path in sources.items()}
        contents = {place: data for place, data in contents.items() if not holds_secret(place, data, code)}
        sent = job_to_send(job, code.names)
        refuse_secrets(replace(sent, register=job.register))  # a name at the service
        contents |= {JOB: (json.dumps(sent.to_json(), indent=2) + "\n").encode()}
        contents |= engine_files(job.plugins, entry.source, without) if entry else {}
        whole = cls(
            files=dict(sorted(contents.items())),
            left_out=dict(sorted(code.left_out.items())),
            requirements=dict(sorted(code.requirements.items())),
            allowed=dict(sorted(code.allowed.items())),
            warnings=(*code.warnings, *_paths_in_options(job)),
        )
        if limits:
            limits.refuse(whole.sizes, ignore_files[0])
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
        """The job that is sent, as JSON on one line."""
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
    """Returns the job as the node gets it.

    The node reads the data where it has them, the submitter registers the model, and a restarted job may continue on
    another kind of processor.

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


def _paths_in_options(job: TrainJob) -> list[str]:
    """A warning for each option that names a file of this machine."""
    named = {name: value for name, value in job.options.items() if isinstance(value, str) and "/" in value}
    return [
        f"--{name.replace('_', '-')} names {value}, which stays on this machine"
        for name, value in named.items()
        if "://" not in value and _is_there(value)
    ]


def _is_there(value: str) -> bool:
    try:
        return expanded(value).exists()
    except (StokerError, OSError):  # it is no path
        return False


def _sizes(sources: Mapping[str, Path]) -> dict[str, int]:
    """Returns the sizes of files before anything large is read.

    Raises:
        InputError: One can't be found.
    """
    try:
        return {place: path.stat().st_size for place, path in sources.items()}
    except OSError as error:
        raise InputError(f"can't read {error.filename}", received=error.strerror) from error

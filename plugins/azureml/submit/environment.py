"""The Python environment of the node: made from the versions that are installed here, or the user's own file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ....engine import files
from ....engine.errors import InputError
from ....engine.packaging import secrets
from ....engine.packaging.requirements import canonical
from ....engine.paths import expanded
from .. import catalogue
from ..settings import AzureSettings
from .conda import checked
from .pins import MOUNTS, NEEDED, SDK, conda_text, pinned

_PREFIX = re.compile(r"^prefix[ \t]*:.*\n?(?:[ \t]+.*\n?)*", re.MULTILINE)
"""Where the environment lies on this machine, as `conda env export` writes it. It means nothing elsewhere."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Environment:
    """The environment of a job.

    Attributes:
        text: The conda YAML.
        origin: Where it comes from, in words.
        warnings: What may go wrong with it, one sentence each.
        registered: The name of a registered environment, "NAME" or "NAME:VERSION", which is used instead of the text.
    """

    text: str
    origin: str
    warnings: tuple[str, ...] = ()
    registered: str = ""


def make_environment(settings: AzureSettings, requirements: Mapping[str, str]) -> Environment:
    """The environment for a job.

    Args:
        settings: They name a file, or a VM size that decides about CUDA.
        requirements: What the user's code needs beside stoker: {distribution: version}.

    Raises:
        InputError: The user's file can't be read or lacks what is needed.
    """
    named = settings.registered_environment
    if settings.environment and not named:
        return _of_user(expanded(settings.environment), requirements)
    pins = pinned(requirements)
    text = conda_text(pins, gpu=catalogue.may_have_gpu(settings.vm_size))
    if named:
        note = f"what the environment {named} lacks is only found when the job is submitted"
        return Environment(text=text, origin="the workspace", warnings=(note,), registered=named)
    there = {canonical(name) for name in pins}
    missing = [name for name in (*NEEDED, SDK, MOUNTS) if canonical(name) not in there]
    warnings = [
        f"pip knows no version of {name} here, so its version in the environment is not pinned" for name in missing
    ]
    return Environment(text=text, origin="what is installed here", warnings=tuple(warnings))


def _of_user(path: Path, requirements: Mapping[str, str]) -> Environment:
    try:
        text = files.decode(files.read_plain(path))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        hint = "check the path, or name a registered environment: --azureml-environment NAME, or NAME:VERSION"
        raise InputError(f"can't read the environment {path}", received=reason, hint=hint, path=path) from error
    text = _PREFIX.sub("", text)
    finding = secrets.find(text.encode(), path.name)
    if finding:
        hint = "give the node its access by a connection of the workspace"
        raise InputError(f"{path} may not leave this machine: it holds {finding}", hint=hint, path=path)
    origin = str(path)
    try:
        import yaml
    except ModuleNotFoundError:
        note = f"{path} was not checked: that takes PyYAML, which comes with stoker[azureml]"
        return Environment(text=text, origin=origin, warnings=(note,))
    try:
        document = yaml.safe_load(text)
        warnings = checked(origin, document, requirements)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InputError(
            f"{path} is no conda environment",
            received=" ".join(str(error).split()),
            expected="YAML with a list `dependencies`: python=3.11, pip, and `pip:` with a list",
            path=path,
        ) from error
    if "prefix" in document:
        what = f"{path} says where it lies on this machine, in a form that stoker doesn't leave out"
        raise InputError(
            what, received="prefix", expected="a line `prefix: …`, or none", hint="leave it out", path=path
        )
    return Environment(text=text, origin=origin, warnings=warnings)

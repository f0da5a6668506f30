"""The Python environment of the node: made from the versions that are installed here, or the user's own file."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ....engine import files
from ....engine.command import command_line
from ....engine.errors import InputError
from ....engine.packaging import secrets
from ....engine.packaging.requirements import canonical
from ....engine.paths import expanded
from ....engine.plugin.extras import installed_version, providers
from .. import NAME, catalogue
from ..settings import AzureSettings

NEEDED = ("keras", "matplotlib", "numpy", "platformdirs", "pluggy", "requests", "tensorflow")
"""What stoker itself needs in a training process."""

SDK = "azureml-core"
MOUNTS = "azureml-dataset-runtime"
"""What a node mounts data sets with; `fuse` is the part of it that does."""

_OLDEST = (3, 11)
"""The oldest Python that stoker runs on, as its `requires-python` says."""

WITHOUT_IMGHDR = (3, 13)
"""From this Python on, the SDK lacks a module that the standard library had."""

_PACKAGE = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\])?\s*(?:==?\s*([A-Za-z0-9.+!-]+))?")
_PYTHON = re.compile(r"python==?[0-9]+[.][0-9]+([.][0-9]+)?")
_OPTION = re.compile(r"(?:-[rcef]|--(?:requirement|constraint|editable|find-links))[\s=]*")
_NAMED = re.compile(r"[A-Za-z0-9._-]+(?:\[[^\]]*\])?\s*@\s*")
_REMOTE = re.compile(r"(?:git\+)?(?:https?|ssh)://|git@")
_LOCAL = re.compile(r"(?:git\+)?file:|[./~$%]|[A-Za-z]:[\\/]|\S+\.(?:whl|zip|conda|tar\.gz|tar\.bz2)\b")
_NOT_ON_LINUX = {
    "appnope",
    "pywin32",
    "pywin32-ctypes",
    "pywinpty",
    "vc",
    "vs2015-runtime",
    "win-inet-pton",
    "wincertstore",
}
"""What `conda env export` lists on Windows and macOS, and conda finds nowhere else."""
ALIASES = {"azureml-defaults": SDK}
"""Distributions that bring the SDK."""


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
    if settings.environment and not settings.registered_environment:
        return _of_user(expanded(settings.environment), requirements)
    pins = pinned(requirements)
    there = {canonical(name) for name in pins}
    missing = [name for name in (*NEEDED, SDK, MOUNTS) if canonical(name) not in there]
    warnings = [
        f"pip knows no version of {name} here, so its version in the environment is not pinned" for name in missing
    ]
    text = _text(pins, gpu=catalogue.has_gpu(settings.vm_size))
    named = settings.registered_environment
    if named:
        note = f"what the environment {named} lacks is only found when the job is submitted"
        return Environment(text=text, origin="the workspace", warnings=(note,), registered=named)
    return Environment(text=text, origin="what is installed here", warnings=tuple(warnings))


def pinned(requirements: Mapping[str, str]) -> dict[str, str]:
    """The distributions that a job needs, with the versions that are installed here; what isn't is left out."""
    found = dict(pin for name in NEEDED if (pin := _pin(name)))
    found |= {name: version for name in (SDK, MOUNTS) if (version := installed_version(name))}
    if sys.version_info >= WITHOUT_IMGHDR and (version := installed_version("standard-imghdr")):
        found["standard-imghdr"] = version
    ours = {canonical(name) for name in NEEDED}  # the user's code may name one by the distribution that is here
    others = {name: version for name, version in requirements.items() if canonical(name) not in ours}
    return dict(sorted({**others, **found}.items()))


def _pin(module: str) -> tuple[str, str] | None:
    """Returns what a node gets of a module that is installed here: its usual distribution, and the version.

    `tensorflow-macos` and the like are for this machine. A development version exists under its own name only. What
    stands behind "+" is a build of one's own, which no index has.
    """
    for name, full in providers(module).items():
        version = full.partition("+")[0]
        if name == module or ".dev" in version:
            return name, version
        return module, ".".join(version.split(".")[:3])  # tensorflow-rocm counts its own builds in a fourth number
    return None


def _text(pins: Mapping[str, str], *, gpu: bool) -> str:
    """The YAML: conda for Python itself, pip for the rest, whose versions are those of this machine's pip."""
    # The image has CUDA but not the cuDNN that this TensorFlow was built for; the extra brings both in the versions
    # that it was, whatever the image has.
    extras = dict.fromkeys(("tensorflow", "tf-nightly"), "[and-cuda]") if gpu else {}
    extras[MOUNTS] = "[fuse]"
    lines = [f"{name}{extras.get(name, '')}=={version}" for name, version in pins.items()]
    there = {canonical(name) for name in pins}
    lines += [name + extras.get(name, "") for name in (*NEEDED, SDK, MOUNTS) if canonical(name) not in there]
    if sys.version_info >= WITHOUT_IMGHDR and "standard-imghdr" not in pins:
        lines.append("standard-imghdr")
    head = f"python={sys.version_info.major}.{sys.version_info.minor}"  # conda lacks some patch releases
    return "\n".join(
        [
            "channels:",
            "  - conda-forge",
            "dependencies:",
            f"  - {head}",
            "  - pip",
            "  - pip:",
            *(f"      - {line}" for line in sorted(lines)),
            "",
        ]
    )


def _of_user(path: Path, requirements: Mapping[str, str]) -> Environment:
    try:
        text = files.decode(path.read_bytes())
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        hint = "check the path, or name a registered environment: --azureml-environment NAME, or NAME:VERSION"
        raise InputError(f"can't read the environment {path}", received=reason, hint=hint, path=path) from error
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
        warnings = checked(origin, yaml.safe_load(text), requirements)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InputError(
            f"{path} is no conda environment",
            received=" ".join(str(error).split()),
            expected="YAML with a list `dependencies`: python=3.11, pip, and `pip:` with a list",
            path=path,
        ) from error
    return Environment(text=text, origin=origin, warnings=warnings)


def checked(name: str, document: Any, requirements: Mapping[str, str]) -> tuple[str, ...]:
    """Checks what a conda environment lists, and returns what may go wrong with it, one sentence each.

    Args:
        name: The environment, for messages: its file, or its name and version.
        document: The parsed YAML.
        requirements: What the user's code needs beside stoker: {distribution: version}.

    Raises:
        InputError: It lacks what is needed.
        ValueError: It is no conda environment.
    """
    channels, conda, pip = _entries(document)
    of_pip = _listed(pip)
    of_pip.pop("python", None)  # which pip can't install
    listed = of_pip | _listed(conda)
    _require(name, listed)
    _require_python(name, conda)
    _refuse_local(name, (*channels, *conda, *pip))
    return (*_of_other_systems(listed), *_differences(listed, requirements))


def _entries(document: Any) -> tuple[list[str], list[str], list[str]]:
    """The lines of a conda environment: its channels, and the packages of conda and of pip.

    Raises:
        ValueError: It is none.
    """
    entries = document.get("dependencies") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise ValueError("no list of dependencies")
    conda: list[str] = []
    pip: list[str] = []
    for entry in entries:
        if isinstance(entry, dict) and isinstance(entry.get("pip"), list):
            pip += entry["pip"]
        elif isinstance(entry, str):
            conda.append(entry)
        else:
            raise ValueError(f"not a package: {type(entry).__name__}")
    channels = document.get("channels") or []
    for each in (*pip, *(channels if isinstance(channels, list) else [channels])):
        if not isinstance(each, str):  # an alias may stand for more than could ever be written out
            raise ValueError(f"not a package or channel: {type(each).__name__}")
    return list(channels), conda, pip


def _listed(entries: Iterable[str]) -> dict[str, str]:
    """The packages of some lines, each with its version or ""."""
    matches = [match for each in entries if (match := _PACKAGE.match(each.rpartition("::")[2]))]
    return {canonical(match[1], ALIASES): match[2] or "" for match in matches}


def _require_python(environment: str, entries: Sequence[str]) -> None:
    """Refuses a Python that stoker doesn't run on, and a form that the SDK replaces by its default, 3.10.18.

    `CondaDependencies.get_python_version` of azureml-core 1.62 reads versions of two or three numbers.
    """
    names = {entry: _PACKAGE.match(entry.rpartition("::")[2]) for entry in entries}
    for entry in (entry for entry, name in names.items() if name and name[1].lower() == "python"):
        if not _PYTHON.fullmatch(entry):
            raise InputError(
                f"the environment {environment} names Python in a form that Azure ML's SDK replaces by another version",
                received=entry,
                expected="python=3.11, or python=3.11.9",
            )
        if tuple(map(int, entry.rpartition("=")[2].split(".")[:2])) < _OLDEST:
            raise InputError(
                f"the environment {environment} has a Python that stoker doesn't run on",
                received=entry,
                expected=f"python={'.'.join(map(str, _OLDEST))} or later",
            )


def _refuse_local(environment: str, entries: Sequence[str]) -> None:
    """Refuses what only means something on this machine: the build of the environment would fail, minutes later."""
    found = [entry for entry in entries if _is_local(entry)]
    if found:
        raise InputError(
            f"the environment {environment} names what is on this machine only: {', '.join(map(repr, found))}",
            expected="packages of an index or a channel, or addresses",
            hint="Python files beside the model's file are sent without being named; leave the line out",
        )


def _is_local(entry: str) -> bool:
    option = _OPTION.match(entry)
    where = entry[option.end() :] if option else _NAMED.sub("", entry, count=1)
    return not _REMOTE.match(where) and bool(option or _LOCAL.match(where))


def _of_other_systems(listed: Mapping[str, str]) -> list[str]:
    """What no node can install: one sentence each."""
    return [
        f"the environment has {name}, which does not exist for Linux, the system of the nodes"
        for name in sorted(_NOT_ON_LINUX & listed.keys())
    ]


def _require(environment: str, listed: Mapping[str, str]) -> None:
    """Refuses an environment in which stoker can't train."""
    lacking = [name for name in ("python", *NEEDED) if name not in listed]
    if lacking:
        writes = command_line("train", "--backend", NAME, "--dry-run", "DIR")
        raise InputError(
            f"the environment {environment} lacks {', '.join(lacking)}",
            expected="all that stoker needs to train",
            hint=f"`{writes}` without this option writes one that has them",
        )


def _differences(listed: Mapping[str, str], requirements: Mapping[str, str]) -> list[str]:
    """What is another version there than here, or isn't there."""
    here = {canonical(name, ALIASES): version for name, version in pinned(requirements).items()}
    python = ".".join(map(str, sys.version_info[:2]))
    found = []
    if listed["python"] and not f"{listed['python']}.".startswith(f"{python}."):
        found.append(f"the environment has Python {listed['python']}, this is {python}")
    for name, version in here.items():
        there = listed.get(name)
        if there is None and name in {canonical(each, ALIASES) for each in (*requirements, SDK)}:
            found.append(f"the environment lacks {name}, which is needed here in version {version}")
        elif there == "" and name in {"tensorflow", "keras", "numpy"}:
            found.append(f"the environment does not say which version of {name}; here it is {version}")
        elif there and there != version and name in NEEDED:
            found.append(f"the environment has {name} {there}, here it is {version}")
    return found

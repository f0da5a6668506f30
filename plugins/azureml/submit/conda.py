"""Checks a conda environment that stoker has not made: whether a job can train in it, and what is other than here."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ....engine.command import command_line
from ....engine.errors import InputError
from ....engine.packaging.requirements import canonical
from .. import NAME
from .pins import ALIASES, NEEDED, SDK, pinned

_OLDEST = (3, 11)
"""The oldest Python that stoker runs on, as its `requires-python` says."""

_PACKAGE = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\])?\s*(?:==?\s*([A-Za-z0-9.+!-]+))?")
_SDK_VERSION = re.compile(r"[0-9]+[.][0-9]+([.][0-9]+)?([ab][0-9]+)?$")
"""Where the SDK finds the version of Python: at the end of the line."""

_SDK_PYTHON = "3.10.18"
"""The Python that the SDK puts in, `PYTHON_DEFAULT_VERSION` of its `azureml.core.conda_dependencies`."""

_BOUND = re.compile(r"(?<![<>=!~])(<=|<|==?)\s*([0-9]+)(?:[.]([0-9]+))?(?:[.]([0-9]+))?")
"""What keeps a Python from being a later one, with its numbers."""

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


def checked(name: str, document: Any, requirements: Mapping[str, str], *, registered: bool = False) -> tuple[str, ...]:
    """Checks what a conda environment lists, and returns what may go wrong with it, one sentence each.

    Args:
        name: The environment, for messages: its file, or its name and version.
        document: The parsed YAML.
        requirements: What the user's code needs beside stoker: {distribution: version}.
        registered: Whether it is in the workspace already, where the SDK changes nothing and it may have been built.

    Raises:
        InputError: It lacks what is needed, or lists a package twice.
        ValueError: It is no conda environment.
    """
    channels, conda, pip = _entries(document)
    of_pip = _listed(pip)
    of_pip.pop("python", None)  # which pip can't install
    listed = of_pip | _listed(conda)
    _require(name, listed)
    pythons = [entry for entry in conda if (match := _package(entry)) and match[1].lower() == "python"]
    if not registered:
        _refuse_changed(name, pythons)
        _refuse_twice(name, conda, pip)
    _refuse_old(name, pythons)
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
    matches = [match for match in map(_package, entries) if match]
    return {canonical(match[1], ALIASES): match[2] or "" for match in matches}


def _package(entry: str) -> re.Match[str] | None:
    """The name and the version in a line, without the channel before them; None if it names no package."""
    return _PACKAGE.match(entry.rpartition("::")[2])


def _refuse_changed(environment: str, pythons: Iterable[str]) -> None:
    """Refuses a form of Python that the SDK changes, as `Environment.from_conda_specification` does.

    It takes the first line that begins with `python` and is called so up to a `=`, `<`, `>`, `~` or `!`. If that line
    does not end with a version of two or three numbers, it is replaced; if there is no such line, one is added.
    """
    for entry in pythons:
        if re.split(r"[\[=|<>~!]", entry)[0] != "python":
            what = f"adds python={_SDK_PYTHON} to"
        elif not _SDK_VERSION.search(entry):
            what = f"replaces by python={_SDK_PYTHON}"
        else:
            continue
        raise InputError(
            f"the environment {environment} names Python in a form that Azure ML's SDK {what}",
            received=entry,
            expected="python=3.11, or python=3.11.9",
        )


def _refuse_old(environment: str, pythons: Iterable[str]) -> None:
    """Refuses a Python that stoker doesn't run on: one that can't be as late as the oldest."""
    for entry in pythons:
        for sign, major, minor, patch in _BOUND.findall(entry):
            latest = (int(major), int(minor or (0 if sign == "<" else 99)))
            if latest < _OLDEST or (sign == "<" and latest == _OLDEST and not int(patch or 0)):
                raise InputError(
                    f"the environment {environment} has a Python that stoker doesn't run on",
                    received=entry,
                    expected=f"python={'.'.join(map(str, _OLDEST))} or later",
                )


def _refuse_twice(environment: str, conda: Iterable[str], pip: Iterable[str]) -> None:
    """Refuses a package of two versions: which one the node would have depends on the order of the installations.

    Lines with a condition of pip behind a `;` don't count, and 1.26 is the same as 1.26.4.
    """
    known: dict[str, tuple[str, str]] = {}
    for entry in (*conda, *(entry for entry in pip if ";" not in entry)):
        match = _package(entry)
        if not match or not match[2]:
            continue
        name, version = re.sub(r"[-_.]+", "-", match[1]).lower(), match[2]
        before, line = known.setdefault(name, (version, entry))
        if not (f"{before}.".startswith(f"{version}.") or f"{version}.".startswith(f"{before}.")):
            raise InputError(
                f"the environment {environment} lists {name} twice, in different versions",
                received=f"{line} and {entry}",
                expected="each package once",
                hint="leave out one of the two lines",
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
    if not listed["python"]:
        found.append(f"the environment does not say which version of Python; here it is {python}")
    elif not f"{listed['python']}.".startswith(f"{python}."):
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

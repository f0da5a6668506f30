"""Writes plugins for tests: a file for `-p`, or an installed package with an entry point."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from stoker.engine import hookspecs
from stoker.engine.event import EventKind, RunEvent
from stoker.engine.job import TrainJob
from stoker.engine.options.parser import Parser
from stoker.engine.plugin.hooks import NAMES

Install = Callable[..., str]
"""Installs a plugin with these parts of its source, `name=` and `value=` of its entry point; its name."""
HEAD = "from stoker.engine.hookspecs import hookimpl\n"


def hook(name: str, body: str, *, arguments: str | None = None) -> str:
    """The source of an implementation of a hook, with the hook's own arguments unless others are given."""
    if arguments is None:
        spec = getattr(hookspecs, name, None)
        arguments = ", ".join(inspect.signature(spec).parameters) if spec else ""
    return f"\n@hookimpl\ndef {name}({arguments}):\n{textwrap.indent(textwrap.dedent(body).strip(), '    ')}\n"


def every_hook(body: str) -> str:
    """The source of an implementation of every hook."""
    return "".join(hook(name, body) for name in NAMES)


def write(path: Path, *parts: str) -> Path:
    """Writes a plugin's file."""
    path.write_text(HEAD + "".join(parts), encoding="utf-8")
    return path


def install(folder: Path, name: str, version: str, *parts: str, value: str = "") -> None:
    """Puts a package into a folder, with the entry point `name` that leads to a module `name`."""
    folder.mkdir(parents=True, exist_ok=True)
    write(folder / f"{name}.py", *parts)
    information = folder / f"{name}_package-{version}.dist-info"
    information.mkdir()
    (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}-package\nVersion: {version}\n")
    (information / "entry_points.txt").write_text(f"[{hookspecs.PROJECT}]\n{name} = {value or name}\n")


def installer(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Installs plugins into a folder below this one for the time of a test, which then stands in it.

    A plugin's name is one that no other test's has, for an imported module stays.
    """
    monkeypatch.chdir(folder)
    site = folder / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))

    def run(*parts: str, name: str = "bad", value: str = "") -> str:
        unique = f"{name}_{re.sub(r'[^0-9a-z]', '', str(folder))[-60:]}"
        install(site, unique, "1.2", *parts, value=value.format(unique))
        return unique

    return run


def parser() -> Parser:
    """A parser that nobody has added options to."""
    return Parser(prog="x")


def finished(folder: Path) -> tuple[RunEvent, TrainJob, Path]:
    """What an observer is given at the end of a run."""
    return RunEvent(kind=EventKind.FINISHED, run_id="x"), TrainJob(), folder

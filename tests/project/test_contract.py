"""The flat files of engine/ are the contract: each names what is public, and guests use nothing else."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from pathlib import Path
from typing import Any

import pytest

from stoker.engine.plugin.discovery import import_file

ROOT = Path(__file__).resolve().parents[2]
GENERATOR: Any = import_file(ROOT / "docs/make_contract.py")
PAGE = (ROOT / "docs/contract.md").read_text(encoding="utf-8")
FLAT = sorted(path.stem for path in (ROOT / "engine").glob("*.py") if path.stem != "__init__")
MODULES = [*(f"stoker.engine.{name}" for name in FLAT), *(f"stoker.{name}" for name in GENERATOR.DATA_TOOLS)]
TEMPLATES = ROOT / "plugins/commands/scaffold/templates"
GUESTS = sorted(
    path
    for pattern in ("examples/*.py", "examples/stoker-ray/**/*.py", "plugins/commands/scaffold/templates/*.py.txt")
    for path in ROOT.glob(pattern)
    if "build" not in path.relative_to(ROOT).parts
)
SUITE = "stoker.engine.testing"


def defined(module: Any) -> set[str]:
    """The public names that a module defines at its top."""
    names = set()
    for node in ast.parse(inspect.getsource(module)).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names |= {each.id for target in targets for each in ast.walk(target) if isinstance(each, ast.Name)}
    return {name for name in names if not name.startswith("_")}


def imported(path: Path) -> set[tuple[str, str]]:
    """What a guest imports of stoker, as (module, name)."""
    found = set()
    for node in ast.walk(ast.parse(re.sub(r"@\w+@", "name", path.read_text(encoding="utf-8")))):
        if isinstance(node, ast.ImportFrom) and str(node.module).split(".")[0] == "stoker":
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                found.add((whole, "") if whole in MODULES else (str(node.module), alias.name))
    return found


def test_the_page_has_a_section_for_each_flat_file_of_the_engine() -> None:
    assert sorted(GENERATOR.MODULES) == FLAT


@pytest.mark.parametrize("name", MODULES)
def test_a_module_of_the_contract_names_all_that_is_public_in_it(name: str) -> None:
    module = importlib.import_module(name)
    assert defined(module) <= set(module.__all__)
    assert [each for each in module.__all__ if not hasattr(module, each)] == []


@pytest.mark.parametrize("name", MODULES)
def test_the_page_shows_each_public_name(name: str) -> None:
    module = importlib.import_module(name)
    section = PAGE.split(f"## {name.removeprefix('stoker.')}\n")[1].split("\n## ")[0]
    assert [each for each in module.__all__ if f"### `{each}`\n" not in section] == []


@pytest.mark.parametrize("path", [pytest.param(path, id=path.relative_to(ROOT).as_posix()) for path in GUESTS])
def test_examples_and_templates_import_nothing_but_the_contract(path: Path) -> None:
    public = {(name, each) for name in MODULES for each in ("", *importlib.import_module(name).__all__)}
    used = {(module, name) for module, name in imported(path) if not module.startswith(SUITE)}
    assert sorted(used - public) == []

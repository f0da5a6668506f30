"""Who may import whom, and what must not be imported to print a help text."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from stoker.engine.plugin.discovery import BUILT_IN

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("engine", "plugins", "datasets", "models")
HEAVY = {
    *("tensorflow", "keras", "numpy", "pathspec", "requests", "rich", "matplotlib", "mlflow", "tensorboard"),
    *("azureml", "azure"),
}
"""Packages that take longer to import than `--help` may take in all."""

LATE = {
    "stoker.datasets.assemble",
    "stoker.datasets.sheet",
    "stoker.datasets.source.http",
    "stoker.plugins.commands.display.curves",
    "stoker.plugins.commands.display.live",
    "stoker.plugins.commands.display.dashboard",
}
"""Modules that may import heavy packages at their top; in return, they are imported inside functions only."""

MAY_IMPORT = {
    "stoker.__main__": ("stoker.cli",),
    "stoker.cli": ("stoker.engine",),
    "stoker.engine": ("stoker.engine",),
    "stoker.datasets": ("stoker.engine", "stoker.datasets"),
    "stoker.models": ("stoker.engine", "stoker.models"),
    "stoker.plugins.local": ("stoker.engine", "stoker.plugins.local"),
    "stoker.plugins.azureml": ("stoker.engine", "stoker.plugins.azureml", "azureml", "azure"),
    "stoker.plugins.azureml.commands.emulator": ("stoker.engine", "stoker.plugins.azureml_emulator"),
    "stoker.plugins.azureml_emulator": ("stoker.engine", "stoker.plugins.azureml_emulator"),
    "stoker.plugins.trackers": ("stoker.engine", "stoker.plugins.trackers"),
    "stoker.plugins.commands": ("stoker.engine", "stoker.plugins.commands"),
    "stoker.plugins.commands.verify_resume": ("stoker.engine", "stoker.plugins.commands", "stoker.plugins.local"),
}
"""What a module may import of stoker and of Azure, by the longest name that fits."""


SUITE = ("stoker.engine.testing", "pytest")
"""What only the conformance suite itself may import: nobody else should need pytest."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Import:
    """One import statement's one name."""

    name: str
    line: int
    at_top: bool


def modules() -> dict[str, Path]:
    """The modules of the package by name."""
    paths = [ROOT / "cli.py", ROOT / "__main__.py", *(path for part in PARTS for path in (ROOT / part).rglob("*.py"))]
    return {_dotted(path): path for path in paths}


def _dotted(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(("stoker", *parts)).removesuffix(".__init__")


MODULES = modules()


@cache
def imports(module: str) -> tuple[Import, ...]:
    """What a module imports, with what only type checkers see left out."""
    return tuple(_walk(module, ast.parse(MODULES[module].read_text(encoding="utf-8")), at_top=True))


def _walk(module: str, node: ast.AST, *, at_top: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}:
            continue
        if isinstance(child, ast.Import | ast.ImportFrom):
            for name in _names(module, child):
                yield Import(name=name, line=child.lineno, at_top=at_top)
        inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        yield from _walk(module, child, at_top=at_top and not inside)


def _names(module: str, statement: ast.Import | ast.ImportFrom) -> list[str]:
    if isinstance(statement, ast.Import):
        return [alias.name for alias in statement.names]
    source = statement.module or ""
    if statement.level:
        up = statement.level - (MODULES[module].name == "__init__.py")
        package = module.split(".")[: len(module.split(".")) - up]
        source = ".".join([*package, *filter(None, [statement.module])])
    inner = [f"{source}.{alias.name}" for alias in statement.names]
    return [name if name in MODULES else source for name in inner]


def below(name: str, *packages: str) -> bool:
    """Whether a module is one of these packages or inside of one."""
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def allowed(module: str) -> tuple[str, ...]:
    """What a module may import of stoker and of Azure."""
    return MAY_IMPORT[max((rule for rule in MAY_IMPORT if below(module, rule)), key=len)]


def imported_at_start() -> set[str]:
    """The modules of stoker that every command line imports: the built-in plugins, cli.py, and what those need."""
    waiting = {"stoker.__main__", *BUILT_IN, *(one.name for one in imports("stoker.cli"))} & MODULES.keys()
    found: set[str] = set()
    while waiting:
        module = waiting.pop()
        found.add(module)
        parents = {module.rsplit(".", up)[0] for up in range(1, module.count("."))}
        needed = parents | {one.name for one in imports(module) if one.at_top}
        waiting |= (needed & MODULES.keys()) - found
    return found


def complaints(module: str, names: list[Import]) -> list[str]:
    """Import statements, as a person looks for them."""
    return [f"{MODULES[module].relative_to(ROOT)}:{one.line} imports {one.name}" for one in names]


@pytest.mark.parametrize("module", [name for name in sorted(MODULES) if name.count(".") > 1 or name in MAY_IMPORT])
def test_a_module_imports_only_what_its_place_allows(module: str) -> None:
    guarded = [one for one in imports(module) if below(one.name, "stoker", "azureml", "azure")]
    assert complaints(module, [one for one in guarded if not below(one.name, *allowed(module))]) == []


@pytest.mark.parametrize("module", [name for name in sorted(MODULES) if not below(name, *SUITE)])
def test_nothing_but_the_conformance_suite_imports_the_conformance_suite(module: str) -> None:
    assert complaints(module, [one for one in imports(module) if below(one.name, *SUITE)]) == []


def test_the_plugin_for_payloads_needs_no_pytest_wherever_it_is_loaded() -> None:
    waiting, found = {"stoker.engine.testing.backend.payload_plugin"}, set()
    while waiting:
        module = waiting.pop()
        found.add(module)
        top = {one.name for one in imports(module) if one.at_top}
        assert "pytest" not in top, module
        waiting |= (top & MODULES.keys()) - found
    assert "stoker.engine.testing.backend.payloads" in found


@pytest.mark.parametrize("module", sorted(MODULES.keys() - LATE))
def test_a_module_imports_heavy_packages_inside_functions_only(module: str) -> None:
    heavy = [one for one in imports(module) if one.at_top and below(one.name, *HEAVY)]
    assert complaints(module, heavy) == []


def test_what_imports_heavy_packages_at_its_top_is_not_imported_at_start() -> None:
    assert imported_at_start() & LATE == set()


def test_late_modules_exist_and_need_to_be_late() -> None:
    needless = {name for name in LATE if not any(one.at_top and below(one.name, *HEAVY) for one in imports(name))}
    assert needless == set()


def test_what_is_imported_at_start_is_found() -> None:
    """Guards the walk itself: an empty set would satisfy the rules above."""
    assert {
        "stoker.cli",
        "stoker.plugins",
        "stoker.engine.errors",
        "stoker.plugins.local.backend",
    } <= imported_at_start()

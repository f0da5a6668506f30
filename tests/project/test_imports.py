"""Who may import whom, in which order rooms stand, and what must not be imported to print a help text."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Set
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
    "stoker.datasets.sample_sheet",
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
    "stoker.plugins.azureml_emulator": ("stoker.engine.files", "stoker.plugins.azureml_emulator"),
    "stoker.plugins.azureml_emulator.command": (
        "stoker.engine.errors",
        "stoker.engine.plugin.extras",
        "stoker.engine.terminal.interrupt",
        "stoker.plugins.azureml_emulator.emulator",
    ),
    "stoker.plugins.azureml_emulator.plugin": (
        "stoker.engine.command",
        "stoker.engine.hookspecs",
        "stoker.plugins.azureml_emulator.command",
    ),
    "stoker.plugins.trackers": ("stoker.engine", "stoker.plugins.trackers"),
    "stoker.plugins.commands": ("stoker.engine", "stoker.plugins.commands"),
    "stoker.plugins.commands.verify_resume": ("stoker.engine", "stoker.plugins.commands", "stoker.plugins.local"),
}
"""What a module may import of stoker and of Azure, by the longest name that fits."""


SUITE = ("stoker.engine.testing", "pytest")
"""What only the conformance suite itself may import: nothing else should need pytest."""


ROOMS = (
    "stoker.engine",  # the flat files: the contract
    "stoker.engine.options",
    "stoker.engine.plugin",
    "stoker.engine.terminal",
    "stoker.engine.packaging",
    "stoker.engine.package",  # what a backend may use of packaging
    "stoker.engine.training",
    "stoker.engine.runs",
    "stoker.engine.testing",
    "stoker.datasets.idx",
    "stoker.datasets.source",
    "stoker.datasets",
    "stoker.datasets.readers",
    "stoker.datasets.plugin",
    "stoker.models",
    "stoker.plugins",
    "stoker.plugins.trackers",
    "stoker.plugins.trackers.mlflow",
    "stoker.plugins.local",
    "stoker.plugins.azureml",  # the flat files: settings, options, what a run is called
    "stoker.plugins.azureml.sdk",
    "stoker.plugins.azureml.rest",
    "stoker.plugins.azureml.cluster",
    "stoker.plugins.azureml.runs",
    "stoker.plugins.azureml.submit",
    "stoker.plugins.azureml.node",
    "stoker.plugins.azureml.backend",
    "stoker.plugins.azureml.commands",
    "stoker.plugins.azureml.plugin",
    "stoker.plugins.azureml_emulator.network",
    "stoker.plugins.azureml_emulator.state",
    "stoker.plugins.azureml_emulator.jobs",
    "stoker.plugins.azureml_emulator.service",
    "stoker.plugins.azureml_emulator.areas",
    "stoker.plugins.azureml_emulator",
    "stoker.plugins.commands.display",
    "stoker.plugins.commands.scaffold",
    "stoker.plugins.commands",
    "stoker.cli",
    "stoker.__main__",
)
"""The rooms from the bottom up: folders, and modules that stand above or below the rest of theirs.

A module belongs to the longest name that fits. It imports from its own room and from those below, no matter where the
import stands: at the top, in a function, or for type checkers only.
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Import:
    """One import statement's one name; `typing` marks one that only type checkers see."""

    name: str
    line: int
    at_top: bool
    typing: bool


def modules() -> dict[str, Path]:
    """The modules of the package by name."""
    paths = [ROOT / "cli.py", ROOT / "__main__.py", *(path for part in PARTS for path in (ROOT / part).rglob("*.py"))]
    return {_dotted(path): path for path in paths}


def _dotted(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(("stoker", *parts)).removesuffix(".__init__")


MODULES = modules()


@cache
def every_import(module: str) -> tuple[Import, ...]:
    """What a module imports anywhere."""
    return tuple(_walk(module, ast.parse(MODULES[module].read_text(encoding="utf-8")), at_top=True, typing=False))


@cache
def imports(module: str) -> tuple[Import, ...]:
    """What a module imports, with what only type checkers see left out."""
    return tuple(one for one in every_import(module) if not one.typing)


def _walk(module: str, node: ast.AST, *, at_top: bool, typing: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            for name in _names(module, child):
                yield Import(name=name, line=child.lineno, at_top=at_top, typing=typing)
        checked = isinstance(child, ast.If) and ast.unparse(child.test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}
        inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        yield from _walk(module, child, at_top=at_top and not inside, typing=typing or checked)


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


def room(module: str) -> str:
    """The room that a module belongs to; "" if none."""
    return max((name for name in ROOMS if below(module, name)), key=len, default="")


def circles(graph: Mapping[str, Set[str]]) -> list[list[str]]:
    """The groups of modules of which each needs each other, by whatever way; a module that needs itself is one too."""
    needed = {module: _needed(graph, module) for module in graph}
    groups = {frozenset(one for one in needed[module] if module in needed[one]) for module in graph}
    return sorted(sorted(group) for group in groups if group)


def _needed(graph: Mapping[str, Set[str]], module: str) -> set[str]:
    waiting, found = set(graph[module]), set()
    while waiting:
        found.add(one := waiting.pop())
        waiting |= graph[one] - found
    return found


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


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = {module: {one.name for one in every_import(module)} & MODULES.keys() for module in MODULES}
    arrows = [
        complaint
        for circle in circles(graph)
        for module in circle
        for complaint in complaints(module, [one for one in every_import(module) if one.name in circle])
    ]
    assert arrows == []


def test_circles_are_found() -> None:
    """Guards the search itself: one that finds nothing would satisfy the rule above."""
    graph = {"a": {"b"}, "b": {"c"}, "c": {"b", "d"}, "d": set(), "e": {"e"}, "f": {"a", "g"}, "g": {"f"}}
    assert circles(graph) == [["b", "c"], ["e"], ["f", "g"]]
    assert ("stoker.engine.backend", True) in {
        (one.name, one.typing) for one in every_import("stoker.engine.hookspecs")
    }


@pytest.mark.parametrize("module", sorted(MODULES))
def test_a_module_imports_from_its_own_room_and_from_those_below(module: str) -> None:
    own = [one for one in every_import(module) if one.name in MODULES]
    assert complaints(module, [one for one in own if ROOMS.index(room(one.name)) > ROOMS.index(room(module))]) == []


def test_each_module_has_a_room_and_each_room_a_module() -> None:
    assert {room(module) for module in MODULES} == set(ROOMS)


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
        "stoker.plugins.local.plugin",
    } <= imported_at_start()

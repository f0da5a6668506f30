"""The examples in the docstrings of what plugin authors import do what they say."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

EXAMPLES = (
    *("engine.files.atomic_writer", "engine.files.atomic_folder", "engine.files.append_line"),
    *("engine.files.decode", "engine.locks.is_locked", "engine.paths.expanded", "engine.process.ProcessIdentity"),
    *("engine.fetch.copy_outputs", "datasets.idx.read", "datasets.idx.write", "datasets.idx.sha256"),
    *("engine.job.TrainJob", "engine.rundir.RunDirectory", "engine.registry.Registry.register"),
    *("engine.strict_json.dumps", "engine.strict_json.loads", "engine.metrics.not_finite_losses"),
    *("engine.job.class_weights", "engine.job.option_text", "engine.status.Handle.parse"),
    *("engine.command.command_line", "engine.errors.InputError", "engine.errors.few"),
)
ENGINE = Path(__file__).resolve().parents[2] / "engine"
MODULES = (*(f"engine.{path.stem}" for path in sorted(ENGINE.glob("[!_]*.py"))), "datasets.idx")
MOST_LINES = 8


def examples() -> dict[str, doctest.DocTest]:
    """The docstrings with examples, by name."""
    found = {}
    for name in MODULES:
        module = importlib.import_module(f"stoker.{name}")
        tests = doctest.DocTestFinder(exclude_empty=True).find(module, f"stoker.{name}")
        found |= {test.name.removeprefix("stoker."): test for test in tests if test.examples}
    return found


def test_each_tool_that_plugins_import_has_an_example() -> None:
    assert sorted(examples()) == sorted(EXAMPLES)


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_does_what_it_says(name: str, tmp_path: Path) -> None:
    test = examples()[name]
    test.globs["folder"] = tmp_path
    said: list[str] = []
    failed, _ = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test, out=said.append)
    assert failed == 0, "".join(said)


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_short(name: str) -> None:
    assert sum(each.source.count("\n") + each.want.count("\n") for each in examples()[name].examples) < MOST_LINES

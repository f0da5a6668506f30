"""A command that trains nothing starts quickly, because it imports little."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

CLI = Path(__file__).resolve().parents[2] / "cli.py"
HEAVY = {"tensorflow", "keras", "numpy", "requests", "rich", "azureml"}
LIGHT_COMMANDS = ("--help", "--version", "train --help", "runs --help", "plugins", "config", "runs list")
LEAST = "import argparse, importlib.metadata, pluggy\nlist(importlib.metadata.entry_points(group='stoker'))"
"""What a command line with plugins can't do without."""
BUDGET = 2.0
"""How many calls `--help` may make, in multiples of those of `LEAST`."""
COUNTER = """
import sys
calls = 0
def count(*_):
    global calls
    calls += 1
source, sys.argv = sys.argv[1], ["stoker", *sys.argv[2:]]
code = compile(source, "measured", "exec")
sys.setprofile(count)
try:
    exec(code)
except SystemExit:
    pass
finally:
    sys.setprofile(None)
    print(f"calls: {calls}", file=sys.stderr)
"""


def imported(cwd: Path, *arguments: str) -> set[str]:
    """The top-level names of all modules that a command line imports."""
    command = [sys.executable, "-X", "importtime", str(CLI), *arguments]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=True)
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip().partition(".")[0] for line in lines}


def calls(source: str, cwd: Path, *arguments: str) -> int:
    """How many calls and returns a program takes, in a process of its own; time would depend on the machine's load.

    The second run counts, for the first may compile modules. Neither is measured by `make coverage`, whose own calls
    would count.
    """
    command = [sys.executable, "-c", COUNTER, source, *arguments]
    unmeasured = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    for _ in range(2):
        done = subprocess.run(
            command, cwd=cwd, env=unmeasured, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=True
        )
    return int(done.stderr.rpartition("calls: ")[2])


def times_the_least(source: str, cwd: Path, *arguments: str) -> float:
    """The calls of a program, as a multiple of those of `LEAST`."""
    return calls(source, cwd, *arguments) / calls(LEAST, cwd)


@pytest.mark.parametrize("arguments", LIGHT_COMMANDS)
def test_a_light_command_imports_nothing_heavy(arguments: str, tmp_path: Path) -> None:
    assert imported(tmp_path, *arguments.split()) & HEAVY == set()


def test_imports_are_seen(tmp_path: Path) -> None:
    """Guards the test above: it would pass if it saw nothing."""
    assert {"argparse", "pluggy", "stoker"} <= imported(tmp_path, "--help")


def test_help_makes_few_more_calls_than_finding_the_plugins(tmp_path: Path) -> None:
    program = f"import runpy\nrunpy.run_path({str(CLI)!r}, run_name='__main__')"
    assert times_the_least(program, tmp_path, "--help") < BUDGET


def test_calls_beyond_the_budget_are_seen(tmp_path: Path) -> None:
    """Guards the test above: it must be able to fail."""
    assert times_the_least(f"{LEAST}\nfor _ in range({calls(LEAST, tmp_path)}): len('')", tmp_path) > BUDGET

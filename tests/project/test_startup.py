"""A command that trains nothing starts quickly, because it imports little."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import pytest

CLI = Path(__file__).resolve().parents[2] / "cli.py"
HEAVY = {"tensorflow", "keras", "numpy", "requests", "rich", "azureml"}
LIGHT_COMMANDS = ("--help", "--version", "train --help", "runs --help", "plugins", "config", "runs list")
LEAST = "import argparse, importlib.metadata, pluggy\nlist(importlib.metadata.entry_points(group='stoker'))"
"""What a command line with plugins can't do without."""
BUDGET = 2.5
"""What `--help` may cost, in multiples of that; it costs 1.9 times as much."""
ROUNDS = 7


def imported(cwd: Path, *arguments: str) -> set[str]:
    """The top-level names of all modules that a command line imports."""
    command = [sys.executable, "-X", "importtime", str(CLI), *arguments]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=True)
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip().partition(".")[0] for line in lines}


def processor_seconds(*command: str) -> float:
    """What one run of a command costs; the clock on the wall would charge it for what else the machine does."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *command], check=True, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def times_the_least(*command: str) -> float:
    """What a command costs, as a multiple of `LEAST` on this machine: the best of several runs in turn of each."""
    pairs = [(processor_seconds(*command), processor_seconds("-c", LEAST)) for _ in range(ROUNDS)]
    return min(cost for cost, _ in pairs) / min(cost for _, cost in pairs)


@pytest.mark.parametrize("arguments", LIGHT_COMMANDS)
def test_a_light_command_imports_nothing_heavy(arguments: str, tmp_path: Path) -> None:
    assert imported(tmp_path, *arguments.split()) & HEAVY == set()


def test_imports_are_seen(tmp_path: Path) -> None:
    """Guards the test above: it would pass if it saw nothing."""
    assert {"argparse", "pluggy", "stoker"} <= imported(tmp_path, "--help")


def test_help_costs_little_more_than_finding_the_plugins() -> None:
    assert times_the_least(str(CLI), "--help") < BUDGET


def test_the_measure_sees_work_beyond_the_budget() -> None:
    """Guards the test above: it must be able to fail."""
    twice_more = f"import time\nused = time.process_time()\n{LEAST}\nused = time.process_time() - used"
    assert times_the_least("-c", f"{twice_more}\nwhile time.process_time() < {BUDGET + 2} * used: pass") > BUDGET

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
BUDGET_S = 0.150
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


def cost_beyond_the_interpreter(*command: str) -> float:
    """What a command costs more than a program that does nothing: the best of several runs in turn of each."""
    pairs = [(processor_seconds(*command), processor_seconds("-c", "pass")) for _ in range(ROUNDS)]
    return min(cost for cost, _ in pairs) - min(cost for _, cost in pairs)


@pytest.mark.parametrize("arguments", LIGHT_COMMANDS)
def test_a_light_command_imports_nothing_heavy(arguments: str, tmp_path: Path) -> None:
    assert imported(tmp_path, *arguments.split()) & HEAVY == set()


def test_imports_are_seen(tmp_path: Path) -> None:
    """Guards the test above: it would pass if it saw nothing."""
    assert {"argparse", "pluggy", "stoker"} <= imported(tmp_path, "--help")


def test_help_costs_less_than_its_budget() -> None:
    assert cost_beyond_the_interpreter(str(CLI), "--help") < BUDGET_S


def test_the_measure_sees_work_beyond_the_budget() -> None:
    """Guards the test above: it must be able to fail."""
    work = f"import time\nwhile time.process_time() < {BUDGET_S + 0.05}: pass"
    assert cost_beyond_the_interpreter("-c", work) > BUDGET_S

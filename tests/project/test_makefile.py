"""Setting up a checkout: which interpreter is chosen, what is done once, what is done again.

The interpreters are stand-ins that write down what they are asked to do.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ("sh", "cat", "cp", "echo", "find", "mkdir", "rm", "sed", "touch")
STAND_IN = """#!/bin/sh
printf '%s\\n' "${0##*/}: $*" >>"$JOURNAL"
case "$*" in
"-m venv .venv") mkdir -p .venv/bin && cp "$0" .venv/bin/python ;;
"-m pip install"*) exit "${PIP_ENDS_WITH:-0}" ;;
"-c import ensurepip"*) VENV ;;
"-c import sys"*) SUITS ;;
esac
"""
PARTS = {"format", "lint", "imports", "types", "pages", "force"}
"""Targets that are parts of others."""
MAKE = shutil.which("make")

pytestmark = pytest.mark.skipif(MAKE is None, reason="make is not installed")


@dataclass(frozen=True, kw_only=True, slots=True)
class Machine:
    """A checkout, and a machine that has no Python but those that a test puts there."""

    checkout: Path
    bin: Path
    journal: Path

    def add_python(self, name: str, *, suits: bool = True, venv: bool = True, runs: bool = True) -> Path:
        """Puts an interpreter on PATH."""
        text = STAND_IN.replace("SUITS", str(suits).lower()).replace("VENV", str(venv).lower())
        path = self.bin / name
        path.write_text(text if runs else "#!/bin/sh\nexit 127\n", encoding="utf-8")
        path.chmod(0o755)
        return path

    def make(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Runs make in the checkout."""
        self.journal.write_text("", encoding="utf-8")
        return subprocess.run(
            [str(MAKE), *arguments],
            cwd=self.checkout,
            env={"PATH": str(self.bin), "JOURNAL": str(self.journal), **environment},
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            check=False,
        )

    def done(self, what: str) -> list[str]:
        """The commands given to interpreters by the last `make` that contain this."""
        return [line for line in self.journal.read_text(encoding="utf-8").splitlines() if what in line]


@pytest.fixture(params=["checkout", "a b", "it's", 'a "b" -c'])
def machine(request: pytest.FixtureRequest, tmp_path: Path) -> Machine:
    """A machine without a Python; the checkout's folder has that name."""
    made = Machine(checkout=tmp_path / request.param, bin=tmp_path / "bin", journal=tmp_path / "journal")
    made.checkout.mkdir()
    made.bin.mkdir()
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, made.checkout)
    for tool in TOOLS:
        (made.bin / tool).symlink_to(str(shutil.which(tool)))
    return made


def test_train_sets_up_and_trains_with_what_it_was_given(machine: Machine) -> None:
    machine.add_python("python3")
    done = machine.make("train", "ARGS=--epochs 3 --name 'a b'")
    assert (done.returncode, done.stdout, done.stderr) == (0, "setting up .venv (once, a few minutes)\n", "")
    assert machine.done("cli.py") == ["python: cli.py train --epochs 3 --name a b"]


def test_train_is_what_make_does_without_a_target(machine: Machine) -> None:
    machine.add_python("python3")
    assert machine.make().returncode == 0
    assert machine.done("cli.py") == ["python: cli.py train"]


def test_a_second_train_sets_nothing_up(machine: Machine) -> None:
    machine.add_python("python3")
    machine.make("train")
    done = machine.make("train")
    assert (done.returncode, done.stdout) == (0, "")
    assert machine.done("venv") == machine.done("pip") == []
    assert machine.done("cli.py") == ["python: cli.py train"]


def test_tests_after_training_only_add_their_tools(machine: Machine) -> None:
    machine.add_python("python3")
    machine.make("train")
    machine.make("test", "ARGS=-k one")
    assert [line.rpartition(" ")[2] for line in machine.done("pip install")] == [".[dev]"]
    assert machine.done("-m venv") == []
    assert machine.done("pytest") == ["python: -m pytest --numprocesses auto --maxprocesses 4 --dist loadscope -k one"]


def test_training_after_tests_installs_nothing(machine: Machine) -> None:
    machine.add_python("python3")
    machine.make("test")
    machine.make("train")
    assert machine.done("pip") == []


def test_a_changed_project_file_is_installed_again(machine: Machine) -> None:
    machine.add_python("python3")
    machine.make("train")
    os.utime(machine.checkout / "pyproject.toml", (2**32, 2**32))
    machine.make("train")
    assert len(machine.done("pip install")) == 1
    assert machine.done("-m venv") == []


def test_an_installation_that_failed_is_done_again(machine: Machine) -> None:
    machine.add_python("python3")
    assert machine.make("train", PIP_ENDS_WITH="1").returncode != 0
    assert machine.done("cli.py") == []
    assert machine.make("train").returncode == 0
    assert len(machine.done("pip install")) == 1
    assert machine.done("-m venv") == []


def test_an_environment_that_was_moved_is_made_again(machine: Machine) -> None:
    machine.add_python("python3")
    machine.make("train")
    machine.checkout.rename(machine.checkout.with_name("moved"))
    moved = Machine(checkout=machine.checkout.with_name("moved"), bin=machine.bin, journal=machine.journal)
    done = moved.make("train")
    assert done.stdout.splitlines()[0] == "making .venv again"
    assert (len(moved.done("-m venv")), len(moved.done("pip install"))) == (1, 1)
    assert moved.make("train").stdout == ""


def test_an_environment_whose_interpreter_is_gone_is_made_again(machine: Machine) -> None:
    machine.add_python("python3")
    machine.make("train")
    (machine.checkout / ".venv/bin/python").unlink()
    assert machine.make("train").returncode == 0
    assert (len(machine.done("-m venv")), len(machine.done("pip install"))) == (1, 1)


def test_an_environment_made_by_hand_is_used_as_it_is(machine: Machine) -> None:
    python = machine.add_python("python3")
    (machine.checkout / ".venv/bin").mkdir(parents=True)
    shutil.copy(python, machine.checkout / ".venv/bin/python")
    assert machine.make("train").returncode == 0
    assert machine.done("-m venv") == []
    assert len(machine.done("pip install")) == 1


def test_interpreters_that_do_not_suit_or_run_are_passed_over(machine: Machine) -> None:
    machine.add_python("python3", suits=False)
    machine.add_python("python3.13", runs=False)
    machine.add_python("python3.12", venv=False)
    machine.add_python("python3.11")
    assert machine.make("setup").returncode == 0
    assert machine.done("-m venv") == ["python3.11: -m venv .venv"]


def test_the_interpreter_that_is_named_wins(machine: Machine) -> None:
    machine.add_python("python3")
    named = machine.add_python("my python")
    assert machine.make("setup", f"PYTHON={named}").returncode == 0
    assert machine.done("-m venv") == ["my python: -m venv .venv"]


@pytest.mark.parametrize(
    ("pythons", "arguments", "reason"),
    [
        ({}, (), "none of python3, python3.13, python3.12, python3.11 runs and is one of these"),
        (
            {"python3": {"suits": False}},
            (),
            "none of python3, python3.13, python3.12, python3.11 runs and is one of these",
        ),
        ({"python3": {"venv": False}}, (), "python3 lacks its module venv (Debian and Ubuntu have it in"),
        ({"python3": {}}, ("PYTHON=/no such/python",), "/no such/python is not one of these, or does not run"),
    ],
    ids=["none", "too old", "no venv", "named"],
)
def test_without_an_interpreter_one_line_says_why(
    machine: Machine, pythons: dict[str, dict[str, bool]], arguments: tuple[str, ...], reason: str
) -> None:
    for name, how in pythons.items():
        machine.add_python(name, **how)
    done = machine.make("train", *arguments)
    ours = [line for line in done.stderr.splitlines() if not line.startswith("make")]
    assert done.returncode == 2
    assert len(ours) == 1
    assert ours[0].startswith(f"error: stoker needs Python 3.11, 3.12 or 3.13: {reason}")
    assert not (machine.checkout / ".venv").exists()


def test_help_has_a_line_for_each_target_and_needs_no_python(machine: Machine) -> None:
    done = machine.make("help")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert all(re.fullmatch(r"make [a-z]+( \S+)* {2,}\S.*", line) for line in lines)
    targets = re.findall(r"^\.PHONY: (.*)", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)[0].split()
    assert {line.split()[1] for line in lines} == set(targets) - PARTS


def test_clean_keeps_the_runs(machine: Machine) -> None:
    machine.add_python("python3")
    machine.make("setup")
    for folder in ("runs/first/__pycache__", "engine/__pycache__", "build"):
        (machine.checkout / folder).mkdir(parents=True)
    assert machine.make("clean").returncode == 0
    assert (machine.checkout / "runs/first/__pycache__").exists()
    assert sorted(path.name for path in machine.checkout.iterdir()) == ["Makefile", "engine", "pyproject.toml", "runs"]


@pytest.mark.parametrize("machine", ["a b"], indirect=True)
def test_the_interpreter_of_these_tests_suits(machine: Machine) -> None:
    """The condition itself, which the stand-ins above do not judge, against a real interpreter."""
    assert machine.make("setup", f"PYTHON={sys.executable}", PIP_NO_INDEX="1", PIP_RETRIES="0").stderr != ""
    assert (machine.checkout / ".venv/bin/python").exists()

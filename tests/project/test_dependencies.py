"""Dependencies are bounded on both sides, what is installed lies within, and the lowest versions can be asked for."""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = {name: found for name, found in PROJECT["optional-dependencies"].items() if name not in {"dev", "docs"}}
REQUIREMENTS = sorted({*PROJECT["dependencies"], *(each for found in EXTRAS.values() for each in found)})
BOUNDS = re.compile(r"([\w-]+)>=([\d.]+),<(\d+)(; .+)?")


@pytest.mark.parametrize("requirement", REQUIREMENTS)
def test_a_dependency_has_a_lowest_version_and_a_highest_major_and_we_have_one_between(requirement: str):
    match = BOUNDS.fullmatch(requirement)
    assert match, "a requirement is NAME>=LOWEST,<MAJOR"
    name, lowest, above, marker = match.groups()
    try:
        version = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        assert marker, f"{name} is not installed"
        return
    numbers = [[int(number) for number in re.findall(r"\d+", text)] for text in (lowest, version, above)]
    assert numbers[0] <= numbers[1] < numbers[2]


def test_the_lowest_versions_are_constraints_for_pip():
    command = [sys.executable, str(ROOT / ".ci" / "lowest.py")]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    bounds = [BOUNDS.fullmatch(requirement) for requirement in REQUIREMENTS]
    assert lines == sorted({f"{match[1]}=={match[2]}" for match in bounds if match})

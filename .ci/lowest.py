"""Prints the lowest version of each dependency in pyproject.toml, as constraints for pip; the tools of `dev` stay free.

python .ci/lowest.py > lowest.txt
PIP_CONSTRAINT=lowest.txt make test PYTHON=python3.11
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

FREE = {"dev", "docs"}
"""The extras with the tools of whoever works on stoker."""


def lowest(requirements: list[str]) -> list[str]:
    """Returns "name==version" of each requirement that has a lower bound, in order."""
    found = (re.match(r"([\w-]+)>=([\w.]+)", requirement) for requirement in requirements)
    return [f"{match[1]}=={match[2]}" for match in found if match]


def main() -> None:
    """Prints them."""
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    requirements = [*project["dependencies"], *(each for name in extras if name not in FREE for each in extras[name])]
    print("\n".join(sorted(set(lowest(requirements)))))


if __name__ == "__main__":
    main()

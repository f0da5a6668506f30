"""Runs pytest on a file of test classes, in another process, and returns which tests failed."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

from ..patience import PATIENCE_S

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcomes:
    """The names of the tests of a class that passed, and of those that did not."""

    passed: set[str] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)


def outcomes(folder: Path, file: str, case: str = "") -> dict[str, Outcomes]:
    """Returns how the tests of a file beside this one end, by the names of their classes; `case` picks one class.

    Args:
        folder: Where the report may lie.
        file: The name of the file.
        case: The name of the class; "" runs all.
    """
    report = folder / "report.xml"
    what = str(Path(__file__).with_name(file)) + (f"::{case}" if case else "")
    words = ["-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junit-xml={report}", what]
    done = subprocess.run(
        [sys.executable, *words], cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert done.returncode == 1, done.stdout + done.stderr
    found: dict[str, Outcomes] = {}
    for test in ElementTree.parse(report).iter("testcase"):
        one = found.setdefault(test.attrib["classname"].rpartition(".")[2], Outcomes())
        (one.failed if test.findall("*[@message]") else one.passed).add(test.attrib["name"])
    return found

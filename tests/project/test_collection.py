"""Which tests there are, and with which parameters, is the same for everybody: workers that disagree end the suite."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from ..patience import PATIENCE_S

ROOT = Path(__file__).resolve().parents[2]
HERE = {"PYTHONHASHSEED": "1", "TZ": "Pacific/Pago_Pago"}
ELSEWHERE = {"PYTHONHASHSEED": "2", "TZ": "Pacific/Kiritimati", "COLLECTED_ELSEWHERE": "1", "STOKER_EPOCHS": "7"}
"""Another time, another date in any case, another machine, settings of the user, and no program on PATH."""


def start(folder: Path, tests: Path, environment: dict[str, str]) -> subprocess.Popen[str]:
    """Starts a process that writes what it collects into a file in `folder`."""
    folder.mkdir()
    own = {"COLLECTED": str(folder / "tests.json"), "TMPDIR": str(folder), "PYTHONPATH": str(Path(__file__).parent)}
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "STOKER_"))}
    words = ("--collect-only", "-qq", "-p", "collected", "-p", "no:cacheprovider", "-p", "no:xdist")
    return subprocess.Popen(
        [
            sys.executable,
            "-m",
            "pytest",
            *words,
            "--rootdir",
            str(ROOT),
            "-c",
            str(ROOT / "pyproject.toml"),
            str(tests),
        ],
        **{"cwd": ROOT, "env": {**kept, **own, **environment}, "text": True},
        **{"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT},
    )


def collect(folder: Path, tests: Path) -> tuple[list[Any], list[Any]]:
    """What is collected here and elsewhere, at the same time."""
    nowhere = {"PATH": str(folder / "bin"), "HOME": str(folder / "home")}
    places = {folder / "here": HERE, folder / "elsewhere": {**ELSEWHERE, **nowhere}}
    processes = [start(place, tests, environment) for place, environment in places.items()]
    for process in processes:
        said, _ = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 0, said
    one, other = (json.loads((place / "tests.json").read_text()) for place in places)
    return one, other


def test_the_suite_is_the_same_at_any_time_on_any_machine(tmp_path: Path) -> None:
    one, other = collect(tmp_path, ROOT / "tests")
    assert len(one) > 4000
    assert [pair for pair in zip(one, other, strict=True) if pair[0] != pair[1]] == []


MADE_OF = {
    "the time": "str(time.time())[:4]",
    "the date": "datetime.date.today()",
    "the time in a header": "gzip.compress(b'')",
    "the order of a set": "[*{'a', 'b', 'c', 'd', 'e', 'f', 'g'}]",
    "a hash": "hash('a')",
    "randomness": "random.random()",
    "another source of randomness": "uuid.uuid4()",
    "the process": "os.getpid()",
    "the folder for temporary files": "tempfile.gettempdir()",
    "which programs there are": "shutil.which('sh')",
    "the environment": "os.environ.get('STOKER_EPOCHS')",
    "the machine": "os.cpu_count()",
}
SUITE = """
import datetime, gzip, os, random, shutil, tempfile, time, uuid
import pytest

@pytest.mark.parametrize("made", [{}], ids={})
def test(made): pass

@pytest.mark.parametrize("made", [1, {{"a", "b", "c", "d"}}, [object()]])
def test_the_same(made): pass
"""


def test_parameters_that_depend_on_where_they_are_collected_are_seen(tmp_path: Path) -> None:
    """Guards the test above: it would pass if both were the same."""
    (tmp_path / "test_made.py").write_text(SUITE.format(", ".join(MADE_OF.values()), [*MADE_OF]))
    one, other = collect(tmp_path, tmp_path / "test_made.py")
    same = [pair[0][0].partition("::")[2] for pair in zip(one, other, strict=True) if pair[0] == pair[1]]
    assert len(one) == len(MADE_OF) + 3
    assert same == ["test_the_same[1]", "test_the_same[made1]", "test_the_same[made2]"]

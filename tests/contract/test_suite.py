"""The conformance suite itself: what is in it, who can use it, and what it says if it can't be used."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from pathlib import Path

from stoker.engine import testing
from stoker.engine.plugin.extras import install_command
from stoker.engine.testing import BackendContract, DatasetContract, ModelContract

from ..child import start
from ..patience import PATIENCE_S

SUITE = Path(testing.__file__).parent
WITHOUT_PYTEST = """
sys.modules["pytest"] = None
import stoker.engine.testing.backend.payload_plugin
try:
    from stoker.engine.testing import BackendContract
except ModuleNotFoundError as error:
    print(error)
"""
THIRD_PARTY = """
from stoker.engine.testing import BackendContract
from stoker.plugins.local.backend import LocalBackend


class TestMine(BackendContract):
    def make_backend(self):
        return LocalBackend()
"""
RUN = "import pytest; raise SystemExit(pytest.main(['-q', '-c', sys.argv[1], '-k', 'promise_2', sys.argv[2]]))"


def names_of(contract: type) -> list[str]:
    return [name for name in dir(contract) if name.startswith("test_")]


def test_each_promise_of_a_backend_has_tests_and_there_are_at_least_sixty():
    promises = Counter(
        match[1] for name in names_of(BackendContract) if (match := re.match(r"test_promise_(\d)_", name))
    )
    assert set(promises) == set("123456789")
    assert min(promises.values()) >= 5
    assert sum(promises.values()) >= 60


def test_data_sets_and_models_have_a_contract_too():
    assert len(names_of(DatasetContract)) >= 10
    assert len(names_of(ModelContract)) >= 10


def test_each_module_with_an_assertion_is_known_to_pytest():
    modules = {".".join(path.relative_to(SUITE).with_suffix("").parts): path for path in SUITE.rglob("*.py")}
    asserting = {name for name, path in modules.items() if re.search(r"^ +assert ", path.read_text(), re.M)}
    assert asserting <= set(testing._WITH_ASSERTIONS)
    assert modules.keys() >= set(testing._WITH_ASSERTIONS)


def test_without_pytest_one_line_says_what_to_install_and_payloads_still_run(tmp_path: Path):
    said, _ = start(WITHOUT_PYTEST, cwd=tmp_path, stdout=subprocess.PIPE).communicate(timeout=PATIENCE_S)
    missing = "BackendContract needs the package 'pytest', which is not installed here"
    assert said == f"{missing}; try: {install_command('testing')}\n"


def test_a_file_of_ten_lines_in_a_folder_of_somebody_elses_is_all_that_it_takes(tmp_path: Path):
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_mine.py").write_text(THIRD_PARTY)
    process = start(RUN, tmp_path / "pytest.ini", tmp_path / "test_mine.py", cwd=tmp_path, stdout=subprocess.PIPE)
    said, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, said
    assert re.search(r"^\d+ passed, \d+ deselected", said, re.M)

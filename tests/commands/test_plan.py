"""`stoker plan` and `train --dry-run` say what would happen, in the form that was asked for, and refuse what can't."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from stoker.cli import main

from .. import plugin_files
from ..plugin_files import hook

TOWER = """
from stoker.engine.backend import Plan

class Tower:
    poll_s, runs_here, limits = 1.0, False, {}

    def plan(self, job):
        return Plan(backend="tower", steps=("climb",), warnings=("it is high",), documents={"b": b"x", "a/c": b"y"})
"""
PLANS = (["plan"], ["train", "--dry-run"])


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Makes a working folder with a backend that trains elsewhere."""
    monkeypatch.chdir(tmp_path)
    offer, make = "return {'tower': 'x'}", "return Tower() if name == 'tower' else None"
    plugin_files.write(tmp_path / "tower.py", TOWER, hook("stoker_backends", offer), hook("stoker_get_backend", make))
    return tmp_path


def plan_of(*argv: str) -> int:
    return main(["-p", "tower.py", *argv])


@pytest.mark.parametrize("argv", [*PLANS, ["train"]], ids=" ".join)
@pytest.mark.parametrize("backend", ["local", "azureml"])
def test_a_data_folder_that_does_not_exist_is_refused_as_train_refuses_it(
    here: Path, capsys: pytest.CaptureFixture[str], argv: list[str], backend: str
):
    assert plan_of(*argv, "--backend", backend, "--data-folder", "nowhere") == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: no such folder: {here / 'nowhere'}\n  expected: ")
    assert error.endswith("hint: check the path given with --data-folder\n")


def test_a_data_folder_that_is_a_file_is_refused(here: Path, capsys: pytest.CaptureFixture[str]):
    assert plan_of("plan", "--data-folder", "tower.py") == 2
    assert capsys.readouterr().err.startswith(f"error: {here / 'tower.py'} is not a folder\n")


def test_a_data_folder_may_be_one_that_only_the_machines_of_a_backend_have():
    assert plan_of("plan", "--backend", "tower", "--data-folder", "nowhere") == 0


def as_json(capsys: pytest.CaptureFixture[str], *argv: str) -> dict[str, Any]:
    assert plan_of(*argv, "--json") == 0
    (line,) = capsys.readouterr().out.splitlines()
    value: dict[str, Any] = json.loads(line)
    return value


@pytest.mark.parametrize("argv", PLANS, ids=" ".join)
def test_with_json_the_plan_is_one_object_on_one_line(capsys: pytest.CaptureFixture[str], argv: list[str]):
    assert as_json(capsys, *argv, "--backend", "tower") == {
        "backend": "tower",
        "steps": ["climb"],
        "warnings": ["it is high"],
        "files": {},
        "documents": ["a/c", "b"],
        "written_to": "",
    }


def test_with_json_the_object_names_the_folder_that_was_written(here: Path, capsys: pytest.CaptureFixture[str]):
    assert as_json(capsys, "plan", "--dry-run", "a plan")["written_to"] == "a plan"
    assert (here / "a plan" / "plan.txt").is_file()


@pytest.mark.parametrize("argv", [*PLANS, ["plan", "--json"]], ids=" ".join)
def test_with_quiet_nothing_is_said_of_a_plan_that_can_be_made(capsys: pytest.CaptureFixture[str], argv: list[str]):
    assert plan_of(*argv, "--backend", "tower", "--quiet") == 0
    assert capsys.readouterr() == ("", "")


def test_with_quiet_a_plan_is_written_and_what_is_wrong_is_said(here: Path, capsys: pytest.CaptureFixture[str]):
    assert plan_of("plan", "--quiet", "--dry-run", "a plan") == 0
    assert (here / "a plan" / "job.json").is_file()
    assert plan_of("plan", "--quiet", "--dry-run", "a plan") == 2
    assert capsys.readouterr().err.startswith("error: a plan exists")

"""What continuous integration and hooks run is what a contributor can run: targets that exist, with few rights."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from stoker.engine import VERSION

ROOT = Path(__file__).resolve().parents[2]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = set(re.findall(r"^([a-z]+):", MAKEFILE, re.M))
FILES = (
    *sorted((ROOT / ".github").rglob("*.yml")),
    *(ROOT / name for name in (".pre-commit-config.yaml", "mkdocs.yml", "CITATION.cff")),
)


def loaded(path: Path) -> Any:
    """What a YAML file holds."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))


WORKFLOW = loaded(ROOT / ".github/workflows/test.yml")


def commands() -> list[str]:
    """Each command line of the workflow, with the values of its matrix in it."""
    found = []
    for job in WORKFLOW["jobs"].values():
        entries = job.get("strategy", {}).get("matrix", {}).get("include", [])
        for run in (step["run"] for step in job["steps"] if "run" in step):
            given = [entry["command"] for entry in entries if "command" in entry]
            found += given if run == "${{ matrix.command }}" else [run]
    return found


def made(command: str) -> set[str]:
    """The targets that a command line makes."""
    words = shlex.split(command)
    return {word for word in words[1:] if "=" not in word and not word.startswith("-")} if words[0] == "make" else set()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_each_yaml_file_can_be_read(path: Path) -> None:
    assert isinstance(loaded(path), dict)


def test_each_target_that_is_called_exists() -> None:
    script = [line for line in (ROOT / ".ci/run").read_text(encoding="utf-8").splitlines() if "make " in line]
    scripted = {target for line in script for target in re.findall(r"make (?:--[\w-]+ )?(\w+)", line)}
    called = scripted.union(*map(made, commands()))
    assert {"check", "test", "ray", "coverage", "site"} <= called
    assert called - TARGETS == set()


def test_the_whole_is_run_on_each_python_and_system() -> None:
    matrix = WORKFLOW["jobs"]["suite"]["strategy"]["matrix"]
    assert matrix["python"] == ["3.11", "3.12", "3.13"]
    assert {*matrix["system"], *(entry["system"] for entry in matrix["include"])} == {"ubuntu-latest", "macos-latest"}
    assert ".ci/run" in commands()


def test_each_backend_has_a_job_that_runs_tests_of_this_checkout() -> None:
    backends = WORKFLOW["jobs"]["backend"]["strategy"]["matrix"]["include"]
    assert [entry["backend"].partition(",")[0] for entry in backends] == ["local", "azureml", "ray"]
    folders = [word for entry in backends for word in re.findall(r"tests/\w+", entry["command"])]
    assert folders
    assert [name for name in folders if not (ROOT / name).is_dir()] == []


def test_the_lowest_versions_must_pass_and_the_next_ones_may_fail() -> None:
    lowest, following = WORKFLOW["jobs"]["lowest"], WORKFLOW["jobs"]["next"]
    printed = lowest["steps"][-2]["run"].partition(" > ")
    assert (ROOT / printed[0].removeprefix("python ")).is_file()
    assert Path(printed[2].strip('"')).name == Path(lowest["steps"][-1]["env"]["PIP_CONSTRAINT"]).name
    assert following["steps"][-1]["env"] == {"PIP_PRE": "1"}
    assert [name for name, job in WORKFLOW["jobs"].items() if job.get("continue-on-error")] == ["next"]


def test_a_workflow_may_read_the_repository_and_nothing_more() -> None:
    assert WORKFLOW["permissions"] == {"contents": "read"}
    assert all("permissions" not in job for job in WORKFLOW["jobs"].values())


def test_each_action_is_of_a_named_major_version_and_keeps_no_credentials() -> None:
    steps = [step for job in WORKFLOW["jobs"].values() for step in job["steps"] if "uses" in step]
    assert [step["uses"] for step in steps if not re.fullmatch(r"actions/[\w-]+@v\d+", step["uses"])] == []
    checkouts = [step for step in steps if step["uses"].startswith("actions/checkout@")]
    assert len(checkouts) == len(WORKFLOW["jobs"])
    assert all(step["with"] == {"persist-credentials": False} for step in checkouts)


def test_hooks_use_the_tools_of_the_checkout() -> None:
    (repository,) = loaded(ROOT / ".pre-commit-config.yaml")["repos"]
    assert repository["repo"] == "local"
    assert {hook["language"] for hook in repository["hooks"]} == {"system"}
    for hook in repository["hooks"]:
        assert hook["entry"].startswith(".venv/bin/python -m ")
        assert f"{hook['id']}: .venv/.dev" in MAKEFILE


def test_the_citation_is_of_this_version() -> None:
    citation = loaded(ROOT / "CITATION.cff")
    assert (citation["title"], citation["version"]) == ("stoker", VERSION)

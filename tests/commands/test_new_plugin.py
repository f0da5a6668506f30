"""`stoker plugins new` writes packages that install and pass their tests unchanged."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from stoker.cli import main
from stoker.engine import VERSION
from stoker.plugins.commands.scaffold import new_plugin

from ..patience import PATIENCE_S

ROOT = Path(__file__).resolve().parents[2]
NAMES = {"backend": "my-tower", "dataset": "tables", "model": "wide", "callback": "good-enough"}
"""What the packages are called that the tests install, by kind."""


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Writes a package of each kind into a folder, its path with a space."""
    folder = tmp_path_factory.mktemp("new") / "a b"
    for kind, name in NAMES.items():
        assert main(["plugins", "new", name, "--kind", kind, "--folder", str(folder / kind)]) == 0
    return folder


@pytest.fixture(scope="module")
def environment(packages: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Returns the environment of a process in which they are installed, with this checkout as its stoker."""
    site = tmp_path_factory.mktemp("site")
    pip = [
        sys.executable,
        "-m",
        "pip",
        "--no-input",
        "--disable-pip-version-check",
        "install",
        "--no-deps",
        "--no-index",
    ]
    copy = shutil.copytree(packages, site.parent / f"{site.name} source")  # a build writes into its source
    words = [*pip, "--no-build-isolation", "--target", str(site), *(str(copy / kind) for kind in NAMES)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (site / "stoker").symlink_to(ROOT)
    kept = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "STOKER_CACHE_DIR"}}
    return kept | {"PYTHONPATH": str(site), "PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "100"}


def run_in(folder: Path, environment: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    """Runs a module of this Python in a folder."""
    command = [sys.executable, "-m", *words]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )


@pytest.mark.parametrize("kind", NAMES)
def test_a_new_package_passes_its_own_tests_as_it_stands(packages: Path, environment: dict[str, str], kind: str):
    done = run_in(packages / kind, environment, "pytest", "-q", "-p", "no:cacheprovider")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^\d+ passed", done.stdout, re.M), "something was skipped, or there was a warning"


def test_stoker_lists_new_packages_as_ok_with_what_they_offer(environment: dict[str, str], tmp_path: Path):
    done = run_in(tmp_path, environment, "stoker", "plugins", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    found = {each["name"]: each for each in json.loads(done.stdout)}
    assert [found[name]["state"] for name in NAMES.values()] == ["ok"] * len(NAMES)
    assert [found[name]["contract"] for name in NAMES.values()] == [1] * len(NAMES)
    assert [found[name]["from"] for name in NAMES.values()] == [f"stoker-{name}" for name in NAMES.values()]
    assert {kind: found[name]["offers"] for kind, name in NAMES.items()} == {
        "backend": {"backend": ["my-tower"], "option": ["--my-tower-nice"]},
        "dataset": {"data set": ["tables"]},
        "model": {"model": ["wide"], "option": ["--wide-units"]},
        "callback": {"option": ["--good-enough-accuracy"]},
    }


def test_what_they_offer_trains(environment: dict[str, str], tmp_path: Path):
    """A backend, a data set, a model and a callback that were written a moment ago, in one run."""
    import numpy as np

    for name, count in (("train", 60), ("test", 12)):
        labels = np.arange(count) % 3
        images = (labels[:, None, None] * np.full((4, 4), 80)).astype(np.uint8)
        np.savez(tmp_path / f"{name}.npz", images=images, labels=labels)
    options = ["--backend", "my-tower", "--my-tower-nice", "1", "--dataset", "tables", "--data-folder", "."]
    options += ["--model", "wide", "--wide-units", "8", "--learning-rate", "0.01", "--batch-size", "10"]
    options += ["--good-enough-accuracy", "0.5", "--epochs", "80"]
    done = run_in(tmp_path, environment, "stoker", "train", *options)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "epoch  1/80" in done.stdout
    assert "epoch 80/80" not in done.stdout
    assert "good-enough: the run " in done.stdout
    (run,) = (path for path in (tmp_path / "runs").iterdir() if (path / "job.json").exists())
    assert json.loads((run / "handle.json").read_text())["handle"].startswith("my-tower:///")


@pytest.mark.parametrize("kind", NAMES)
def test_a_new_package_has_nothing_to_complain_about(packages: Path, kind: str):
    rules = ["check", "--isolated", "--target-version", "py311", "--line-length", "120", "--no-cache"]
    selected = ["--select", "E,F,W,I,N,UP,B,A,C4,PT,RET,SIM,RUF,BLE", "--ignore", "RUF022"]
    for words in ([*rules, *selected], ["format", "--check", "--isolated", "--line-length", "120", "--no-cache"]):
        done = run_in(packages / kind, dict(os.environ), "ruff", *words, ".")
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("kind", NAMES)
def test_a_new_package_has_what_a_package_has(packages: Path, kind: str):
    name, folder = NAMES[kind], packages / kind
    package = f"stoker_{name.replace('-', '_')}"
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    assert project["name"] == f"stoker-{name}"
    assert project["entry-points"]["stoker"] == {name: f"{package}.plugin"}
    assert project["dependencies"] == [f"stoker>={VERSION}"]
    assert sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()) == sorted(
        [
            *(".github/workflows/test.yml", ".gitignore", "README.md", "pyproject.toml"),
            *(f"src/{package}/__init__.py", f"src/{package}/plugin.py", f"src/{package}/py.typed"),
            *(f"tests/test_{kind}.py", "tests/test_installed.py"),
        ]
    )
    texts = [path.read_text() for path in folder.rglob("*") if path.is_file()]
    assert [word for text in texts for word in re.findall(r"@[A-Za-z]+@", text)] == []
    assert len((folder / f"tests/test_{kind}.py").read_text().splitlines()) <= 30


def test_every_template_is_used():
    used = {template.format(kind=kind) for template in new_plugin._FILES.values() for kind in NAMES if template}
    assert {path.name for path in (ROOT / "plugins/commands/scaffold/templates").iterdir()} == used


# --- the command ----------------------------------------------------------------------------------------------------


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_it_ends_with_the_next_commands(here: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["plugins", "new", "ray"]) == 0
    python = shlex.quote(sys.executable)
    assert capsys.readouterr().out.splitlines() == [
        "wrote the package stoker-ray, a backend that trains, into stoker-ray; next:",
        "",
        "  cd stoker-ray",
        f"  {python} -m pip install --editable '.[test]'",
        f"  {python} -m pytest",
        "  stoker plugins",
        "  stoker train --backend ray",
    ]
    assert "RayBackend" in (here / "stoker-ray/src/stoker_ray/plugin.py").read_text()


def test_stoker_in_front_of_a_name_is_not_doubled(here: Path):
    assert main(["plugins", "new", "stoker-ray"]) == 0
    assert (here / "stoker-ray/src/stoker_ray").is_dir()


@pytest.mark.parametrize(
    "name", ["Ray", "ray_cluster", "ray--cluster", "-ray", "ray-", "3d", "ray/x", "räy", "", "x" * 41]
)
def test_a_name_that_not_all_can_have_is_refused(here: Path, capsys: pytest.CaptureFixture[str], name: str):
    assert main(["plugins", "new", "--", name]) == 2
    assert (
        "name must be made of lower-case letters, digits and single dashes, a letter first" in capsys.readouterr().err
    )
    assert list(here.iterdir()) == []


@pytest.mark.parametrize("name", ["local", "dnn", "mnist", "fashion-mnist", "train", "verify-resume", "data", "file"])
def test_a_name_that_stoker_has_itself_is_refused(here: Path, capsys: pytest.CaptureFixture[str], name: str):
    assert main(["plugins", "new", name]) == 2
    assert f"error: stoker itself has something called {name!r}\n" in capsys.readouterr().err
    assert list(here.iterdir()) == []


def test_a_folder_that_holds_something_is_left_as_it_is(here: Path, capsys: pytest.CaptureFixture[str]):
    (here / "stoker-ray").mkdir()
    (here / "stoker-ray/mine.txt").write_text("mine")
    (here / "file").write_text("mine")
    (here / "link").symlink_to(here / "stoker-ray")
    for folder in ("stoker-ray", "file", "link", "."):
        assert main(["plugins", "new", "ray", "--folder", folder]) == 2
    assert capsys.readouterr().err.count("is not a new or empty folder\nhint: choose another with --folder") == 3
    assert sorted(path.name for path in here.rglob("*")) == ["file", "link", "mine.txt", "stoker-ray"]


def test_an_empty_folder_is_filled(here: Path):
    (here / "stoker-ray").mkdir()
    assert main(["plugins", "new", "ray"]) == 0
    assert (here / "stoker-ray/pyproject.toml").is_file()


@pytest.mark.parametrize("folder", ["file/below", "x" * 300])
def test_a_folder_that_can_not_be_made_is_an_error(here: Path, capsys: pytest.CaptureFixture[str], folder: str):
    (here / "file").touch()
    assert main(["plugins", "new", "ray", "--folder", folder]) == 2
    assert capsys.readouterr().err.startswith("error: can't write ")
    assert [path.name for path in here.iterdir()] == ["file"]


def test_nothing_half_written_is_left(here: Path, monkeypatch: pytest.MonkeyPatch):
    broken: dict[str, Any] = {**new_plugin._FILES, "last": "nosuch.txt"}
    monkeypatch.setattr(new_plugin, "_FILES", broken)
    assert main(["plugins", "new", "ray"]) == 2
    assert list(here.iterdir()) == []

"""`stoker rehearse` runs the package of any backend, which says in `package.json` how its script is started."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from stoker.engine.terminal.interrupt import interrupted_by_signals

from .. import tiny
from ..patience import PATIENCE_S
from ..stoker_process import start, stoker

SCRIPT = '''
"""What a node of the tower starts: it has options by other names, takes those of the job, and no checkpoints."""

import json, os, shutil, subprocess, sys
from pathlib import Path

own, of_job = sys.argv[1:5], sys.argv[6:]
assert sys.argv[5] == "--then"
options = dict(zip(own[::2], own[1::2]))
shutil.unpack_archive("stoker.zip")
run = Path("runs", options["--id"])
run.mkdir(parents=True)
job = json.loads(Path("job.json").read_text())
job["data_folder"] = options["--rows"]
(run / "job.json").write_text(json.dumps(job))
path = os.pathsep.join(["user/lib", os.environ["PYTHONPATH"]])
subprocess.run([sys.executable, "stoker/cli.py", "exec", run, *of_job], env=dict(os.environ, PYTHONPATH=path))
if (run / "outputs").is_dir():
    shutil.copytree(run / "outputs", "outputs")
Path("outputs/run").mkdir(parents=True)
shutil.copy(run / "status.json", "outputs/run")
'''
PLUGIN = """
from pathlib import Path
from stoker.engine.backend import Plan
from stoker.engine.hookspecs import hookimpl
from stoker.engine.package import Entry, Package, package_documents

ENTRY = Entry(source=Path(__file__).with_name("begin.py"), run_id="--id", data_folder="--rows", job_options="--then")
NEEDED = ("keras", "matplotlib", "numpy", "platformdirs", "pluggy", "requests", "tensorflow")


class Tower:
    poll_s, runs_here, limits = 1.0, False, {}

    def plan(self, job):
        package = Package.of(job, entry=ENTRY)
        listed = "".join(f"- {name}\\n" for name in NEEDED)
        documents = package_documents(package, ENTRY, listed)
        return Plan(backend="tower", steps=("climb",), files=package.sizes, documents=documents)


@hookimpl
def stoker_backends():
    return {"tower": "a tower"}


@hookimpl
def stoker_get_backend(name, options):
    return Tower() if name == "tower" else None
"""
MODEL = """
import {module}
from stoker.models.dnn import build
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data, models, and a plugin whose backend sends packages."""
    place = tmp_path_factory.mktemp("a tower")
    tiny.write(place / "data")
    (place / "begin.py").write_text(SCRIPT)
    (place / "tower.py").write_text(PLUGIN)
    (place / "layers.py").write_text("")
    (place / "model.py").write_text(MODEL.format(module="layers"))
    (place / "broken.py").write_text(MODEL.format(module="nowhere_to_be_found"))
    for name in ("model", "broken"):
        words = ("train", "--backend", "tower", "--data-folder", "data", "--model", f"{name}.py:build")
        done = stoker("-p", "./tower.py", *words, "--batch-size", 20, "--dry-run", f"of {name}", cwd=place)
        assert done.returncode == 0, done.stderr
    return place


def test_the_package_of_another_backend_is_rehearsed_without_its_plugin(place: Path):
    done = stoker("-p", "no:azureml", "rehearse", "of model", "--data-folder", "data", "--epochs", 1, cwd=place)
    assert (done.returncode, done.stderr) == (0, "")
    assert "epoch 1/1" in done.stdout
    assert "the package runs by itself; the service would keep: outputs/model/MANIFEST.json" in done.stdout


def test_a_remedy_names_no_option_that_the_backend_does_not_have(place: Path):
    done = stoker("rehearse", "of broken", "--data-folder", "data", cwd=place)
    assert done.returncode == 1
    last = done.stdout.splitlines()[-1]
    expected = "put it beside the file that imports it or install it here"
    assert last == f"  - the module nowhere_to_be_found: {expected}"


def test_what_is_written_for_a_rehearsal_names_nothing_of_this_machine(place: Path):
    facts = json.loads((place / "of model" / "package.json").read_text())
    assert facts["entry"] == {
        **{"source": "begin.py", "run_id": "--id", "data_folder": "--rows", "checkpoints": ""},
        "job_options": "--then",
    }
    assert str(place) not in json.dumps(facts)


def test_the_plan_of_a_backend_that_sends_no_package_can_not_be_rehearsed(place: Path):
    assert stoker("train", "--dry-run", "here", cwd=place).returncode == 0
    done = stoker("rehearse", "here", cwd=place)
    assert done.returncode == 2
    assert done.stderr.startswith("error: here holds no package\n  expected: a folder that `")


@pytest.mark.parametrize("words", [("nowhere",), ("of model", "--data-folder", "nowhere")], ids=" ".join)
def test_a_folder_that_does_not_exist_is_an_error_that_says_so(place: Path, words: tuple[str, ...]):
    done = stoker("rehearse", *words, cwd=place)
    assert done.returncode == 2
    assert done.stderr.startswith("error: no such folder: nowhere\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_end_from_outside_leaves_no_folder_and_no_process(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    words = ("rehearse", "of model", "--data-folder", "data", "--epochs", 1_000_000)
    with start(*words, cwd=place, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout
        process.stdout.readline()
        assert [path.name for path in tmp_path.iterdir() if path.name.startswith("stoker-rehearsal-")]
        process.send_signal(number)
        assert process.wait(PATIENCE_S) == 130
    assert list(tmp_path.iterdir()) == []


def _interrupt(cleaned: list[int]) -> None:
    with interrupted_by_signals():
        os.kill(os.getpid(), signal.SIGHUP)  # is ignored
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)
            cleaned.append(1)


def test_signals_that_are_ignored_stay_ignored_and_those_that_come_twice_do_not_stop_the_cleanup():
    before = {number: signal.getsignal(number) for number in (signal.SIGHUP, signal.SIGTERM)}
    try:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        cleaned: list[int] = []
        with pytest.raises(KeyboardInterrupt):
            _interrupt(cleaned)
        assert cleaned
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

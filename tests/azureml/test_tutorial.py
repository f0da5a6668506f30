"""The tutorial's steps with the bare SDK give the same as one command; a job gives the same here and on the node."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from stoker.engine.files import sha256_file
from stoker.engine.rundir import RunDirectory
from stoker.engine.runs.find import find_run
from stoker.plugins.azureml_emulator import Emulator, Settings
from stoker.plugins.azureml_emulator.service import Service
from stoker.plugins.azureml_emulator.state.runs import artifact
from stoker.plugins.azureml_emulator.state.settings import ARTIFACTS

from ..patience import PATIENCE_S
from ..stoker_process import stoker
from .contents import contents, files, output

FOLDER = Path(__file__).resolve().parent
EPOCHS = 3
SCALAR = "azureml.v1.scalar"
TRAIN = ("train", "--epochs", EPOCHS, "--register", "keras-mnist")
ON_AZURE = ("--backend", "azureml", "--azureml-experiment", "keras-mnist")
WEB = "wasbs://mnist@azureopendatastorage.blob.core.windows.net/"
DATA = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
STEPS = """
import pathlib, sys
sys.path.insert(0, sys.argv[1])
import tutorial
tutorial.SCRIPT = pathlib.Path(sys.argv[2]).read_text()
tutorial.main()
"""
"""The steps of `tests/emulator/tutorial.py`, with a script that trains."""

RECORD = (
    "environment.json",
    "events.jsonl",
    "job.json",
    "metrics.jsonl",
    "report.html",
    "status.json",
    "summary.json",
    "trained.json",
)
MORE = {
    *(f"outputs/model/{name}" for name in ("MANIFEST.json", "README.txt", "model.keras")),
    *(f"outputs/run/{name}" for name in RECORD),
    "outputs/plots/Accuracy vs Loss.png",
}
"""What the command keeps and the tutorial doesn't: the whole model with its digests, the picture, and the record."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Workspace:
    """A workspace, and the folder of the client that filled it."""

    folder: Path
    emulator: Emulator

    @property
    def service(self) -> Service:
        return self.emulator.service

    @property
    def run(self) -> RunDirectory:
        return find_run(self.folder / "runs", "latest")

    def copy(self, folder: Path) -> Service:
        """The services of a copy, in which things may be deleted."""
        shutil.copytree(self.folder / "azure" / "records", folder / "records")
        return Service(folder, Settings(), {}, routes=())


def workspace(folder: Path, fill: Callable[..., subprocess.CompletedProcess[str]]) -> Iterator[Workspace]:
    """A new workspace after something has filled it."""
    with Emulator(folder / "azure", scale_up_s=0.02, prepare_s=0.0) as emulator:
        emulator.write_config(folder)
        done = fill(cwd=folder, **emulator.client_environment())
        assert done.returncode == 0, done.stdout + done.stderr
        yield Workspace(folder=folder, emulator=emulator)


def steps(*, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Does the tutorial's steps with the SDK alone."""
    words = [sys.executable, "-c", STEPS, FOLDER.parent / "emulator", FOLDER / "keras_mnist.py"]
    environment = {**os.environ, **environment}
    return subprocess.run(
        words, cwd=cwd, env=environment, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )


@pytest.fixture(scope="module")
def tutorial(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """The workspace after the tutorial's steps."""
    yield from workspace(tmp_path_factory.mktemp("tutorial"), steps)


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """Another workspace after one command."""
    yield from workspace(tmp_path_factory.mktemp("there"), partial(stoker, *TRAIN, *ON_AZURE))


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    """The run of the same job on this machine."""
    folder = tmp_path_factory.mktemp("here")
    done = stoker(*TRAIN, "--offline", cwd=folder)
    assert done.returncode == 0, done.stderr
    return find_run(folder / "runs", "latest")


def test_one_command_leaves_what_the_tutorials_steps_leave(tutorial: Workspace, there: Workspace) -> None:
    (logged,) = contents(tutorial.service)["figures"]
    more = {"figures": [logged | {"Learning rate": (SCALAR, EPOCHS, [])}]}
    assert contents(there.service) == contents(tutorial.service) | more
    assert files(there.service) == files(tutorial.service) | MORE


def test_the_tutorials_steps_leave_what_the_tutorial_says(tutorial: Workspace) -> None:
    """Guards the test above: two empty workspaces would be the same."""
    found = contents(tutorial.service)
    assert found["data sets"] == {"mnist-dataset": [f"{WEB}{name}.gz" for name in DATA]}
    assert found["clusters"] == {"gpu-cluster": ("AmlCompute", "Standard_NC4as_T4_v3", "dedicated", 0, 4)}
    assert found["runs"] == [("Completed", "keras-mnist", ("gpu-cluster", 1, True), [("mnist-dataset", "mount")])]
    picture = ("azureml.v2.image", 1, [b"\x89PNG"])
    logged = {"Loss": (SCALAR, EPOCHS, []), "Accuracy": (SCALAR, EPOCHS, []), "Accuracy vs Loss": picture}
    assert found["figures"] == [logged | dict.fromkeys(("Final test loss", "Final test accuracy"), (SCALAR, 1, []))]
    network = [(300, "relu"), (100, "relu"), (10, "softmax")]
    weights = [(10,), (100,), (100, 10), (300,), (300, 100), (784, 300)]
    assert found["models"] == {"keras-mnist:1": ("keras-mnist", True, network, weights)}
    assert files(tutorial.service) >= {"outputs/model/model.json", "outputs/model/model.weights.h5"}


@pytest.mark.parametrize("kind", ["datasets", "computes", "experiments", "runs", "metrics", "models", "assets"])
def test_the_comparison_sees_what_is_missing(there: Workspace, kind: str, tmp_path: Path) -> None:
    service = there.copy(tmp_path)
    assert contents(service) == contents(there.service)
    for key in service.store.keys(kind):
        service.store.delete(kind, key)
    assert contents(service) != contents(there.service)


@pytest.mark.parametrize("name", ["outputs/model/model.json", "outputs/model/model.weights.h5", "accuracy-vs-loss.png"])
def test_the_comparison_looks_into_the_files(there: Workspace, name: str, tmp_path: Path) -> None:
    service = there.copy(tmp_path)
    (run,) = service.runs.all()
    service.storage.delete(ARTIFACTS, artifact(run["runId"], name))
    assert contents(service) != contents(there.service)
    assert name not in files(service)


@pytest.mark.parametrize("one", ["tutorial", "there"])
def test_no_host_outside_of_azure_is_asked_and_jobs_ask_none(one: str, request: pytest.FixtureRequest) -> None:
    emulator = request.getfixturevalue(one).emulator
    assert emulator.requests
    assert emulator.blocked == []


def figures(lines: Any) -> dict[tuple[str, int], float]:
    """The figures of a run, without the seconds."""
    return {(line["name"], line["epoch"]): line["value"] for line in lines}


def test_the_same_job_has_the_same_figures_here_and_there_to_the_last_bit(here: RunDirectory, there: Workspace) -> None:
    kept = output(there.service, "run/metrics.jsonl").splitlines()
    assert len(kept) == 5 * EPOCHS + 2
    assert figures(map(json.loads, kept)) == figures(here.metrics())


def test_the_record_of_the_run_is_fetched_with_its_outputs(here: RunDirectory, there: Workspace) -> None:
    assert figures(there.run.metrics()) == figures(here.metrics())
    assert there.run.summary() == here.summary() is not None
    environment = there.run.environment()
    assert environment
    assert environment.keys() == (here.environment() or {}).keys()
    assert "Accuracy" in there.run.report.read_text()
    assert not (there.run.outputs / "run").exists()


def test_the_same_job_has_the_same_model_here_and_there(here: RunDirectory, there: Workspace) -> None:
    ours, theirs = (json.loads((run.model / "MANIFEST.json").read_text())["files"] for run in (here, there.run))
    assert ours == theirs
    assert {"model.keras", "model.json", "model.weights.h5", "README.txt"} == ours.keys()


def test_the_registered_model_is_the_file_that_was_fetched(there: Workspace) -> None:
    (model,) = there.service.store.all("models")
    digest = sha256_file(there.run.model / "model.keras")
    assert model["kvTags"]["sha256"] == digest == hashlib.sha256(output(there.service, "model/model.keras")).hexdigest()
    assert digest in json.dumps(json.loads((there.run.model / "MANIFEST.json").read_text())["files"]["model.keras"])

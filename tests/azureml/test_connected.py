"""From one command to a registered model: the whole way that a user takes, on the emulator."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from stoker.engine.files import sha256_file
from stoker.engine.registry import Registry
from stoker.engine.rundir import RunDirectory
from stoker.engine.runs.find import find_run, list_runs
from stoker.plugins.azureml_emulator import Emulator

from .. import tiny
from ..stoker_process import stoker

TRAIN = ("train", "--backend", "azureml", "--epochs", 2, "--batch-size", 20, "--data-folder", "data", "--name", "tiny")
TOKEN = "ghp_" + "a1B2c3D4e5F6" * 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Trained:
    """What the command did, and where."""

    emulator: Emulator
    folder: Path
    done: subprocess.CompletedProcess[str]

    @property
    def run(self) -> RunDirectory:
        return next(iter(list_runs(self.folder / "runs")))

    def stoker(self, *words: object) -> subprocess.CompletedProcess[str]:
        return stoker(*words, cwd=self.folder, **self.emulator.client_environment())


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trained]:
    """A folder with `config.json` in which a job was trained."""
    folder = tmp_path_factory.mktemp("connected")
    data = tiny.write(folder / "data")
    (data / ".env").write_text(f"TOKEN={TOKEN}\n")
    with Emulator(folder / "azure", scale_up_s=0.02, prepare_s=0.0) as emulator:
        emulator.write_config(folder)
        environment = emulator.client_environment()
        done = stoker(*TRAIN, "--register", "keras-tiny", cwd=folder, GITHUB_TOKEN=TOKEN, **environment)
        assert done.returncode == 0, done.stdout + done.stderr
        yield Trained(emulator=emulator, folder=folder, done=done)


def test_the_command_shows_the_training_and_ends_with_a_registered_model(trained: Trained):
    shown = trained.done.stdout
    assert "epoch 2/2" in shown
    assert re.search(r"registered: keras-tiny version 1 \(azureml://.+/models/keras-tiny/1\)", shown)
    assert "Azure ML did not get a figure" not in shown


def test_the_workspace_has_the_data_set_the_cluster_the_run_and_the_model(trained: Trained):
    store = trained.emulator.service.store
    run = store.get("runs", trained.run.run_id)
    assert run
    assert (run["status"], run["experimentName"]) == ("Completed", "tiny")
    assert run["runDefinition"]["maxRunDurationSeconds"] == 12 * 3600
    model = store.get("models", "keras-tiny:1")
    assert model
    assert model["kvTags"]["sha256"] == sha256_file(trained.run.model / "model.keras")
    assert model["kvTags"]["run"] == trained.run.run_id
    assert {"Final test loss", "Final test accuracy"} <= model["kvTags"].keys()
    assert trained.emulator.service.clusters.names() == ["gpu-cluster"]
    (here,) = Registry.of_runs(trained.folder / "runs").versions("keras-tiny")
    assert here.digest == model["kvTags"]["sha256"]


def test_the_run_folder_has_the_figures_the_log_and_the_outputs(trained: Trained):
    run = trained.run
    assert {line["name"] for line in run.metrics()} >= {"Loss", "Accuracy", "Final test loss", "Final test accuracy"}
    assert "epoch 2/2" in run.log.read_text()
    assert (run.plots / "Accuracy vs Loss.png").is_file()
    assert json.loads((run.path / "azureml.json").read_text())["handle"] == str(run.handle())


def test_no_byte_of_an_output_is_downloaded_twice(trained: Trained):
    asked = [request for request in trained.emulator.requests if request.method == "GET"]
    for path in (trained.run.model / "model.keras", trained.run.plots / "Accuracy vs Loss.png"):
        name = path.name.replace(" ", "%20")
        sizes = [one.size for one in asked if "blob.core" in one.host and one.path.endswith(f"/{name}")]
        assert sum(sizes) == path.stat().st_size


def test_no_request_goes_to_a_host_outside_of_azure(trained: Trained):
    assert trained.emulator.blocked == []


def test_a_secret_beside_the_data_and_one_in_the_environment_stay_here(trained: Trained):
    kept = [path for path in trained.folder.rglob("*") if path.is_file() and path.name != ".env"]
    assert kept
    assert [path for path in kept if TOKEN.encode() in path.read_bytes()] == []
    assert TOKEN not in trained.done.stdout + trained.done.stderr


def test_another_process_finds_the_run_with_nothing_but_its_folder(trained: Trained):
    shown = json.loads(trained.stoker("runs", "show", trained.run.run_id, "--json").stdout)
    assert (shown["state"], shown["attempt"], shown["epochs"]) == ("completed", 1, 2)
    assert trained.stoker("runs", "logs", trained.run.run_id).stdout == trained.run.log.read_text()


def test_the_same_job_again_uploads_no_file_a_second_time(trained: Trained):
    before = len(trained.emulator.requests)
    done = trained.stoker(*TRAIN, "--detach", "--quiet")
    assert (done.returncode, done.stderr) == (0, "")
    sent = [request for request in trained.emulator.requests[before:] if request.method == "PUT"]
    assert [request.path for request in sent if "blob" in request.host] == []


def test_another_machine_adopts_the_run_by_its_id(trained: Trained, tmp_path: Path):
    trained.emulator.write_config(tmp_path)
    run_id, environment = trained.run.run_id, trained.emulator.client_environment()
    adopt = ("runs", "adopt", run_id, "--backend", "azureml")
    assert stoker(*adopt, cwd=tmp_path, **environment).stdout.startswith(f"adopted {run_id}\n")
    there = find_run(tmp_path / "runs", run_id)
    assert there.handle() == trained.run.handle()
    assert there.job() == replace(trained.run.job(), data_folder="", dataset="", register="", allow_drift=True)
    watched = stoker("runs", "attach", cwd=tmp_path, **environment)
    assert (watched.returncode, "epoch 2/2" in watched.stdout) == (0, True), watched.stderr
    assert sha256_file(there.model / "model.keras") == sha256_file(trained.run.model / "model.keras")
    again = stoker(*adopt, cwd=tmp_path, **environment)
    assert again.stderr.startswith(f"error: the run {run_id} has its folder already\nhint: ")


def test_a_run_whose_submission_was_interrupted_is_found_by_looking_or_by_submitting_it_again(trained: Trained):
    shutil.copytree(trained.folder / "runs", trained.folder / "found")
    found = find_run(trained.folder / "found", trained.run.run_id)
    for name in ("handle.json", "summary.json"):
        (found.path / name).unlink()
    shutil.rmtree(found.outputs)
    words = ("--runs-dir", "found")
    shown = trained.stoker("runs", "show", found.run_id, *words)
    assert (shown.returncode, "completed" in shown.stdout) == (0, True), shown.stderr
    assert found.handle() == trained.run.handle()
    (found.path / "handle.json").unlink()
    done = trained.stoker("train", "--resume", found.run_id, "--backend", "azureml", *words)
    assert (done.returncode, "epoch 2/2" in done.stdout) == (0, True), done.stderr
    assert found.handle() == trained.run.handle()
    assert found.model.is_dir()
    assert trained.emulator.service.store.get("runs", f"{found.run_id}-2") is None


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("nowhere", "--backend", "azureml"), "has no run 'nowhere'"),
        (("nowhere", "--backend", "local"), "the backend 'local' does not find runs by their ids"),
    ],
)
def test_a_run_that_is_not_there_is_not_adopted(trained: Trained, words: tuple[str, ...], complaint: str):
    done = trained.stoker("runs", "adopt", *words)
    assert done.returncode == 2
    assert complaint in done.stderr
    assert "Traceback" not in done.stderr


def test_a_resume_that_is_refused_leaves_the_run_as_it_was(trained: Trained):
    before = {path.name: path.read_bytes() for path in trained.run.path.iterdir() if path.is_file()}
    words = ("train", "--resume", trained.run.run_id, "--epochs", 9, "--azureml-environment", "nowhere:9")
    done = trained.stoker(*words, "--backend", "azureml")
    assert (done.returncode, "nowhere" in done.stderr) == (2, True), done.stderr
    assert {path.name: path.read_bytes() for path in trained.run.path.iterdir() if path.is_file()} == before


def test_a_copy_of_the_folder_neither_continues_nor_cancels_the_run(trained: Trained):
    shutil.copytree(trained.run.path, trained.folder / "copies" / "20260101-000000-copy")
    words = ("--runs-dir", "copies")
    for command in (("train", "--resume", "latest", "--epochs", 9), ("runs", "cancel", "latest")):
        done = trained.stoker(*command, *words)
        assert "is a copy of the folder of the run, which only the original may change" in done.stderr
        assert f"do it in {trained.run.path}" in done.stderr
    assert trained.stoker("runs", "show", "latest", *words).returncode == 0

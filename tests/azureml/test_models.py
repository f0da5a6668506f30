"""What is registered with a model, and what its run shows: as the SDK itself would post it."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from stoker.engine.job import TrainJob
from stoker.engine.rundir import RunDirectory
from stoker.engine.status import Handle, RunState
from stoker.engine.testing.backend import payloads
from stoker.plugins.azureml.backend import AzureBackend
from stoker.plugins.azureml.progress import ignore
from stoker.plugins.azureml.reference import Reference
from stoker.plugins.azureml.sdk import sdk
from stoker.plugins.azureml.sdk.sign_in import sign_in
from stoker.plugins.azureml.settings import AzureSettings
from stoker.plugins.azureml.submit.prepare import ENTRY
from stoker.plugins.azureml_emulator import Emulator
from stoker.plugins.azureml_emulator.state.settings import ARTIFACTS

from ..patience import PATIENCE_S

DATA = {"train-images.gz": f"sha256:{'a' * 64}", "t10k-images.gz": f"sha256:{'b' * 64}"}
ENVIRONMENT = {
    "packages": {"stoker": "0.1.0", "tensorflow": "2.21.0", "keras": "3.15.1", "numpy": "2.0"},
    "dataset": {"name": "mnist", "sources": {**DATA, "notes": "/mnt/data/notes"}},
}
REMOTE = "https://someone:secret@git.example.org/project"


@dataclass(frozen=True, kw_only=True, slots=True)
class Registered:
    """A run that has completed, its model, and the workspace."""

    emulator: Emulator
    handle: Handle
    commit: str
    model: dict[str, Any]

    @property
    def run(self) -> dict[str, Any]:
        (found,) = self.emulator.service.runs.all()
        return dict(found)

    def workspace(self) -> Any:
        scope = Reference.required(self.handle).scope
        auth = sign_in("ambient")
        return sdk.load().Workspace(scope.subscription, scope.group, scope.workspace, auth=auth)


def repository(folder: Path) -> str:
    """Makes a repository with one commit, a changed file, and a remote whose address holds a secret; the commit."""

    def git(*words: str) -> str:
        who = ("-c", "user.name=me", "-c", "user.email=me@example.org")
        return subprocess.run(["git", "-C", folder, *who, *words], check=True, capture_output=True, text=True).stdout

    git("init", "--quiet", "--initial-branch", "secret-plan")
    git("remote", "add", "origin", REMOTE)
    (folder / "code.py").write_text("")
    git("add", "code.py")
    git("commit", "--quiet", "-m", "first")
    (folder / "code.py").write_text("changed = True\n")
    return git("rev-parse", "HEAD").strip()


@pytest.fixture(scope="module")
def registered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registered]:
    folder = tmp_path_factory.mktemp("models")
    commit = repository(folder)
    with (
        Emulator(folder / "azure", scale_up_s=0.02, prepare_s=0.0) as emulator,
        pytest.MonkeyPatch.context() as patch,
    ):
        for name, value in emulator.client_environment().items():
            patch.setenv(name, value)
        patch.chdir(folder)
        backend = AzureBackend(AzureSettings(config=str(emulator.write_config(folder))), poll_s=0.05, report=ignore)
        options = {payloads.OPTION: "succeed", "first_layer_neurons": 300}
        job = TrainJob(name="succeed", plugins=(payloads.PLUGIN,), options=options)
        handle = backend.submit(job, RunDirectory.create(folder / "runs", job).path)
        deadline = time.monotonic() + PATIENCE_S
        while (status := backend.status(handle)).state is not RunState.COMPLETED:
            assert time.monotonic() < deadline, status
            time.sleep(0.05)
        record = f"ExperimentRun/dcid.{handle.reference.rpartition('/')[2]}/outputs/run/environment.json"
        emulator.service.storage.put(ARTIFACTS, record, json.dumps(ENVIRONMENT).encode())
        backend.register(handle, "model", "mine")
        model = emulator.service.store.get("models", "mine:1")
        assert model
        yield Registered(emulator=emulator, handle=handle, commit=commit, model=dict(model))


def test_a_run_has_its_hyperparameters_as_arguments_and_as_tags(registered: Registered):
    words = registered.run["runDefinition"]["arguments"]
    options = words[words.index(ENTRY.job_options) + 1 :]
    given = dict(zip(options[::2], options[1::2], strict=True))
    expected = {"batch-size": "50", "learning-rate": "0.001", "epochs": "20", "first-layer-neurons": "300"}
    assert {name: given[f"--{name}"] for name in expected} == expected
    assert registered.run["tags"].items() >= expected.items()


def test_a_run_shows_the_id_of_the_commit_and_nothing_else_of_the_repository(registered: Registered):
    shown = {name: value for name, value in registered.run["properties"].items() if "git" in name}
    assert shown == {
        "azureml.git.commit": registered.commit,
        "mlflow.source.git.commit": registered.commit,
        "azureml.git.dirty": "True",
    }
    kept = json.dumps([*registered.emulator.service.store.all("snapshots"), registered.run, registered.model])
    assert "example.org" not in kept
    assert "secret-plan" not in kept


def test_a_model_says_its_framework_and_what_it_was_trained_on(registered: Registered):
    model, run_id = registered.model, registered.run["runId"]
    assert (model["framework"], model["frameworkVersion"]) == ("TensorFlow", "2.21.0")
    assert model["description"].startswith(f"Keras model, trained on mnist by stoker 0.1.0 in the run {run_id}")
    assert model["properties"] == {
        **{"run": run_id, "package": f"sha256:{registered.run['tags']['package']}", "commit": registered.commit},
        **{"tensorflow": "2.21.0", "keras": "3.15.1", "stoker": "0.1.0"},
        **{f"data/{name}": digest for name, digest in DATA.items()},
        "model.keras": f"sha256:{model['kvTags']['sha256']}",
    }


def test_a_model_is_posted_as_the_sdk_posts_it(registered: Registered):
    ours, core, workspace = registered.model, sdk.load(), registered.workspace()
    with sdk.quiet():
        data = core.Dataset.get_by_name(workspace, "mnist-dataset")
        core.Model._register_with_asset(
            workspace,
            "theirs",
            ours["url"].rpartition("/")[2],
            tags=ours["kvTags"],
            properties=ours["properties"],
            description=ours["description"],
            experiment_name=ours["experimentName"],
            run_id=ours["runId"],
            datasets=[(core.Dataset.Scenario.TRAINING, data)],
            model_framework=core.Model.Framework.TENSORFLOW,
            model_framework_version=ours["frameworkVersion"],
            sample_input_dataset=data,
        )
    theirs = registered.emulator.service.store.get("models", "theirs:1")
    assert theirs
    own = {"id", "name", "createdTime", "modifiedTime"}
    assert {name: ours[name] for name in ours.keys() - own} == {name: theirs[name] for name in theirs.keys() - own}


def test_the_sdk_finds_the_sample_input_of_a_model(registered: Registered):
    core, workspace = sdk.load(), registered.workspace()
    with sdk.quiet():
        model = core.Model(workspace, "mine")
        data = core.Dataset.get_by_name(workspace, "mnist-dataset")
    assert model.sample_input_dataset.id == data.id
    assert (model.model_framework, model.model_framework_version) == ("TensorFlow", "2.21.0")

"""What is registered in the workspace is used in the version that was named, and checked before anything starts."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stoker.engine.errors import InputError, OptionError
from stoker.engine.job import TrainJob
from stoker.engine.rundir import RunDirectory
from stoker.engine.testing.backend import payloads
from stoker.plugins.azureml.backend import AzureBackend
from stoker.plugins.azureml.options import file_or_name
from stoker.plugins.azureml.reference import Scope
from stoker.plugins.azureml.sdk import sdk
from stoker.plugins.azureml.sdk.sign_in import sign_in
from stoker.plugins.azureml.settings import AzureSettings
from stoker.plugins.azureml.submit.environment import make_environment
from stoker.plugins.azureml.submit.plan import plan
from stoker.plugins.azureml.submit.runconfig import sdk_environment
from stoker.plugins.azureml_emulator import Emulator
from stoker.plugins.azureml_emulator.state.records import DATA_ASSETS, SAVED_DATASETS
from stoker.plugins.azureml_emulator.state.settings import CONTAINER

STORE = "workspaceblobstore"
JOB = TrainJob(name="succeed", plugins=(payloads.PLUGIN,), options={payloads.OPTION: "succeed"})


class Place:
    """A workspace, and a folder with its `config.json`."""

    def __init__(self, emulator: Emulator, folder: Path) -> None:
        self.emulator, self.folder = emulator, folder
        self.config = str(emulator.write_config(folder))
        self.reports: list[str] = []

    @property
    def workspace(self) -> Any:
        scope = Scope.from_config(self.config)
        return sdk.load().Workspace(scope.subscription, scope.group, scope.workspace, auth=sign_in("ambient"))

    def submit(self, job: TrainJob = JOB, **settings: Any) -> Any:
        """Submits a job and returns what the service was asked to run."""
        backend = AzureBackend(AzureSettings(config=self.config, **settings), report=self.reports.append)
        run = RunDirectory.create(self.folder / "runs", job)
        backend.submit(job, run.path)
        (found,) = (one for one in self.emulator.service.runs.all() if one["runId"] == run.run_id)
        return found["runDefinition"]

    def register_environment(self, name: str, **python: Any) -> None:
        """Registers what a job has by default, with these changes of its section `python`."""
        with sdk.quiet():
            made = sdk_environment(make_environment(AzureSettings(), {}), AzureSettings().image)
            made.name = name
            for key, value in python.items():
                setattr(made.python, key, value)
            made.register(self.workspace)

    def mounted(self, definition: Any) -> str:
        """Returns the definition of the data set that a job mounts."""
        saved = self.emulator.service.store.get(
            SAVED_DATASETS, definition["data"]["data"]["dataLocation"]["dataset"]["id"]
        )
        assert saved is not None
        return str(saved["dataflowJson"])


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("registered")
    with Emulator(folder / "azure", scale_up_s=0.02, prepare_s=0.0) as emulator, pytest.MonkeyPatch.context() as patch:
        for name, value in emulator.client_environment().items():
            patch.setenv(name, value)
        yield Place(emulator, folder)


@pytest.mark.parametrize(("named", "version"), [("good", "2"), ("good:1", "1")])
def test_a_registered_environment_is_used_in_its_version_and_reported(place: Place, named: str, version: str):
    place.register_environment("good")
    place.register_environment("good", interpreter_path="python3")
    used = place.submit(environment=named)["environment"]
    assert (used["name"], used["version"]) == ("good", version)
    assert f"environment good:{version}" in place.reports


def test_an_environment_that_is_not_registered_is_refused_and_a_file_suggested(place: Place):
    with pytest.raises(InputError, match="no environment 'absent:1'") as caught:
        place.submit(environment="absent:1")
    assert "./environment.yml" in caught.value.hint


def test_a_registered_environment_that_lacks_what_stoker_needs_is_refused(place: Place):
    from azureml.core.conda_dependencies import CondaDependencies

    with sdk.quiet():
        listed = CondaDependencies.create(pip_packages=["numpy"])
    place.register_environment("poor", conda_dependencies=listed)
    runs = len(place.emulator.service.runs.all())
    with pytest.raises(InputError, match=r"the environment poor:1 lacks keras, .*tensorflow"):
        place.submit(environment="poor")
    assert len(place.emulator.service.runs.all()) == runs


def test_an_environment_that_is_an_image_is_used_with_a_warning(place: Place):
    place.register_environment("image", user_managed_dependencies=True)
    assert place.submit(environment="image")["environment"]["name"] == "image"
    assert any("warning: the environment image:1 is an image" in line for line in place.reports)


def test_the_plan_of_a_registered_environment_says_what_is_not_known_yet():
    made = plan(TrainJob(), AzureSettings(environment="prod:3"))
    assert any("use the registered environment prod:3" in step for step in made.steps)
    assert any("what the environment prod:3 lacks" in warning for warning in made.warnings)
    assert json.loads(made.documents["runconfig.json"])["environment"] == {"name": "prod", "version": "3"}


@pytest.mark.parametrize("text", ["prod", "prod:3", "my.env_2-x:latest", "AzureML-x"])
def test_a_name_is_the_name_of_a_registered_environment(text: str):
    assert AzureSettings.from_options({"environment": file_or_name(text)}).registered_environment == text


@pytest.mark.parametrize("text", ["env.yml", "ENV.YAML", "envs/prod", "./prod", "here", "a:b:c", "x" * 300])
def test_what_is_there_or_can_be_no_name_is_a_file(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here").touch()
    settings = AzureSettings.from_options({"environment": file_or_name(text)})
    assert settings.registered_environment == ""
    assert Path(settings.environment).is_absolute()


def test_an_empty_environment_is_refused():
    with pytest.raises(argparse.ArgumentTypeError):
        file_or_name("")


def test_a_version_of_a_data_set_is_mounted(place: Place):
    from azureml.core import Dataset

    for number in (1, 2):
        with sdk.quiet():
            made = Dataset.File.from_files(path=[f"https://example.org/{number}.gz"], validate=False)
            made.register(workspace=place.workspace, name="digits", create_new_version=True)
    for named, file in (("digits:1", "1.gz"), ("digits:2", "2.gz"), ("digits", "2.gz"), ("digits:latest", "2.gz")):
        assert f"example.org/{file}" in place.mounted(place.submit(dataset=named))


def test_a_data_asset_of_the_second_sdk_is_mounted(place: Place):
    scope = Scope.from_config(place.config)
    uri = (
        f"azureml://subscriptions/{scope.subscription}/resourcegroups/{scope.group}/workspaces/{scope.workspace}"
        f"/datastores/{STORE}/paths/assets/digits/"
    )
    place.emulator.service.store.put(DATA_ASSETS, "v2-digits:7", {"dataUri": uri, "dataType": "UriFolder"})
    assert "/paths/assets/digits" in place.mounted(place.submit(dataset="v2-digits:7"))


def test_a_path_in_a_datastore_is_mounted(place: Place):
    place.emulator.service.storage.put(CONTAINER, "raw/digits/x.bin", b"x")
    definition = place.submit(dataset=f"azureml://datastores/{STORE}/paths/raw/digits/")
    assert "/paths/raw/digits" in place.mounted(definition)


@pytest.mark.parametrize("named", ["absent", "absent:1", "absent:latest"])
def test_a_data_set_that_is_not_registered_is_refused(place: Place, named: str):
    with pytest.raises(InputError, match=f"no data set '{named}'"):
        place.submit(dataset=named)


@pytest.mark.parametrize("named", ["digits:1", f"azureml://datastores/{STORE}/paths/x"])
def test_a_folder_is_registered_under_a_plain_name_only(place: Place, tmp_path: Path, named: str):
    (tmp_path / "x.bin").write_bytes(b"x")
    job = TrainJob(name="succeed", plugins=JOB.plugins, options=JOB.options, data_folder=str(tmp_path))
    with pytest.raises(OptionError, match="--azureml-dataset must be a plain name"):
        place.submit(job, dataset=named)

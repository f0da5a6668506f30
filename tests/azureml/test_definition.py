"""A data set called `mnist-dataset` that isn't made of the four files of MNIST is not trained on in silence."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from stoker.engine.errors import InputError
from stoker.engine.job import TrainJob
from stoker.plugins.azureml.commands import checks
from stoker.plugins.azureml.commands.checkup import CheckResult, Checkup, State
from stoker.plugins.azureml.progress import ignore
from stoker.plugins.azureml.reference import Scope
from stoker.plugins.azureml.rest.client import Patience, Service
from stoker.plugins.azureml.sdk import sdk
from stoker.plugins.azureml.settings import AzureSettings
from stoker.plugins.azureml.submit import dataset
from stoker.plugins.azureml.submit.definition import sources
from stoker.plugins.azureml_emulator import Emulator

LECUN = "http://yann.lecun.com/exdb/mnist/train-images-idx3-ubyte.gz"
NAME = "mnist-dataset"


def in_yaml(*paths: str) -> dict[str, Any]:
    """A data set as recent versions of the SDK define it."""
    lines = "".join(f'  - pattern: "{path}"\n' for path in paths)
    meta = {"RsDataflow": f'---\ntype: mltable\npaths:\n{lines}metadata:\n  infer_column_types: "False"\n'}
    return {"latest": {"versionId": "1", "dataflow": json.dumps({"blocks": [], "meta": meta})}}


def in_blocks(*paths: str) -> dict[str, Any]:
    """A data set as early versions of the SDK defined it."""
    details = {"path": {"target": 0, "resourceDetails": [{"path": path, "sas": None} for path in paths]}}
    block = {"type": "Microsoft.DPrep.GetFilesBlock", "arguments": details}
    return {"latest": {"versionId": "7", "dataflow": json.dumps({"blocks": [block]})}}


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """A workspace, as stoker and as the SDK see it."""

    service: Service
    workspace: Any
    config: str

    def register(self, *paths: str) -> None:
        from azureml.core import Dataset

        made = Dataset.File.from_files(path=list(paths), validate=False)
        made.register(workspace=self.workspace, name=NAME, create_new_version=True)

    def find(self, **settings: Any) -> Any:
        made = AzureSettings(config=self.config, **settings)
        return dataset.find_or_register(self.service, self.workspace, TrainJob(), made, ignore)

    def examined(self, **settings: Any) -> CheckResult:
        return checks.data_set(Checkup(AzureSettings(config=self.config, **settings), date(2026, 8, 1)))


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    with Emulator(tmp_path / "azure") as emulator:
        for name, value in emulator.client_environment().items():
            monkeypatch.setenv(name, value)
        config = str(emulator.write_config(tmp_path))
        scope = Scope.from_config(config)
        service = Service(scope, "ambient", Patience(request_s=5.0, total_s=5.0, pause_s=0.05))
        workspace = sdk.load().Workspace(scope.subscription, scope.group, scope.workspace, auth=service.auth)
        yield Place(service=service, workspace=workspace, config=config)


@pytest.mark.parametrize("form", [in_yaml, in_blocks])
def test_the_four_files_are_known_in_each_form_and_order(form: Any):
    blobs = [url.replace("https://azureopendatastorage.blob.core.windows.net/mnist", BLOBS) for url in FILES]
    for urls in (FILES, FILES[::-1], blobs):
        assert dataset.not_mnist(form(*urls)) == ""


FILES = dataset.MNIST_FILES
BLOBS = "wasbs://mnist@azureopendatastorage.blob.core.windows.net"
OTHERS: dict[str, tuple[str, ...]] = {
    "other": (LECUN,),
    "fewer": FILES[:3],
    "more": (*FILES, LECUN),
    "a folder": ("azureml://subscriptions/s/resourcegroups/g/workspaces/w/datastores/d/paths/mnist/",),
    "none": (),
}


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("form", [in_yaml, in_blocks])
def test_other_files_are_named(form: Any, name: str):
    words = dataset.not_mnist(form(*OTHERS[name]))
    assert words.startswith(f"the workspace's data set '{NAME}', version ")
    assert all(url in words for url in OTHERS[name][:1]) if name != "more" else "and 2 more" in words


def test_no_signature_and_no_password_of_an_address_is_shown():
    found = in_yaml("https://me:secret@host/a.gz?sig=secret", "abfss://files@store.dfs.core.windows.net/b")
    assert sources(found) == ["abfss://store.dfs.core.windows.net/b", "https://host/a.gz"]


def test_an_old_data_set_is_refused_and_replaced_or_used_only_if_the_user_says_so(place: Place):
    place.register(LECUN)
    with pytest.raises(InputError, match=f"data set '{NAME}', version 1, is made of other files: {LECUN}") as caught:
        place.find()
    assert "--azureml-new-dataset-version" in caught.value.hint
    assert place.find(dataset=NAME).version == 1
    assert place.find(new_dataset_version=True).version == 2
    assert place.find().version == 2


def test_the_doctor_says_that_an_old_data_set_is_not_mnist(place: Place):
    place.register(LECUN)
    found = place.examined()
    assert (found.state, LECUN in found.found) == (State.WARNING, True)
    assert "--azureml-new-dataset-version" in found.remedy
    assert place.examined(dataset=NAME).state is State.OK
    place.find(new_dataset_version=True)
    assert place.examined() == CheckResult(State.OK, f"{NAME} is registered, version 2")

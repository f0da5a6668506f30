"""Services that answer as oddly as their protocols allow; `TestOdd` runs the whole contract on them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from stoker.engine.job import TrainJob
from stoker.engine.rundir import RunDirectory
from stoker.engine.status import Handle, RunState
from stoker.engine.testing.backend import payloads
from stoker.plugins.azureml import catalogue
from stoker.plugins.azureml.backend import AzureBackend
from stoker.plugins.azureml.commands.checkup import Checkup, State
from stoker.plugins.azureml.commands.doctor import examine
from stoker.plugins.azureml.progress import ignore
from stoker.plugins.azureml.rest.client import Patience
from stoker.plugins.azureml.runs import cancel
from stoker.plugins.azureml.settings import AzureSettings
from stoker.plugins.azureml_emulator import Emulator
from stoker.plugins.azureml_emulator.state.settings import CONTAINER

from ..patience import PATIENCE_S


class Cloud:
    """A workspace with odd services."""

    def __init__(self, emulator: Emulator, folder: Path) -> None:
        self.emulator, self.folder = emulator, folder
        self.settings = AzureSettings(config=str(emulator.write_config(folder)), max_nodes=16)
        self.backend = AzureBackend(self.settings, poll_s=0.05, report=ignore)

    def submit(self, payload: str, until: RunState, **fields: Any) -> Handle:
        job = TrainJob(name=payload, plugins=(payloads.PLUGIN,), options={payloads.OPTION: payload}, **fields)
        handle = self.backend.submit(job, RunDirectory.create(self.folder / "runs", job).path)
        deadline = time.monotonic() + PATIENCE_S
        while (status := self.backend.status(handle)).state is not until:
            assert time.monotonic() < deadline, status
            time.sleep(0.05)
        return handle


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    folder = tmp_path_factory.mktemp("odd")
    settings = {"scale_up_s": 0.02, "prepare_s": 0.0, "grace_s": 2.0}
    with Emulator(folder / "azure", odd=True, **settings) as emulator, pytest.MonkeyPatch.context() as patch:
        for name, value in emulator.client_environment().items():
            patch.setenv(name, value)
        yield Cloud(emulator, folder)


def test_log_and_outputs_are_whole(cloud: Cloud, tmp_path: Path):
    handle = cloud.submit("succeed", RunState.COMPLETED)
    assert set(payloads.lines()) <= set(b"".join(cloud.backend.logs(handle)).decode().splitlines())
    cloud.backend.fetch(handle, tmp_path / "target")
    assert {name: (tmp_path / "target" / name).read_bytes() for name in payloads.outputs()} == payloads.outputs()


def test_a_version_on_a_later_page_is_found(cloud: Cloud):
    handle = cloud.submit("succeed", RunState.COMPLETED)
    first = cloud.backend.register(handle, "model", "many")
    with cloud.emulator.service.store.lock:
        made = dict(cloud.emulator.service.store.get("models", "many:1") or {})
        for version in range(2, 8):
            other = {**made, "id": f"many:{version}", "version": version, "kvTags": {}}
            cloud.emulator.service.store.put("models", other["id"], other)
    assert cloud.backend.register(handle, "model", "many") == first


def test_a_run_is_cancelled_at_the_address_that_it_names_or_by_an_event_as_the_sdk_does(cloud: Cloud):
    before = len(cloud.emulator.requests)
    for handle in [cloud.submit("wait", RunState.RUNNING) for _ in range(2)]:
        cloud.backend.cancel(handle)
        assert cloud.backend.status(handle).state is RunState.CANCELLED
    posted = [one for one in cloud.emulator.requests[before:] if one.method == "POST" and one.status == 200]
    ends = {(one.path.rpartition("/")[2], one.host) for one in posted} & {
        ("cancel", cloud.emulator.settings.private_api),
        ("events", cloud.emulator.settings.api),
    }
    assert len(ends) == 2


def test_a_busy_service_and_what_expires_in_between_are_not_noticed(cloud: Cloud, tmp_path: Path):
    handle = cloud.submit("succeed", RunState.COMPLETED)
    for number in range(8):
        assert cloud.backend.status(handle).state is RunState.COMPLETED
        assert not cloud.backend.fetch(handle, tmp_path / str(number)).unverified
    assert {one.status for one in cloud.emulator.requests} >= {401, 403, 429, 503}


def test_a_datastore_without_a_key_takes_an_upload_with_the_token_of_the_account(cloud: Cloud, tmp_path: Path):
    (tmp_path / "a").write_bytes(b"some data")
    cloud.submit("succeed", RunState.COMPLETED, data_folder=str(tmp_path))
    assert [name for name in cloud.emulator.service.storage.names(CONTAINER, "") if name.endswith("/a")]


def test_the_doctor_finds_all_well(cloud: Cloud):
    found = dict(examine(Checkup(cloud.settings, catalogue.TABLE_DATE, Patience())))
    assert {name: result for name, result in found.items() if result.state is not State.OK} == {}


@pytest.mark.parametrize(
    ("url", "trusted"),
    [
        ("https://eastus.api.azureml.ms/execution/v1.0/x/cancel", True),
        ("https://0123.workspace.eastus.api.azureml.ms/x/cancel", True),
        ("http://eastus.api.azureml.ms/x/cancel", False),
        ("https://eastus.api.azureml.ms.example.com/x", False),
        ("https://other-eastus.api.azureml.ms/x", False),
        ("https://example.com/eastus.api.azureml.ms", False),
        ("", False),
    ],
)
@pytest.mark.parametrize("known", ["https://eastus.api.azureml.ms", "https://77.workspace.eastus.api.azureml.ms"])
def test_only_hosts_of_the_workspace_get_the_token(url: str, trusted: bool, known: str):
    service = SimpleNamespace(addresses={"history": known, "odd": ""})
    assert cancel._is_trusted(service, url) is trusted  # type: ignore[arg-type]

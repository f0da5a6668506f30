"""The backend keeps all promises of a backend, on the emulator, through the unmodified SDK."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from stoker.engine.status import Handle
from stoker.engine.testing import BackendContract
from stoker.plugins.azureml.backend import AzureBackend
from stoker.plugins.azureml.progress import ignore
from stoker.plugins.azureml.reference import Reference
from stoker.plugins.azureml.rest.client import Patience
from stoker.plugins.azureml.settings import AzureSettings
from stoker.plugins.azureml_emulator import Emulator

CONFIG = "STOKER_TEST_AZUREML_CONFIG"
"""The variable that tells child processes where the workspace is described."""

_RUNNING: list[Emulator] = []


@pytest.fixture(scope="class", autouse=True)
def emulator(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One workspace for all tests of a class, with a cluster that has a node for each run that waits."""
    folder = tmp_path_factory.mktemp("azure")
    odd = request.cls is not None and request.cls.__name__ == "TestOdd"
    fast = {"scale_up_s": 0.02, "scale_down_s": 0.02, "prepare_s": 0.0, "requeue_s": 0.05, "grace_s": 3.0}
    with Emulator(folder / "azure", odd=odd, **fast) as running, pytest.MonkeyPatch.context() as patch:
        for name, value in running.client_environment().items():
            patch.setenv(name, value)
        patch.setenv(CONFIG, str(running.write_config(folder)))
        _RUNNING.append(running)
        yield
        _RUNNING.clear()


class _Contract(BackendContract):
    """The contract."""

    def make_backend(self) -> AzureBackend:
        settings = AzureSettings(
            config=os.environ[CONFIG], vm_size="Standard_NC4as_T4_v3", max_nodes=16, idle_seconds=600
        )
        patience = Patience(request_s=5.0, total_s=10.0, pause_s=0.1)
        return AzureBackend(settings, patience=patience, poll_s=0.1, report=ignore)

    def preempt(self, handle: Handle) -> None:
        reference = Reference.of_handle(handle)
        assert reference
        _RUNNING[0].preempt(reference.run_id)

    def lose(self, handle: Handle) -> None:
        reference = Reference.of_handle(handle)
        assert reference
        _RUNNING[0].service.store.delete("runs", reference.run_id)


class TestAzure(_Contract):
    """The contract with services as they usually answer."""


@pytest.mark.faults
class TestOdd(_Contract):
    """The contract with services that answer as oddly as their protocols allow."""

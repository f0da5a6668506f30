"""The files of a data folder reach a datastore that has no key: they are sent with the account's own token."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from stoker.plugins.azureml.progress import ignore
from stoker.plugins.azureml.reference import Scope
from stoker.plugins.azureml.sdk import sdk, storage
from stoker.plugins.azureml.sdk.sign_in import sign_in
from stoker.plugins.azureml.submit.folder import Folder, contents
from stoker.plugins.azureml.submit.upload import upload
from stoker.plugins.azureml_emulator import Emulator
from stoker.plugins.azureml_emulator.state.settings import CONTAINER

from ..stoker_process import stoker
from .identities import Identities


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with Emulator(tmp_path_factory.mktemp("azure"), identities=True) as running:
        yield running


@pytest.mark.parametrize("kind", ["service-principal", "managed-identity"])
def test_files_are_uploaded_with_a_token_for_the_storage(
    emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
):
    scope = Scope.from_config(str(emulator.write_config(tmp_path)))
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.bin").write_bytes(b"a" * 10)
    with Identities(emulator.service.tokens.issue()) as identities:
        for name, value in (emulator.client_environment() | {"MSI_ENDPOINT": identities.address}).items():
            monkeypatch.setenv(name, value)
        auth = sign_in(kind)
        store = sdk.bounded(
            "no datastore",
            lambda: (
                sdk.load()
                .Workspace(scope.subscription, scope.group, scope.workspace, auth=auth)
                .get_default_datastore()
            ),
        )
        assert not store.account_key
        upload(
            storage.container(store, auth),
            tmp_path / "data",
            contents(Folder.of(tmp_path / "data"), ignore),
            kind,
            ignore,
        )
    assert emulator.service.storage.names(CONTAINER, kind) == [f"{kind}/a.bin"]
    asked = {one["resource"][0] for one in identities.asked}
    assert ("https://storage.azure.com/" in asked) == (kind == "managed-identity")


def test_the_doctor_reads_a_datastore_without_a_key(emulator: Emulator, tmp_path: Path):
    emulator.write_config(tmp_path)
    done = stoker("azureml", "doctor", cwd=tmp_path, **emulator.client_environment())
    assert done.returncode == 0
    assert "azureml-blobstore, can be read" in " ".join(done.stdout.split())

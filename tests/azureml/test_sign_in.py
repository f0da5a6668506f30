"""Signing in: without an account there is an error, or instructions; at once where no user could answer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from stoker.engine.errors import InputError
from stoker.plugins.azureml.sdk.sign_in import sign_in
from stoker.plugins.azureml_emulator import Emulator

from .. import tiny
from ..stoker_process import stoker
from .identities import Identities

PRINCIPAL = "SERVICE_PRINCIPAL"


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with Emulator(tmp_path_factory.mktemp("azure")) as running:
        yield running


@pytest.fixture
def place(emulator: Emulator, tmp_path: Path) -> Path:
    """A folder with data and `config.json`."""
    emulator.write_config(tmp_path)
    tiny.write(tmp_path / "data")
    return tmp_path


def anonymous(emulator: Emulator) -> dict[str, str]:
    """The variables of a machine that is not signed in."""
    return {name: value for name, value in emulator.client_environment().items() if PRINCIPAL not in name}


def test_a_machine_that_is_not_signed_in_gets_an_error_and_no_question(emulator: Emulator, place: Path):
    words = ("train", "--backend", "azureml", "--data-folder", "data")
    done = stoker(*words, cwd=place, **anonymous(emulator))
    *_, error, hint = done.stderr.splitlines()
    assert error == "error: this machine is not signed in to Azure"
    assert hint.startswith("hint: `az login`, or set AZUREML_SERVICE_PRINCIPAL_TENANT_ID, ")
    assert done.returncode == 1
    assert "devicelogin" not in done.stderr


def test_signing_in_shows_the_address_and_the_code(emulator: Emulator, place: Path):
    done = stoker("azureml", "doctor", "--azureml-auth", "interactive", cwd=place, **anonymous(emulator))
    assert "azureml: To sign in, use a web browser to open the page https://microsoft.com/devicelogin" in done.stderr
    assert "EMU1AT0R" in done.stderr
    assert "Nobody has entered the code." in " ".join(done.stdout.split())
    assert done.returncode == 1


def test_a_service_principal_with_a_wrong_secret_is_refused_with_the_reason(emulator: Emulator, place: Path):
    environment = emulator.client_environment() | {f"AZUREML_{PRINCIPAL}_PASSWORD": "wrong-one"}
    done = stoker("train", "--backend", "azureml", "--data-folder", "data", cwd=place, **environment)
    assert done.returncode == 1
    assert "Invalid client secret" in done.stderr
    assert "hint: " in done.stderr
    assert "wrong-one" not in done.stdout + done.stderr


def test_a_missing_variable_of_a_service_principal_is_named(emulator: Emulator, place: Path):
    environment = emulator.client_environment()
    del environment[f"AZUREML_{PRINCIPAL}_ID"]
    words = ("train", "--backend", "azureml", "--data-folder", "data", "--azureml-auth", "service-principal")
    done = stoker(*words, cwd=place, **environment)
    assert done.returncode == 2
    assert "expected: AZUREML_SERVICE_PRINCIPAL_ID" in done.stderr


@pytest.mark.parametrize("client", ["", "one-of-several"])
def test_a_managed_identity_signs_in_and_may_be_one_of_several(emulator: Emulator, place: Path, client: str):
    with Identities(emulator.service.tokens.issue(xms_mirid="/subscriptions/s/userAssignedIdentities/i")) as identities:
        environment = anonymous(emulator) | {"MSI_ENDPOINT": identities.address, "AZURE_CLIENT_ID": client}
        done = stoker("azureml", "doctor", "--azureml-auth", "managed-identity", cwd=place, **environment)
    assert "a managed identity of the tenant" in " ".join(done.stdout.split())
    assert done.returncode == 0
    assert {one.get("client_id", [""])[0] for one in identities.asked} == {client}


def test_a_machine_without_a_managed_identity_is_told_what_one_takes(emulator: Emulator, place: Path):
    environment = anonymous(emulator) | {"MSI_ENDPOINT": "http://127.0.0.1:1/token"}
    words = ("train", "--backend", "azureml", "--data-folder", "data", "--azureml-auth", "managed-identity")
    done = stoker(*words, cwd=place, **environment)
    assert done.returncode == 1
    assert "error: can't sign in with a managed identity" in done.stderr
    assert "hint: is this a machine of Azure with a managed identity? AZURE_CLIENT_ID" in done.stderr


def test_another_cloud_is_refused_by_name(emulator: Emulator, place: Path):
    words = ("train", "--backend", "azureml", "--data-folder", "data")
    environment = emulator.client_environment() | {"AZUREML_CURRENT_CLOUD": "AzureUSGovernment"}
    done = stoker(*words, cwd=place, **environment)
    assert "error: stoker doesn't support the cloud AzureUSGovernment, which the variable AZUREML_" in done.stderr
    assert done.returncode == 2


@pytest.mark.parametrize("principal", [False, True], ids=["account of az", "service principal"])
def test_the_cloud_of_az_counts_only_where_its_account_signs_in(
    emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, principal: bool
):
    (tmp_path / "config").write_text("[core]\noutput = json\n\n[cloud]\nname = AzureChinaCloud\n", encoding="utf-8")
    for name, value in emulator.client_environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AZURE_CONFIG_DIR", str(tmp_path))
    monkeypatch.delenv("AZUREML_CURRENT_CLOUD")
    if principal:
        assert sign_in("ambient").get_authentication_header()
        return
    monkeypatch.delenv(f"AZUREML_{PRINCIPAL}_ID")
    with pytest.raises(InputError, match=r"the cloud AzureChinaCloud, which .*config names") as caught:
        sign_in("ambient")
    assert "az cloud set --name AzureCloud" in caught.value.hint

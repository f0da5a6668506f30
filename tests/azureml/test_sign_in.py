"""Signing in: without an account there is an error, or instructions; at once where no user could answer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from stoker.plugins.azureml_emulator import Emulator

from .. import tiny
from ..stoker_process import stoker

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

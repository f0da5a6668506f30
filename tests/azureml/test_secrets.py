"""What is secret stays here: planted wherever people keep it, and looked for in all that a run leaves anywhere."""

from __future__ import annotations

import base64
import gzip
import json
import re
import subprocess
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from stoker.engine.packaging import secrets
from stoker.plugins.azureml.submit.pins import MOUNTS, NEEDED, SDK
from stoker.plugins.azureml_emulator import Emulator

from .. import tiny
from ..stoker_process import stoker
from .finding import forms, found, found_in

LOGIN = "login.microsoftonline.com"
MARK = {"mark": "harmless words that go up"}
SECRETS = {
    "the key file": "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAE+bm9uZQ/AAAAAAAABAAAAM",
    "the file .env": "dotenv-7Zq/91+Kf==3mW",
    "the data": "AKIAQ7D4XN2MPL5RTW8C",
    "the remote": "ghp_" + "r3M0teUr1T0k" * 3,
    "the build": "ghp_" + "bU1lD0fTh1Ng" * 3,
    "the environment": "ghp_" + "e4V1r0nM3nt8" * 3,
    "the package index": "ghp_" + "1nD3xOfPkgs0" * 3,
    "the option": "ghp_" + "0pT1oNvAlu3z" * 3,
    "the sign-in": "Ab18Q~signInOfTheServicePrincipal9_0-12",
    "a wrong sign-in": "Ab18Q~signInWithAMistakeInIt~~~~~~9_0-12",
}
"""Each place has one of its own, so that a finding shows where it is from."""

URL = "https://someone:{}@git.example.org/project"
KEY = f"-----BEGIN OPENSSH PRIVATE KEY-----\n{SECRETS['the key file']}\n-----END OPENSSH PRIVATE KEY-----\n"
MODEL = """
import keras
from parts import CLASSES

def build(config):
    layers = [keras.Input(config.input_shape), keras.layers.Flatten(), keras.layers.Dense(CLASSES, "softmax")]
    model = keras.Sequential(layers)
    model.compile(optimizer="sgd", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model
"""
PLUGIN = """
from stoker.engine.hookspecs import hookimpl

@hookimpl
def stoker_add_options(parser, command):
    if command == "train":
        parser.add_argument("--web-hook", default="")
"""
TRAIN = ("-p", "hook.py", "train", "--backend", "azureml", "--data-folder", "data", "--model", "net.py:build")
DONE = {"plan": 0, "train": 0, "show": 0, "logs": 0, "wrong": 1, "option": 2, "setting": 2, "conda": 2}
"""The commands that were run, and the codes that they end with."""

OF_SERVICE = re.compile(rb"sig=[\w%-]{20,}|eyJ[\w-]{10,}\.[\w-]{10,}")
"""A signed address, or a token."""


class Recording(Emulator):
    """An emulator that keeps every request, not only what the service would store."""

    def __init__(self, root: Path, **settings: Any) -> None:
        super().__init__(root, **settings)
        self.received: list[tuple[str, bytes]] = []

    def _answer(self, request: Any) -> Any:
        head = f"{request.method} {request.path} {request.query} {request.headers.items()}\n"
        self.received.append((request.host, head.encode() + request.body))
        return super()._answer(request)


@dataclass(frozen=True, kw_only=True, slots=True)
class Planted:
    """A user's project with secrets in it, and what its commands came to."""

    project: Path
    azure: Path
    emulator: Recording
    before: frozenset[Path]
    done: dict[str, subprocess.CompletedProcess[str]]

    @property
    def made(self) -> list[Path]:
        """What was not there before."""
        return [path for path in self.project.rglob("*") if path not in self.before]

    def said(self, name: str) -> bytes:
        return (self.done[name].stdout + self.done[name].stderr).encode()


def plant(project: Path) -> None:
    """Writes a project: a model with a package beside it, data, a repository, and secrets everywhere."""
    data = tiny.write(project / "data")
    for name in ("parts", "tmp"):
        (project / name).mkdir()
    (project / "net.py").write_text(MODEL)
    (project / "hook.py").write_text(PLUGIN)
    (project / "parts" / "__init__.py").write_text(f"CLASSES = {tiny.CLASSES}\n# {MARK['mark']}\n")
    (project / "parts" / "notes.txt").write_text(KEY)
    (data / "token").write_text(SECRETS["the data"])
    index = f"--extra-index-url {URL.format(SECRETS['the package index'])}"
    packages = ["python=3.11", {"pip": [index, *NEEDED, SDK, MOUNTS]}]
    (project / "conda.yml").write_text(json.dumps({"dependencies": packages}))
    for place in (project, project / "parts", data):
        (place / ".env").write_text(f"PASSWORD={SECRETS['the file .env']}\n")
        (place / "id_ed25519").write_text(KEY)
    subprocess.run(["git", "init", "--quiet", project], check=True)
    remote = URL.format(SECRETS["the remote"])
    subprocess.run(["git", "-C", project, "remote", "add", "origin", remote], check=True)


def variables(project: Path, emulator: Emulator) -> dict[str, str]:
    """The environment of the commands."""
    token = SECRETS["the environment"]
    names = ("GITHUB_TOKEN", "HF_TOKEN", "AWS_SECRET_ACCESS_KEY", "WANDB_API_KEY", "DATABASE_PASSWORD")
    index = {"PIP_INDEX_URL": URL.format(token)}
    # Where the SDK looks for a repository: around the folder of what is packed, and in variables of its own.
    git = {"TMPDIR": str(project / "tmp"), "AZUREML_GIT_BUILD_URI": URL.format(SECRETS["the build"])}
    return {**dict.fromkeys(names, token), **index, **git, **emulator.client_environment()}


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Planted]:
    """A project after a plan, a run that was looked at and registered, and commands that failed."""
    project, azure = tmp_path_factory.mktemp("project"), tmp_path_factory.mktemp("secrets") / "azure"
    plant(project)
    settings = {"scale_up_s": 0.02, "prepare_s": 0.0, "client_secret": SECRETS["the sign-in"]}
    with Recording(azure, **settings) as emulator:
        emulator.write_config(project)
        before, environment = frozenset(project.rglob("*")), variables(project, emulator)
        wrong, hook = (
            {"AZUREML_SERVICE_PRINCIPAL_PASSWORD": SECRETS["a wrong sign-in"]},
            URL.format(SECRETS["the option"]),
        )

        def run(*words: object, **more: str) -> subprocess.CompletedProcess[str]:
            return stoker(*words, cwd=project, **{**environment, **more})

        done = {
            "plan": run(*TRAIN, "--dry-run", "plan"),
            "train": run(*TRAIN, "--epochs", 1, "--register", "quiet"),
            "show": run("runs", "show", "--json"),
            "logs": run("runs", "logs"),
            "wrong": run("runs", "show", **wrong),
            "option": run(*TRAIN, "--web-hook", hook),
            "setting": run(*TRAIN, STOKER_WEB_HOOK=hook),
            "conda": run(*TRAIN, "--azureml-environment", "conda.yml", "--dry-run", "plan with conda"),
        }
        yield Planted(project=project, azure=azure, emulator=emulator, before=before, done=done)


@pytest.mark.parametrize("name", DONE)
def test_each_command_did_what_it_should(planted: Planted, name: str) -> None:
    assert planted.done[name].returncode == DONE[name], planted.said(name).decode()


def test_the_search_looks_where_things_arrive(planted: Planted) -> None:
    """Guards the tests below, with words that may go."""
    assert any(found(request, MARK) for _, request in planted.emulator.received)
    assert found_in((planted.azure / "blobs").iterdir(), MARK)
    assert found_in(planted.made, MARK)
    assert any(path.name == "model.keras" for path in planted.made)


def test_no_secret_is_kept_at_the_server(planted: Planted) -> None:
    assert found_in(planted.azure.rglob("*"), SECRETS) == []


def test_no_secret_is_sent_but_that_for_signing_in_and_only_to_where_one_signs_in(planted: Planted) -> None:
    sent = {(host, one) for host, request in planted.emulator.received for one in found(request, SECRETS)}
    assert {host for host, one in sent if "sign-in" in one} == {LOGIN}
    assert [one for _, one in sent if "sign-in" not in one] == []


def test_no_secret_is_in_what_the_commands_make_here(planted: Planted) -> None:
    assert found_in(planted.made, SECRETS) == []


@pytest.mark.parametrize("name", DONE)
def test_no_secret_is_in_a_message(planted: Planted, name: str) -> None:
    assert planted.said(name)
    assert found(planted.said(name), SECRETS) == []


def test_what_the_service_signs_is_in_no_file_of_a_run_and_no_message(planted: Planted) -> None:
    files = [path.read_bytes() for path in planted.made if path.is_file()]
    texts = [*files, *map(planted.said, DONE)]
    assert [one for text in texts for one in OF_SERVICE.findall(text)] == []
    assert any(OF_SERVICE.search(request) for _, request in planted.emulator.received)


@pytest.mark.parametrize(
    ("name", "named"), [("option", "--web-hook"), ("setting", "--web-hook"), ("conda", "conda.yml")]
)
def test_a_secret_that_would_go_is_refused_by_the_name_of_what_has_it(planted: Planted, name: str, named: str) -> None:
    assert named in planted.done[name].stderr
    assert len(list((planted.project / "runs").glob("*-net-*"))) == 1


def test_no_result_of_a_benchmark_holds_a_secret() -> None:
    results = [path for path in (Path(__file__).parents[2] / "benchmarks" / "results").iterdir() if path.is_file()]
    assert results
    assert [path.name for path in results if secrets.find(path.read_bytes())] == []


@pytest.mark.parametrize("place", SECRETS)
@pytest.mark.parametrize("form", forms("any"))
def test_the_search_finds_each_secret_in_each_form_packed_or_not(place: str, form: str, tmp_path: Path) -> None:
    data = b"before " + forms(SECRETS[place])[form] + b" after"
    with zipfile.ZipFile(tmp_path / "model.keras", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("config.json", gzip.compress(data))
    assert f"{place}, {form}" in found(data, SECRETS)
    assert f"{tmp_path / 'model.keras'}: {place}, {form}" in found_in(tmp_path.iterdir(), SECRETS)


@pytest.mark.parametrize("before", [b"", b"a", b"ab"])
def test_base64_is_found_wherever_the_secret_begins_in_it(before: bytes) -> None:
    text = base64.b64encode(before + SECRETS["the remote"].encode() + b"\n")
    assert any("base64" in one for one in found(text, SECRETS))

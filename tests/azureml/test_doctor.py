"""The doctor finds what is wrong before a job does, says what to do about it, and changes nothing."""

from __future__ import annotations

import base64
import json
import time
from argparse import ArgumentParser
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from stoker import cli
from stoker.engine.errors import InputError
from stoker.engine.options.parser import option_strings, sub_parsers
from stoker.engine.packaging import isolation
from stoker.engine.plugin.extras import install_command
from stoker.engine.plugin.plugins import Plugins
from stoker.plugins.azureml import catalogue
from stoker.plugins.azureml.commands import checks
from stoker.plugins.azureml.commands.checkup import CheckResult, Checkup, State
from stoker.plugins.azureml.commands.doctor import CHECKS, examine
from stoker.plugins.azureml.reference import Scope
from stoker.plugins.azureml.rest.arm import Quota, scarcest
from stoker.plugins.azureml.rest.client import Patience
from stoker.plugins.azureml.sdk.sign_in import sign_in
from stoker.plugins.azureml.settings import AzureSettings
from stoker.plugins.azureml_emulator import Emulator, FaultKind
from stoker.plugins.azureml_emulator.network.faults import ALTER

from .. import plugin_files
from ..emulator.client import Client
from ..stoker_process import stoker

DAY = date(2026, 8, 1)
PATIENCE = Patience(request_s=1.0, total_s=0.8, pause_s=0.05)
LONGEST_S = Patience().total_s
"""What a user waits for one request; with less patience, all of them are done by then."""
SECRET = "not-the-right-one"
H100 = "Standard_NC40ads_H100_v5"
ALL = [check.name for check in CHECKS]
NEED_WORKSPACE = ["cluster", "region", "quota", "data set", "datastore"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """A workspace, and the folder with its `config.json`."""

    emulator: Emulator
    folder: Path

    def settings(self, **changed: Any) -> AzureSettings:
        return AzureSettings(**{"config": str(self.folder / "config.json"), **changed})

    def findings(self, **changed: Any) -> dict[str, CheckResult]:
        return dict(examine(Checkup(self.settings(**changed), DAY, PATIENCE)))

    def states(self, **changed: Any) -> dict[str, list[str]]:
        """The names of the checks by how they went, without those that went well."""
        found = self.findings(**changed)
        by_state = {state: [name for name in ALL if found[name].state is state] for state in State}
        return {str(state): names for state, names in by_state.items() if names and state is not State.OK}

    def doctor(self, *words: object, **environment: str) -> Any:
        return stoker("azureml", "doctor", *words, cwd=self.folder, **self.emulator.client_environment(), **environment)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A workspace without a cluster that this process is signed in to."""
    folder = tmp_path_factory.mktemp("doctor")
    with Emulator(folder / "azure") as emulator, pytest.MonkeyPatch.context() as patch:
        for name, value in emulator.client_environment().items():
            patch.setenv(name, value)
        emulator.write_config(folder)
        yield Place(emulator=emulator, folder=folder)


def look(place: Place, name: str, **changed: Any) -> CheckResult:
    """What one check finds."""
    (check,) = (check for check in CHECKS if check.name == name)
    return check.look(Checkup(place.settings(**changed), DAY, PATIENCE))


def test_where_nothing_is_wrong_each_thing_is_ok_and_nothing_was_made(place: Place):
    before = len(place.emulator.requests)
    found = place.findings()
    assert list(found) == ALL
    assert {finding.state for finding in found.values()} == {State.OK}
    asked = {request.method for request in place.emulator.requests[before:] if "login" not in request.host}
    assert asked <= {"GET", "HEAD"}
    assert place.emulator.blocked == []


def test_without_config_json_the_rest_is_looked_at_as_far_as_that_goes(place: Place, tmp_path: Path):
    assert place.states(config=str(tmp_path)) == {
        "wrong": ["config.json"],
        "not checked": ["workspace", *NEED_WORKSPACE],
    }
    found = place.findings(config=str(tmp_path))
    assert "--azureml-config FILE" in found["config.json"].remedy
    assert found["workspace"].found == "it needs: config.json"


def test_a_wrong_secret_is_reported_without_the_secret(place: Place, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AZUREML_SERVICE_PRINCIPAL_PASSWORD", SECRET)
    found = place.findings()
    assert found["credentials"].state is State.WRONG
    assert "Invalid client secret" in found["credentials"].found
    assert "AZUREML_SERVICE_PRINCIPAL_PASSWORD takes the secret's value" in found["credentials"].remedy
    assert [name for name in ALL if found[name].state is State.SKIPPED] == ["workspace", *NEED_WORKSPACE]
    assert SECRET not in str(found)


def test_a_variable_of_the_service_principal_that_is_missing_is_named(place: Place, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("AZUREML_SERVICE_PRINCIPAL_ID")
    monkeypatch.delenv("AZURE_CLIENT_ID", raising=False)
    finding = place.findings(auth="service-principal")["credentials"]
    assert (finding.state, "AZUREML_SERVICE_PRINCIPAL_ID" in finding.found) == (State.WRONG, True)


def test_without_a_network_the_network_is_what_the_hint_is_about(place: Place, monkeypatch: pytest.MonkeyPatch):
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    finding = place.findings()["credentials"]
    assert (finding.state, "HTTPS_PROXY" in finding.remedy) == (State.WRONG, True)


def test_a_workspace_that_does_not_exist_is_reported_by_name(place: Place, tmp_path: Path):
    config = {**place.emulator.settings.config, "workspace_name": "another"}
    (tmp_path / "config.json").write_text(json.dumps(config))
    found = place.findings(config=str(tmp_path))
    assert found["workspace"].state is State.WRONG
    assert "there is no workspace 'another'" in found["workspace"].found


DEEP = {
    "list": "[" * 100_000,
    "object": '{"a":' * 100_000,
    "value": '{"resource_group": "g", "workspace_name": "w", "subscription_id": ' + "[" * 500 + "]" * 500 + "}",
}


@pytest.mark.parametrize(
    "content", [*DEEP.values(), "[]", '"text"', '{"Scope": 1}', '{"Scope": "/"}'], ids=lambda c: c[:9]
)
def test_a_config_of_another_form_names_no_workspace(tmp_path: Path, content: str):
    path = tmp_path / "config.json"
    path.write_text(content)
    with pytest.raises(InputError) as caught:
        Scope.from_config(str(path))
    assert caught.value.what == f"{path} names no workspace"


def test_the_doctor_reports_a_config_that_is_nested_too_deeply(place: Place, tmp_path: Path):
    (tmp_path / "config.json").write_text(DEEP["list"])
    done = place.doctor("--azureml-config", tmp_path / "config.json")
    assert (done.returncode, "Traceback" in done.stderr) == (1, False)
    assert "names no workspace" in " ".join(done.stdout.split())


def test_a_token_of_another_form_claims_nothing():
    for content in (*DEEP.values(), "[]"):
        assert checks._claims(f"Bearer a.{base64.urlsafe_b64encode(content.encode()).decode()}.c") == {}


PLACES = (
    *(".azureml/config.json", "up/aml_config/config.json", "aml_config/project.json"),
    *("up/config.json", "config.json", "up/here/project.json"),
)
"""From the one that the SDK takes first to the one that it takes last, from `up/here` on."""


@pytest.mark.parametrize("first", range(len(PLACES)), ids=PLACES.__getitem__)
def test_the_workspace_is_the_one_that_the_sdk_finds(place: Place, tmp_path: Path, first: int):
    from azureml.core import Workspace

    start = tmp_path / "up" / "here"
    start.mkdir(parents=True)
    right = place.emulator.settings.config
    for name in PLACES[first:]:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(right if name == PLACES[first] else {**right, "workspace_name": "another"}))
    found = Workspace.from_config(str(start), auth=sign_in("service-principal"))
    assert Scope.from_config(str(start)).workspace == found.name == right["workspace_name"]


def test_a_file_of_an_old_version_of_the_sdk_is_read_as_the_sdk_reads_it(place: Place, tmp_path: Path):
    from azureml.core import Workspace

    scope = Scope.from_config(str(place.folder))
    (tmp_path / "project.json").write_text(json.dumps({"Id": "1", "Scope": f"{scope.path}/projects/p"}))
    assert Scope.from_config(str(tmp_path)) == scope
    assert Workspace.from_config(str(tmp_path), auth=sign_in("service-principal")).name == scope.workspace


def test_a_cluster_is_shown_as_it_is(place: Place):
    Client(emulator=place.emulator).cluster("there", most=3)
    finding = look(place, "cluster", compute="there")
    assert finding == CheckResult(State.OK, "there: ready, Standard_NC4as_T4_v3, nodes: 0 of at most 3")


def test_a_cluster_of_another_size_is_a_warning(place: Place):
    Client(emulator=place.emulator).cluster("small", size="Standard_DS3_v2")
    finding = look(place, "cluster", compute="small")
    assert finding.state is State.WARNING
    assert "its nodes are Standard_DS3_v2, about 0.29 USD an hour; Standard_NC4as_T4_v3, about 0.53" in finding.found
    assert "at most 12 node-hours of Standard_DS3_v2" in finding.found


def test_a_cluster_that_costs_more_is_wrong_until_it_is_accepted(place: Place):
    Client(emulator=place.emulator).cluster("large", size="Standard_NC64as_T4_v3")
    finding = look(place, "cluster", compute="large")
    assert (finding.state, "4 T4 GPUs, and a job uses one" in finding.found) == (State.WRONG, True)
    assert "--azureml-accept-cluster" in finding.remedy
    assert look(place, "cluster", compute="large", accept_cluster=True).state is State.WARNING


def test_a_cluster_that_could_not_be_made_is_wrong_for_the_reason_that_azure_gives(place: Place):
    Client(emulator=place.emulator).cluster("failed", size=H100)
    finding = place.findings(compute="failed", vm_size=H100)["cluster"]
    assert finding.state is State.WRONG
    assert "could not be made; received: the quota of StandardNCadsH100v5Family is 0 cores" in finding.found


def test_a_cluster_that_can_not_grow_as_far_as_it_may_is_a_warning(place: Place):
    size = "Standard_NC24ads_A100_v4"
    Client(emulator=place.emulator).cluster("wide", size=size, most=4)
    finding = look(place, "cluster", compute="wide", vm_size=size)
    assert (finding.state, "Azure says: the quota of" in finding.found) == (State.WARNING, True)


@pytest.mark.parametrize(
    ("size", "allowed", "state", "words"),
    [
        ("Standard_NC6", False, State.WRONG, "was retired on 2023-08-31"),
        ("Standard_NC6", True, State.WARNING, "was retired on 2023-08-31"),
        ("Standard_NV12s_v3", False, State.WARNING, "will be retired on 2026-09-30"),
        ("Standard_X1", False, State.WARNING, "stoker doesn't know"),
        ("standard_nc4as_t4_v3", False, State.OK, "4 cores, 28 GiB, 1 T4"),
    ],
)
def test_a_size_is_looked_up_in_the_table_which_says_its_age(
    place: Place, size: str, allowed: bool, state: State, words: str
):
    finding = look(place, "VM size", vm_size=size, allow_retired=allowed)
    assert (finding.state, bool(finding.remedy)) == (state, state is not State.OK)
    assert words in finding.found
    assert catalogue.age(DAY) in finding.found


def test_a_size_that_the_region_lacks_is_wrong_and_others_are_named(place: Place):
    found = place.findings(vm_size="Standard_ND96asr_v4")
    assert found["region"].state is State.WRONG
    assert "Standard_NC4as_T4_v3" in found["region"].remedy
    assert found["quota"] == CheckResult(State.SKIPPED, "it needs: region")


def test_a_size_without_quota_is_wrong(place: Place):
    finding = look(place, "quota", vm_size=H100)
    assert finding.state is State.WRONG
    assert finding.found == "StandardNCadsH100v5Family: 0 of 0 cores in use; a node takes 40"
    assert "ask for more under Quota" in finding.remedy


def test_nodes_of_low_priority_have_a_quota_of_their_own(place: Place):
    finding = look(place, "quota", low_priority=True)
    assert finding == CheckResult(State.OK, "lowPriorityCores: 0 of 100 cores in use; a node takes 4")


def test_a_size_whose_family_azure_does_not_give_has_no_known_quota(place: Place):
    checkup = Checkup(place.settings(), DAY, PATIENCE)
    checkup.offers = {"standard_nc4as_t4_v3": {"name": "Standard_NC4as_T4_v3", "vCPUs": 4}}
    finding = checks.quota(checkup)
    assert (finding.state, "doesn't say which family" in finding.found) == (State.WARNING, True)


def row(name: str, limit: int, used: int, path: str = "/subscriptions/s/usages/x") -> dict[str, Any]:
    return {"id": path, "name": {"value": name, "localizedValue": name}, "limit": limit, "currentValue": used}


DOCUMENTED = (
    row("Clusters", 100, 7),
    row("Total Cluster Dedicated Regional vCPUs", 24, 14),
    row("Standard DSv2 Family Cluster Dedicated vCPUs", 48, 2),
    row("Standard DSv2 Family Cluster Dedicated vCPUs", 24, 24, "/subscriptions/s/x/workspaces/w/usages/x"),
    row("Standard NCASv3_T4 Family Cluster Dedicated vCPUs", 8, 4),
    row("Total Cluster LowPriority Regional vCPUs", 50, 18),
    row("Standard DSv2 Family Cluster LowPriority vCPUs", -1, 0),
)
"""As https://learn.microsoft.com/rest/api/azureml/usages/list shows it."""


@pytest.mark.parametrize(
    ("family", "low_priority", "found"),
    [
        ("standardDSv2Family", False, Quota(name="Total Cluster Dedicated Regional vCPUs", limit=24, used=14)),
        ("Standard NCASv3_T4 Family", False, Quota(name=str(DOCUMENTED[4]["name"]["value"]), limit=8, used=4)),
        ("standardDSv2Family", True, Quota(name="Total Cluster LowPriority Regional vCPUs", limit=50, used=18)),
        ("standardNDFamily", False, None),
    ],
)
def test_the_quota_that_runs_out_first_counts(family: str, low_priority: bool, found: Quota | None):
    assert scarcest(DOCUMENTED, family, low_priority=low_priority) == found


def test_a_data_set_is_registered_or_made_or_missing(place: Place):
    assert "a job on MNIST registers it" in look(place, "data set").found
    assert look(place, "data set", dataset="mine").state is State.WARNING
    body = {"name": "mine", "datasetType": "file", "latest": {"dataflow": "{}"}}
    assert Client(emulator=place.emulator).call("POST", "dataset/v1.0", "/datasets", body).status == 200
    for named in ("mine", "mine:1", "mine:latest"):
        assert look(place, "data set", dataset=named) == CheckResult(State.OK, "mine is registered, version 1")


@pytest.mark.parametrize(
    ("image", "state"),
    [
        (catalogue.IMAGE, State.OK),
        ("mine.azurecr.io/image:7", State.OK),
        ("mine.azurecr.io/image@sha256:0123", State.OK),
        ("mine.azurecr.io/image", State.WARNING),
        ("mine.azurecr.io:443/image", State.WARNING),
        ("mine.azurecr.io/image:latest", State.WARNING),
    ],
)
def test_an_image_that_may_change_is_a_warning(place: Place, image: str, state: State):
    assert look(place, "image", image=image).state is state


def test_a_storage_account_that_refuses_is_wrong(place: Place):
    fault = place.emulator.fault("GET emulatedstorage", FaultKind.FORBIDDEN, times=None)
    finding = place.findings()["datastore"]
    fault.clear()
    assert (finding.state, "Storage Blob Data Reader" in finding.remedy) == (State.WRONG, True)


def test_an_account_that_may_not_list_sizes_can_train_anyway(place: Place):
    fault = place.emulator.fault("/vmSizes|/usages", FaultKind.FORBIDDEN, times=None)
    states = place.states()
    fault.clear()
    assert states == {"warning": ["region", "quota"]}


@pytest.mark.parametrize("kind", [kind for kind in FaultKind if kind not in ALTER | {FaultKind.SLOW}])
def test_whatever_is_wrong_with_a_service_is_found_in_a_known_time(place: Place, kind: FaultKind):
    fault = place.emulator.fault("/computes/", kind, times=None)
    began = time.monotonic()
    finding = place.findings()["cluster"]
    fault.clear()
    assert fault.hits > 0
    assert time.monotonic() - began < LONGEST_S
    if kind is not FaultKind.NOT_FOUND:  # then it is to be made
        assert finding.state is State.WRONG
        assert finding.remedy


def test_an_unexpected_answer_stops_nothing(place: Place):
    checkup = Checkup(place.settings(), DAY, PATIENCE)
    checkup.offers = {"standard_nc4as_t4_v3": {"name": "Standard_NC4as_T4_v3", "vCPUs": "many", "family": "x"}}
    found = dict(examine(checkup))
    assert found["quota"].state is State.WARNING
    assert "unexpected" in found["quota"].found
    assert found["datastore"].state is State.OK


@pytest.fixture(scope="module")
def parsers() -> Any:
    return cli.Parsers(Plugins.load())


def test_the_doctor_takes_the_options_that_train_has_for_this_backend(parsers: Any):
    def options(parser: ArgumentParser) -> set[str]:
        return {name for name in option_strings(parser) if "azureml" in name}

    def below(parser: ArgumentParser, name: str) -> ArgumentParser:
        actions = sub_parsers(parser)
        assert actions
        found: ArgumentParser = actions.choices[name]
        return found

    train = below(parsers("train"), "train")
    doctor = below(below(parsers("azureml"), "azureml"), "doctor")
    assert options(doctor) == options(train)


def test_the_command_prints_lines_and_its_exit_code_says_whether_something_is_wrong(place: Place):
    done = place.doctor()
    assert (done.returncode, done.stderr) == (0, "")
    assert [line[:11].split()[0] for line in done.stdout.splitlines() if not line.startswith(" ")][:-1] == ["ok"] * len(
        ALL
    )
    assert done.stdout.endswith("nothing is wrong: a job can be submitted\n")
    done = place.doctor("--azureml-vm-size", "Standard_NC6")
    assert done.returncode == 1
    assert "hint: --azureml-vm-size Standard_NC4as_T4_v3" in done.stdout
    assert done.stdout.endswith("wrong: VM size, region\n")
    assert place.emulator.settings.client_secret not in done.stdout


def test_the_command_speaks_json_and_takes_the_settings_file(place: Place, tmp_path: Path):
    (tmp_path / "stoker.toml").write_text(f'[azureml]\nvm-size = "{H100}"\nconfig = "{place.folder}/config.json"\n')
    there = replace(place, folder=tmp_path)
    done = there.doctor("--json")
    found = {one["name"]: one for one in json.loads(done.stdout)}
    assert list(found) == ALL
    assert (done.returncode, found["quota"]["state"]) == (1, "wrong")
    assert H100 in found["VM size"]["found"]


def test_without_the_sdk_the_doctor_says_what_to_install(place: Place, tmp_path: Path):
    (tmp_path / "sitecustomize.py").write_text(isolation.hide_undeclared_packages(["pluggy", "requests"]))
    done = place.doctor(PYTHONPATH=str(tmp_path))
    assert (done.returncode, done.stderr) == (1, "")
    first, _, hint = done.stdout.partition("\n")
    assert first.split()[:3] == ["wrong", "SDK", "not"]
    assert "azureml-core" in first
    assert " ".join(hint.split()).startswith(f"hint: {install_command('azureml')} ")
    assert done.stdout.endswith("wrong: SDK\n")


def test_a_sign_in_that_does_not_come_to_an_end_is_left_alone(place: Place, tmp_path: Path):
    plugin = plugin_files.write(
        tmp_path / "hurry.py", "from stoker.plugins.azureml.commands import checks\nchecks.SIGN_IN_S = 0.5\n"
    )
    fault = place.emulator.fault("login.microsoftonline.com", FaultKind.TIME_OUT, times=None)
    done = place.doctor("-p", plugin)
    fault.clear()
    assert (done.returncode, done.stderr) == (1, "")
    assert "can't sign in to Azure: no answer within" in done.stdout
    assert done.stdout.endswith("wrong: credentials\n")

"""A cluster that is there is compared with what was asked for before anything is sent, and a new one gets all of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from stoker.engine.errors import InputError, OptionError
from stoker.engine.job import TrainJob
from stoker.engine.rundir import RunDirectory
from stoker.engine.testing.backend import payloads
from stoker.plugins.azureml import catalogue
from stoker.plugins.azureml.backend import AzureBackend
from stoker.plugins.azureml.cluster import compare, provision
from stoker.plugins.azureml.cluster.cluster import Cluster
from stoker.plugins.azureml.rest.client import Patience
from stoker.plugins.azureml.settings import AzureSettings
from stoker.plugins.azureml_emulator import Emulator

from ..emulator.client import Client

ONE_T4, FOUR_T4 = "Standard_NC4as_T4_v3", "Standard_NC64as_T4_v3"
A100, CPU = "Standard_NC24ads_A100_v4", "Standard_DS3_v2"
GROUP = "/subscriptions/11111111-2222-4333-8444-555555555555/resourceGroups"
IDENTITY = f"{GROUP}/people/providers/Microsoft.ManagedIdentity/userAssignedIdentities/me"
SUBNET = f"{GROUP}/networks/providers/Microsoft.Network/virtualNetworks/v/subnets/s"


def described(**changed: Any) -> dict[str, Any]:
    """A cluster as the service describes it."""
    scale = {"minNodeCount": 0, "maxNodeCount": 4, "nodeIdleTimeBeforeScaleDown": "PT2M", **changed.pop("scale", {})}
    outer = {name: changed.pop(name) for name in ("computeType", "provisioningState") if name in changed}
    top = {name: changed.pop(name) for name in ("identity",) if name in changed}
    inner = {"vmSize": ONE_T4.upper(), "vmPriority": "Dedicated", "scaleSettings": scale, **changed}
    facts = {"computeType": "AmlCompute", "provisioningState": "Succeeded", **outer, "properties": inner}
    return {"name": "c", **top, "properties": facts}


def differing(description: dict[str, Any], **settings: Any) -> list[compare.Difference]:
    return list(compare.differences(Cluster.of(description), AzureSettings(**settings)))


@dataclass(kw_only=True)
class Place:
    """A workspace, a backend of it, and what the backend has said."""

    emulator: Emulator
    folder: Path
    said: list[str] = field(default_factory=list)

    @property
    def client(self) -> Client:
        return Client(emulator=self.emulator)

    def submit(self, **settings: Any) -> None:
        made = AzureSettings(config=str(self.emulator.write_config(self.folder)), **settings)
        patience = Patience(request_s=5.0, total_s=5.0, pause_s=0.05)
        backend = AzureBackend(made, patience=patience, poll_s=0.05, report=self.said.append)
        job = TrainJob(name="x", plugins=(payloads.PLUGIN,), options={payloads.OPTION: "succeed"})
        backend.submit(job, RunDirectory.create(self.folder / "runs", job).path)

    def changes(self) -> list[str]:
        """The requests that have changed something in the workspace."""
        asked = [one for one in self.emulator.requests if "login" not in one.host and one.method not in {"GET", "HEAD"}]
        return [f"{one.method} {one.path}" for one in asked]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    with Emulator(tmp_path / "azure", scale_up_s=0.02, prepare_s=0.0) as emulator:
        for name, value in emulator.client_environment().items():
            monkeypatch.setenv(name, value)
        yield Place(emulator=emulator, folder=tmp_path)


def test_a_cluster_as_it_was_asked_for_has_no_differences():
    assert differing(described()) == []
    assert (
        differing(described(vmPriority="LowPriority", scale={"minNodeCount": 1}), low_priority=True, min_nodes=1) == []
    )


@pytest.mark.parametrize(
    ("there", "asked", "costs_more", "words"),
    [
        ({"vmSize": A100}, {}, True, f"its nodes are {A100}, about 3.67 USD an hour; {ONE_T4}, about 0.53 USD"),
        ({"vmSize": CPU}, {}, False, f"its nodes are {CPU}, about 0.29 USD an hour; {ONE_T4}, about 0.53 USD"),
        ({"vmSize": "Standard_NX9"}, {}, True, "its nodes are Standard_NX9, stoker knows no price; Standard_NC4as"),
        ({"vmSize": "Standard_D9"}, {}, False, "its nodes are Standard_D9, stoker knows no price"),
        ({}, {"low_priority": True}, True, "its nodes are dedicated, at the full price"),
        ({"vmPriority": "LowPriority"}, {}, False, "its nodes are low-priority, so Azure may take them away"),
        ({"scale": {"minNodeCount": 2}}, {}, True, "it keeps 2 of its nodes when idle, 48 node-hours a day; it was"),
        ({}, {"min_nodes": 1}, False, "it keeps 0 of its nodes when idle; it was to keep 1"),
        (
            {"scale": {"nodeIdleTimeBeforeScaleDown": "PT1H"}},
            {},
            True,
            "its idle nodes stay for 3600 s; 120 s was asked for",
        ),
        ({"scale": {"nodeIdleTimeBeforeScaleDown": "PT0S"}}, {}, False, "its idle nodes stay for 0 s; 120 s was"),
        ({}, {"idle_seconds": 900}, False, "its idle nodes stay for 120 s; 900 s was asked for"),
        ({}, {"identity": "system"}, False, "its identity is none; system was asked for"),
        ({"subnet": {"id": SUBNET}}, {"subnet": "v/t"}, False, f"its subnet is {SUBNET}; v/t was asked for"),
        (
            {"subnet": {"id": SUBNET}},
            {"subnet": SUBNET.replace("networks", "x")},
            False,
            f"its subnet is {SUBNET}; /sub",
        ),
        ({"subnet": {"id": SUBNET}}, {"subnet": "v/s", "no_public_ip": True}, False, "its nodes have public addresses"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else None,
)
def test_each_difference_says_what_is_there_and_what_was_asked_for(
    there: dict[str, Any], asked: dict[str, Any], costs_more: bool, words: str
):
    (one,) = differing(described(**there), **asked)
    assert one.text.startswith(words)
    assert one.costs_more is costs_more


@pytest.mark.parametrize(
    ("there", "asked"),
    [
        ({"identity": {"type": "SystemAssigned, UserAssigned"}}, {"identity": "system"}),
        (
            {"identity": {"type": "UserAssigned", "userAssignedIdentities": {IDENTITY.upper(): {}}}},
            {"identity": IDENTITY},
        ),
        (
            {"subnet": {"id": SUBNET}, "enableNodePublicIp": False},
            {"subnet": SUBNET, "no_public_ip": True},
        ),
    ],
    ids=["system", "user", "subnet"],
)
def test_an_identity_and_a_subnet_that_are_there_are_no_difference(there: dict[str, Any], asked: dict[str, Any]):
    assert differing(described(**there), **asked) == []


@pytest.mark.parametrize(
    ("there", "words"),
    [
        ({"computeType": "ComputeInstance"}, "'c' is not a cluster but a ComputeInstance"),
        ({"provisioningState": "Deleting"}, "the cluster c is being deleted"),
        ({"provisioningState": "Failed"}, "the cluster c could not be made"),
        ({"scale": {"maxNodeCount": 0}}, "the cluster c never has a node: its maximum is 0"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else None,
)
def test_what_no_job_can_run_on_is_refused(there: dict[str, Any], words: str):
    with pytest.raises(InputError, match=words) as caught:
        compare.refuse_unusable(Cluster.of(described(**there)))
    assert "--azureml-compute" in caught.value.hint


@pytest.mark.parametrize("unsaid", [None, "", "soon"])
def test_an_idle_time_that_the_service_does_not_say_is_no_difference(unsaid: str | None):
    assert differing(described(scale={"nodeIdleTimeBeforeScaleDown": unsaid})) == []


def test_the_bound_is_that_of_what_is_there():
    there = Cluster.of(described(vmSize=FOUR_T4, scale={"minNodeCount": 1, "nodeIdleTimeBeforeScaleDown": "P1DT1M"}))
    bound = compare.bound(there, AzureSettings(max_hours=2))
    expected = (
        f"at most 2 node-hours of {FOUR_T4} (about 8.70 USD) and 86460 s of waiting for more, and 1 kept when idle"
    )
    assert bound == expected


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (FOUR_T4, f"a node of {FOUR_T4} has 4 T4 GPUs, and a job uses one: the other 3 are paid for, and idle"),
        ("Standard_NV72ads_A10_v5", "has 2 A10 GPUs, and a job uses one: the other one is paid for, and idle"),
        (ONE_T4, ""),
        ("Standard_NV18ads_A10_v5", ""),
        (CPU, ""),
        ("Standard_NX9", ""),
    ],
)
def test_gpus_that_a_job_pays_for_and_does_not_use_are_counted(size: str, words: str):
    assert catalogue.idle_gpus(size).endswith(words)
    assert bool(catalogue.idle_gpus(size)) is bool(words)


def test_a_cluster_that_costs_more_is_refused_before_anything_is_sent(place: Place):
    place.client.cluster("gpu-cluster", size=FOUR_T4, scale={"minNodeCount": 1})
    before = len(place.changes())
    with pytest.raises(InputError, match="the cluster gpu-cluster costs more than planned") as caught:
        place.submit(max_hours=1)
    assert place.changes()[before:] == []
    lines = str(caught.value).splitlines()
    assert [line.strip().partition(" ")[0] for line in lines[2:]] == ["its", "a", "it", "so"]
    assert f"at most 1 node-hours of {FOUR_T4} (about 4.35 USD)" in lines[-1]
    assert f"--azureml-vm-size {FOUR_T4}, --azureml-min-nodes 1" in caught.value.hint
    assert compare.ACCEPT in caught.value.hint


@pytest.mark.parametrize("change", [{"accept_cluster": True}, {"vm_size": FOUR_T4}], ids=["accepted", "asked for"])
def test_a_cluster_that_costs_more_is_used_if_that_is_what_the_user_wants(place: Place, change: dict[str, Any]):
    place.client.cluster("gpu-cluster", size=FOUR_T4)
    place.submit(max_hours=1, **change)
    assert len(place.emulator.service.runs.all()) == 1
    told = [line for line in place.said if "not as planned" in line or "so the job costs" in line]
    assert bool(told) is ("accept_cluster" in change)
    assert all(f"{FOUR_T4}" in line for line in told)


def test_a_cluster_that_costs_less_is_used_and_the_difference_is_told(place: Place):
    place.client.cluster("gpu-cluster", size=CPU)
    place.submit(max_hours=1)
    (difference,) = (line for line in place.said if "is not as planned" in line)
    assert f"its nodes are {CPU}" in difference
    assert (
        f"so the job costs at most 1 node-hours of {CPU} (about 0.29 USD) and 120 s of waiting for more" in place.said
    )


def test_a_cluster_that_somebody_makes_meanwhile_is_compared_too(place: Place, monkeypatch: pytest.MonkeyPatch):
    made = provision.find_or_create

    def late(*arguments: Any) -> None:
        place.client.cluster("gpu-cluster", size=FOUR_T4)
        made(*arguments)

    monkeypatch.setattr(provision, "find_or_create", late)
    with pytest.raises(InputError, match="costs more than planned"):
        place.submit()
    assert place.emulator.service.runs.all() == []


ACCESS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "nothing": ({}, {}),
    "system": ({"identity": "system"}, {"identity": {"type": "SystemAssigned"}}),
    "user": (
        {"identity": IDENTITY},
        {"identity": {"type": "UserAssigned", "userAssignedIdentities": {IDENTITY: {}}}},
    ),
    "subnet": (
        {"subnet": "v/s"},
        {"subnet": {"id": SUBNET.replace("/networks/", "/emulated/")}, "enableNodePublicIp": True},
    ),
    "private": ({"subnet": SUBNET, "no_public_ip": True}, {"subnet": {"id": SUBNET}, "enableNodePublicIp": False}),
}
"""What is asked of a new cluster, and what of that is posted."""


@pytest.mark.parametrize("name", ACCESS)
def test_a_new_cluster_is_posted_with_the_identity_and_the_network_that_were_asked_for(place: Place, name: str):
    asked, expected = ACCESS[name]
    place.submit(**asked)
    posted = place.emulator.service.clusters.record("gpu-cluster")
    inner = posted["properties"]["properties"]
    found = {"identity": posted.get("identity")} | {key: inner.get(key) for key in ("subnet", "enableNodePublicIp")}
    assert {key: value for key, value in found.items() if value is not None} == expected


def test_a_subnet_of_another_subscription_is_refused_before_anything_is_sent(place: Place):
    with pytest.raises(InputError, match="in another subscription than the workspace"):
        place.submit(subnet=SUBNET.replace("1111", "9999"))
    assert place.changes() == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(
            ("identity", value)
            for value in ("me", SUBNET, IDENTITY.removesuffix("/me"), f"{IDENTITY}/", f"x{IDENTITY}")
        ),
        *(("subnet", value) for value in ("v", "v/", "/s", "a/b/c", IDENTITY, SUBNET.replace("subnets", "nets"))),
        *(("max_queue_minutes", value) for value in (-1.0, float("nan"), float("inf"))),
    ],
)
def test_an_identity_a_subnet_or_a_wait_that_can_not_be_is_refused(name: str, value: Any):
    with pytest.raises(OptionError) as caught:
        AzureSettings(**{name: value})
    assert caught.value.what == f"--azureml-{name.replace('_', '-')} must be {caught.value.expected}"


def test_nodes_without_public_addresses_need_a_subnet():
    with pytest.raises(OptionError, match="--azureml-no-public-ip needs a subnet"):
        AzureSettings(no_public_ip=True)

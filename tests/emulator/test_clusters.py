"""Clusters come about, grow and shrink over time; retired sizes and missing quota are refused."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from stoker.plugins.azureml_emulator import Emulator
from stoker.plugins.azureml_emulator.state.nodes import Nodes, Scale, seconds

from ..patience import PATIENCE_S
from .client import Client

SCALE = Scale(min_nodes=0, max_nodes=2, idle_s=10, up_s=3, down_s=1)


def counts(nodes: Nodes) -> dict[str, int]:
    return {name.removesuffix("NodeCount"): count for name, count in nodes.counts().items() if count}


def test_nodes_come_when_they_are_needed_and_go_when_they_are_idle() -> None:
    nodes = Nodes()
    assert nodes.take(2, SCALE, 0.0) is None
    nodes.advance(SCALE, 2.9)
    assert counts(nodes) == {"preparing": 2}
    nodes.advance(SCALE, 3.0)
    taken = nodes.take(2, SCALE, 3.0)
    assert taken
    assert counts(nodes) == {"running": 2}
    nodes.release(taken, 20.0, preempted=False)
    nodes.advance(SCALE, 29.9)
    assert counts(nodes) == {"idle": 2}
    nodes.advance(SCALE, 30.0)
    assert counts(nodes) == {"leaving": 2}
    nodes.advance(SCALE, 31.0)
    assert nodes.current == 0


def test_a_cluster_grows_no_further_than_it_may() -> None:
    nodes = Nodes()
    for wanted in (1, 2, 3):
        assert nodes.take(wanted, SCALE, 0.0) is None
    assert nodes.target == 2


def test_preempted_nodes_are_gone_and_counted() -> None:
    nodes = Nodes()
    nodes.take(1, SCALE, 0.0)
    nodes.advance(SCALE, 3.0)
    taken = nodes.take(1, SCALE, 3.0)
    assert taken
    nodes.release(taken, 4.0, preempted=True)
    assert counts(nodes) == {"preempted": 1}


@pytest.mark.parametrize(("text", "expected"), [("PT120S", 120), ("PT2M", 120), ("P1DT1H", 90_000), ("PT0.5S", 0.5)])
def test_durations_are_read(text: str, expected: float) -> None:
    assert seconds(text) == expected


def test_a_retired_size_is_refused_and_no_cluster_is_left(client: Client) -> None:
    refused = client.cluster("old", size="Standard_NC6")
    assert (refused.status, refused.code) == (400, "InvalidPropertyValue")
    assert "Standard_NC6" in refused.json["error"]["message"]
    assert client.call("GET", "rp/workspaces", "/computes/old").status == 404


def test_without_quota_a_cluster_fails_with_the_reason(client: Client) -> None:
    made = client.cluster("big", size="Standard_NC40ads_H100_v5")
    operation = client.send("GET", made.headers["Azure-AsyncOperation"], Authorization=f"Bearer {client.token}")
    assert operation.json["status"] == "Failed"
    assert operation.json["error"]["code"] == "ClusterCoreQuotaReached"
    assert client.compute("big")["provisioningState"] == "Failed"


def test_a_cluster_that_may_grow_beyond_the_quota_says_so(client: Client) -> None:
    client.cluster("c", size="Standard_NC24ads_A100_v4", most=4)
    compute = client.compute("c")
    assert compute["provisioningState"] == "Succeeded"
    assert compute["properties"]["errors"][0]["error"]["code"] == "ClusterCoreQuotaReached"


@pytest.mark.parametrize("scale", [{"minNodeCount": 2}, {"maxNodeCount": "x"}, {"nodeIdleTimeBeforeScaleDown": "soon"}])
def test_a_scale_that_makes_no_sense_is_refused(scale: dict[str, Any], client: Client) -> None:
    assert client.cluster("c", scale=scale).code == "InvalidScaleSettings"


def test_making_a_cluster_takes_its_time(tmp_path: Path) -> None:
    with Emulator(tmp_path, create_s=2.0) as emulator:
        client = Client(emulator=emulator)
        address = client.cluster("c").headers["Azure-AsyncOperation"]
        states = []
        while "Succeeded" not in states:
            states.append(client.send("GET", address, Authorization=f"Bearer {client.token}").json["status"])
        assert states[0] == "InProgress"


def test_usage_counts_the_cores_of_the_nodes(client: Client) -> None:
    client.cluster("c", most=2, scale={"minNodeCount": 2})
    deadline = time.monotonic() + PATIENCE_S
    while client.compute("c")["properties"]["nodeStateCounts"]["idleNodeCount"] < 2:
        assert time.monotonic() < deadline
    scope = client.emulator.settings.scope.partition("/resourceGroups")[0]
    place = f"{scope}/providers/Microsoft.MachineLearningServices/locations/eastus/usages"
    usages = client.send("GET", f"https://management.azure.com{place}", Authorization=f"Bearer {client.token}").json
    (used,) = [one for one in usages["value"] if one["name"]["value"] == "Standard NCASv3_T4 Family"]
    assert (used["currentValue"], used["limit"]) == (8, 64)


def test_a_cluster_that_runs_something_can_not_be_deleted(client: Client) -> None:
    client.cluster("c")
    client.submit("one", "import time; time.sleep(600)")
    client.until("one", "Running")
    assert client.manage("DELETE", "/computes/c").code == "ComputeInUse"

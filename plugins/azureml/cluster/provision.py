"""Provides the cluster that a job runs on: finds it, or makes it and waits until it is ready."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from ....engine.backend import Reporter
from ....engine.errors import BackendError, InputError
from ..progress import PERIOD_S
from ..reference import Scope
from ..resource import SYSTEM, subnet
from ..rest import paths
from ..rest.answer import entries, part
from ..rest.client import Service
from ..sdk import hints, sdk
from ..settings import AzureSettings

TAG = "created-by"
OURS = "stoker"
"""The tag of each cluster that stoker made, and its value."""

_POLL_S = 2.0


def find_or_create(service: Service, workspace: Any, settings: AzureSettings, report: Reporter) -> None:
    """Finds the cluster of a job or makes it, and waits until it is ready.

    Args:
        service: The workspace.
        workspace: The same, as the SDK's object.
        settings: The cluster's name, and what to make.
        report: Takes a line for each step.

    Raises:
        BackendError: The cluster can't be made, has failed, or takes too long.
    """
    found = find(service, settings.compute)
    if found is None:
        report(f"making the cluster {settings.compute}: up to {settings.max_nodes} nodes of {settings.vm_size}")
        _create(service, workspace, settings)
    wait(service, settings.compute, report)


def find(service: Service, name: str) -> Mapping[str, Any] | None:
    """Returns the service's description of a compute target; None if there is none of that name."""
    return service.get(paths.cluster(name))


def nodes(facts: Mapping[str, Any]) -> str:
    """Describes the nodes of a cluster: "1 preparing, 2 running of at most 4", and why there are no more.

    Args:
        facts: The properties in the cluster's description.
    """
    inner = part(facts, "properties")
    counts = {name.removesuffix("NodeCount"): count for name, count in part(inner, "nodeStateCounts").items()}
    busy = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
    most = part(inner, "scaleSettings").get("maxNodeCount", "?")
    errors = _errors(entries(inner, "errors"))
    return f"{busy or 0} of at most {most}" + (f"; Azure says: {errors}" if errors else "")


def wait(service: Service, name: str, report: Reporter) -> None:
    """Waits until a cluster is ready.

    Args:
        service: The workspace.
        name: The cluster.
        report: Takes a line whenever the state or the nodes change, and every half minute.

    Raises:
        BackendError: The cluster has failed, or takes too long.
    """
    began = reported = time.monotonic()
    longest_s, last = service.patience.cluster_s, ""
    while True:
        facts = part(find(service, name) or {}, "properties")
        state = str(facts.get("provisioningState") or "missing")
        if state == "Succeeded":
            report(f"the cluster {name} is ready; nodes: {nodes(facts)}")
            return
        if state in {"Failed", "Canceled"}:
            raise _failed(name, facts)
        now = time.monotonic()
        if now - began > longest_s:
            raise _late(name, state, longest_s)
        line = f"the cluster {name} is {state.lower()}; nodes: {nodes(facts)}"
        if line != last or now - reported >= PERIOD_S:
            last, reported = line, now
            report(f"{line} ({now - began:.0f} s of at most {longest_s / 60:g} minutes)")
        time.sleep(_POLL_S)


def _failed(name: str, facts: Mapping[str, Any]) -> BackendError:
    reason = _errors(entries(facts, "provisioningErrors")) or "no reason given"
    hint = "choose another --azureml-vm-size, or ask for more quota in the studio"
    return BackendError(f"the cluster {name} could not be made", received=reason, hint=hint)


def _late(name: str, state: str, waited_s: float) -> BackendError:
    what = f"the cluster {name} is not ready after {waited_s / 60:g} minutes"
    hint = "Azure may still finish it; submit again then, and the job takes it"
    return BackendError(what, received=state, hint=hint)


def _create(service: Service, workspace: Any, settings: AzureSettings) -> None:
    """Makes the cluster. It may be there already if somebody else was faster."""

    def create() -> None:
        from azureml.core.compute import AmlCompute, ComputeTarget

        wanted = AmlCompute.provisioning_configuration(
            vm_size=settings.vm_size,
            vm_priority="lowpriority" if settings.low_priority else "dedicated",
            min_nodes=settings.min_nodes,
            max_nodes=settings.max_nodes,
            idle_seconds_before_scaledown=settings.idle_seconds,
            tags={TAG: OURS},
            **identity(settings),
            **network(settings, service.scope),
        )
        ComputeTarget.create(workspace, settings.compute, wanted)

    try:
        sdk.bounded(f"the cluster {settings.compute} can't be made", create, role=hints.CLUSTER)
    except BackendError:
        if find(service, settings.compute) is None:
            raise


def identity(settings: AzureSettings) -> dict[str, Any]:
    """Returns what the SDK takes for the identity of a new cluster; {} for none.

    `_validate_identity` and `_build_identity_id_payload` in `azureml.core.compute.amlcompute`.
    """
    if settings.identity in {"", SYSTEM}:
        return {"identity_type": "SystemAssigned"} if settings.identity else {}
    return {"identity_type": "UserAssigned", "identity_id": [settings.identity]}


def network(settings: AzureSettings, scope: Scope) -> dict[str, Any]:
    """Returns what the SDK takes for the network of a new cluster; {} for none.

    The SDK posts the subnet as one of the workspace's subscription, whatever its id has: `_build_create_payload` in
    `azureml.core.compute.amlcompute`.

    Raises:
        InputError: The subnet is in another subscription.
    """
    found = subnet(settings.subnet)
    if found is None:
        return {}
    if found.subscription.lower() not in {"", scope.subscription.lower()}:
        raise InputError(
            "--azureml-subnet is in another subscription than the workspace, which the SDK can't ask for",
            received=found.subscription,
            expected=scope.subscription,
            hint="make the cluster in the studio, https://ml.azure.com, and name it with --azureml-compute",
        )
    return {
        "vnet_resourcegroup_name": found.group or scope.group,
        "vnet_name": found.network,
        "subnet_name": found.name,
        "enable_node_public_ip": not settings.no_public_ip,
    }


def why_no_node(name: str, found: Mapping[str, Any] | None) -> str:
    """Says why a cluster will never have a node for a run that waits for one; "" if it may have.

    Args:
        name: The cluster.
        found: Its description; None if it is gone.
    """
    if found is None:
        return f"the cluster {name} is gone, so the run will never start"
    facts = part(found, "properties")
    state = str(facts.get("provisioningState"))
    if state == "Deleting":
        return f"the cluster {name} is being deleted, so the run will never start"
    if state in {"Failed", "Canceled"}:
        reason = _errors(entries(facts, "provisioningErrors")) or "no reason given"
        return f"the cluster {name} has failed, so the run will never start: {reason}"
    if part(part(facts, "properties"), "scaleSettings").get("maxNodeCount") == 0:
        return f"the cluster {name} may have no nodes, so the run will never start unless its maximum is raised"
    return ""


def _errors(found: Sequence[Mapping[str, Any]]) -> str:
    """Joins the messages of a cluster's errors; "" if there are none."""
    return " ".join(str((part(entry, "error") or entry).get("message", "")) for entry in found)

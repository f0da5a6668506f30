"""The cluster that a job runs on: found, or made and waited for."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from ....engine.errors import BackendError
from ..progress import PERIOD_S, Reporter
from ..rest.arm import VERSION
from ..rest.client import Service
from ..sdk import sdk
from ..settings import AzureSettings

TAG = "created-by"
OURS = "stoker"
"""The tag that each cluster has that stoker made, and its value."""

_POLL_S = 2.0
_SERVICE = "rp/workspaces"


def find_or_create(service: Service, workspace: Any, settings: AzureSettings, say: Reporter) -> None:
    """Sees to it that the cluster is there.

    Raises:
        BackendError: It can't be made, has failed, or takes too long.
    """
    found = find(service, settings.compute)
    if found is None:
        say(f"making the cluster {settings.compute}: up to {settings.max_nodes} nodes of {settings.vm_size}")
        _create(service, workspace, settings)
    wait(service, settings.compute, say)


def find(service: Service, name: str) -> dict[str, Any] | None:
    """What the service knows of a cluster; None if there is none."""
    return service.get(_SERVICE, f"/computes/{quote(name, safe='')}?{VERSION}")


def nodes(facts: Mapping[str, Any]) -> str:
    """The nodes of a cluster, for people: "1 preparing, 2 running of at most 4", and why there are no more.

    Args:
        facts: The properties of what `find` gave.
    """
    inner = facts.get("properties") or {}
    counts = {name.removesuffix("NodeCount"): count for name, count in (inner.get("nodeStateCounts") or {}).items()}
    busy = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
    most = (inner.get("scaleSettings") or {}).get("maxNodeCount", "?")
    errors = _errors(inner.get("errors"))
    return f"{busy or 'none'} of at most {most}" + (f"; Azure says: {errors}" if errors else "")


def wait(service: Service, name: str, say: Reporter) -> None:
    """Waits until a cluster is there, and says how that goes: whenever something changes, and now and then."""
    began = said = time.monotonic()
    longest_s, told = service.patience.cluster_s, ""
    while True:
        facts = (find(service, name) or {}).get("properties") or {}
        state = str(facts.get("provisioningState") or "missing")
        if state == "Succeeded":
            say(f"the cluster {name} is there; nodes: {nodes(facts)}")
            return
        if state in {"Failed", "Canceled"}:
            raise _failed(name, facts)
        now = time.monotonic()
        if now - began > longest_s:
            raise _late(name, state, longest_s)
        line = f"the cluster {name} is {state.lower()}; nodes: {nodes(facts)}"
        if line != told or now - said >= PERIOD_S:
            told, said = line, now
            say(f"{line} ({now - began:.0f} s of at most {longest_s / 60:g} minutes)")
        time.sleep(_POLL_S)


def _failed(name: str, facts: Mapping[str, Any]) -> BackendError:
    reason = _errors(facts.get("provisioningErrors")) or "no reason given"
    hint = "choose another --azureml-vm-size, or ask for more quota in the studio"
    return BackendError(f"the cluster {name} could not be made", received=reason, hint=hint)


def _late(name: str, state: str, waited_s: float) -> BackendError:
    what = f"the cluster {name} is not there after {waited_s / 60:g} minutes"
    return BackendError(what, received=state, hint="it may still come; submit again then, and the cluster is found")


def _create(service: Service, workspace: Any, settings: AzureSettings) -> None:
    """Asks for the cluster; somebody else may have made it meanwhile."""

    def create() -> None:
        from azureml.core.compute import AmlCompute, ComputeTarget

        wanted = AmlCompute.provisioning_configuration(
            vm_size=settings.vm_size,
            vm_priority="lowpriority" if settings.low_priority else "dedicated",
            min_nodes=settings.min_nodes,
            max_nodes=settings.max_nodes,
            idle_seconds_before_scaledown=settings.idle_seconds,
            tags={TAG: OURS},
        )
        ComputeTarget.create(workspace, settings.compute, wanted)

    try:
        sdk.bounded(f"the cluster {settings.compute} can't be made", create)
    except BackendError:
        if find(service, settings.compute) is None:
            raise


def _errors(entries: Sequence[Mapping[str, Any]] | None) -> str:
    """What a cluster says of what went wrong; "" if nothing did."""
    return " ".join(str((entry.get("error") or entry).get("message", "")) for entry in entries or ())

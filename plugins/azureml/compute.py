"""The cluster that a job runs on: found, or made and waited for."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from ...engine.errors import BackendError
from . import sdk
from .service import Service
from .settings import AzureSettings

TAG = "created-by"
OURS = "stoker"
"""The tag that each cluster has that stoker made, and its value."""

_POLL_S = 2.0
_SERVICE, _VERSION = "rp/workspaces", "?api-version=2020-02-02"

Say = Callable[[str], object]
"""Tells the user what is going on."""


def find_or_create(service: Service, workspace: Any, settings: AzureSettings, say: Say) -> None:
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
    return service.get(_SERVICE, f"/computes/{quote(name, safe='')}{_VERSION}")


def wait(service: Service, name: str, say: Say) -> None:
    """Waits until a cluster is there."""
    deadline = time.monotonic() + service.patience.cluster_s
    told = ""
    while True:
        found = find(service, name)
        facts = (found or {}).get("properties") or {}
        state = str(facts.get("provisioningState") or "missing")
        if state == "Succeeded":
            return
        if state in {"Failed", "Canceled"}:
            hint = "choose another --azureml-vm-size, or ask for more quota in the studio"
            raise BackendError(f"the cluster {name} could not be made", received=_errors(facts), hint=hint)
        if time.monotonic() > deadline:
            waited = f"{service.patience.cluster_s / 60:g} minutes"
            hint = "it may still come; submit again then, and the cluster is found"
            raise BackendError(f"the cluster {name} is not there after {waited}", received=state, hint=hint)
        if state != told:
            say(f"cluster {name}: {state.lower()}")
            told = state
        time.sleep(_POLL_S)


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


def _errors(facts: Mapping[str, Any]) -> str:
    """What a cluster says of its failure."""
    entries = facts.get("provisioningErrors") or ()
    return " ".join(str((entry.get("error") or entry).get("message", "")) for entry in entries) or "no reason given"

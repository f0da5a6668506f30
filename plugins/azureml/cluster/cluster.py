"""The clusters of a workspace: how each one is, whether stoker made it, and its end."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from ....engine.errors import BackendError
from ..rest.arm import VERSION, pages
from ..rest.client import ARM, Service
from . import provision

_POLL_S = 2.0
_KIND, _GOING = "AmlCompute", "Deleting"


@dataclass(frozen=True, kw_only=True, slots=True)
class Cluster:
    """One compute target.

    Attributes:
        name: Its name.
        kind: "AmlCompute" for a cluster; else it is something that stoker does not make.
        state: How it is, in a word of the service: "Succeeded", "Creating", "Failed", …
        vm_size: The size of its nodes.
        nodes: What its nodes do, in words.
        least: How many nodes it keeps when idle.
        busy: How many of its nodes run jobs or make themselves ready.
        problem: What the service says is wrong with it; "" if nothing is.
        ours: Whether stoker made it.
    """

    name: str
    kind: str
    state: str
    vm_size: str
    nodes: str
    least: int
    busy: int
    problem: str
    ours: bool

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> Cluster:
        """What the service's description of it says."""
        outer = found.get("properties") or {}
        inner = outer.get("properties") or {}
        scale, counts = inner.get("scaleSettings") or {}, inner.get("nodeStateCounts") or {}
        errors = (*(outer.get("provisioningErrors") or ()), *(inner.get("errors") or ()))
        told = (str((entry.get("error") or entry).get("message") or "") for entry in errors)
        return cls(
            name=str(found.get("name")),
            kind=str(outer.get("computeType")),
            state=str(outer.get("provisioningState")),
            vm_size=str(inner.get("vmSize")),
            nodes=provision.nodes(outer),
            least=int(scale.get("minNodeCount") or 0),
            busy=sum(int(counts.get(f"{word}NodeCount") or 0) for word in ("running", "preparing")),
            problem="; ".join(dict.fromkeys(filter(None, told))),
            ours=(found.get("tags") or {}).get(provision.TAG) == provision.OURS,
        )

    @property
    def is_cluster(self) -> bool:
        """Whether it is a cluster, and not a single machine or something that was attached."""
        return self.kind == _KIND

    def __str__(self) -> str:
        state = "ready" if self.state == "Succeeded" else self.state.lower()
        return f"{state}, {self.vm_size}, nodes: {self.nodes}"


def listed(service: Service) -> list[Cluster]:
    """All compute targets of the workspace.

    Raises:
        BackendError: They can't be listed.
    """
    found = pages(service, service.address("rp/workspaces", f"/computes?{VERSION}"))
    return [Cluster.of(one) for page in found for one in page.get("value") or ()]


def delete(service: Service, cluster: Cluster, say: Callable[[str], object]) -> None:
    """Deletes a cluster, unless that has begun already, and makes sure that it is gone.

    Raises:
        BackendError: Azure refuses, or it is still there in the end.
    """
    name, told = cluster.name, cluster.state
    if told != _GOING:
        path = f"{quote(service.scope.path)}/computes/{quote(name, safe='')}"
        service.ask("DELETE", f"{ARM}{path}?{VERSION}&underlyingResourceAction=Delete", missing=True)
    deadline = time.monotonic() + service.patience.cluster_s
    while (found := provision.find(service, name)) is not None:
        state = Cluster.of(found).state
        if time.monotonic() > deadline:
            waited = f"{service.patience.cluster_s / 60:g} minutes"
            hint = "it may still go; look again with `stoker azureml cleanup`"
            raise BackendError(f"the cluster {name} is still there after {waited}", received=state, hint=hint)
        if state != told:
            say(f"{name}: {state.lower()}")
            told = state
        time.sleep(_POLL_S)

"""Lists and deletes the clusters of a workspace."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ....engine.backend import Reporter
from ....engine.command import command_line
from ....engine.errors import BackendError
from .. import NAME
from ..resource import SYSTEM
from ..rest import paths
from ..rest.answer import entries, part, whole
from ..rest.arm import pages
from ..rest.client import Service
from . import provision

_POLL_S = 2.0
_KIND, _DELETING = "AmlCompute", "Deleting"
_DURATION = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)(?:\.\d+)?S)?)?")
"""A duration in ISO 8601, as `convert_duration_to_seconds` in `azureml._compute._util` reads it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Cluster:
    """One compute target.

    Attributes:
        name: Its name.
        kind: "AmlCompute" for a cluster; stoker makes nothing else.
        state: Its state in the service's word: "Succeeded", "Creating", "Failed", …
        vm_size: The size of its nodes.
        nodes: How many nodes it has in which state, for people.
        low_priority: Whether Azure may take its nodes away.
        most: How many nodes it may have; None if the service doesn't say.
        least: How many nodes it keeps when idle.
        idle_seconds: How long an idle node stays; None if the service doesn't say.
        busy: How many of its nodes run jobs or prepare to.
        identity: Its managed identities: "system", or the resource ids of those that are there, in small letters.
        subnet: The resource id of its subnet; "" for none.
        public_ip: Whether its nodes have public addresses.
        problem: What is wrong with it, in the service's words; "" if nothing is.
        ours: Whether stoker made it.
    """

    name: str
    kind: str
    state: str
    vm_size: str
    nodes: str
    low_priority: bool
    most: int | None
    least: int
    idle_seconds: int | None
    busy: int
    identity: tuple[str, ...]
    subnet: str
    public_ip: bool
    problem: str
    ours: bool

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> Cluster:
        """Reads the service's description of a compute target."""
        outer = part(found, "properties")
        inner = part(outer, "properties")
        scale, counts = part(inner, "scaleSettings"), part(inner, "nodeStateCounts")
        errors = (*entries(outer, "provisioningErrors"), *entries(inner, "errors"))
        problems = (str((part(entry, "error") or entry).get("message") or "") for entry in errors)
        return cls(
            name=str(found.get("name")),
            kind=str(outer.get("computeType")),
            state=str(outer.get("provisioningState")),
            vm_size=str(inner.get("vmSize")),
            nodes=provision.nodes(outer),
            low_priority=str(inner.get("vmPriority")).lower() == "lowpriority",
            most=whole(scale, "maxNodeCount") if scale.get("maxNodeCount") is not None else None,
            least=whole(scale, "minNodeCount", 0),
            idle_seconds=_seconds(str(scale.get("nodeIdleTimeBeforeScaleDown") or "")),
            busy=sum(whole(counts, f"{word}NodeCount", 0) for word in ("running", "preparing")),
            identity=tuple(_identities(part(found, "identity"))),
            subnet=str(part(inner, "subnet").get("id") or ""),
            public_ip=inner.get("enableNodePublicIp") is not False,
            problem="; ".join(dict.fromkeys(filter(None, problems))),
            ours=part(found, "tags").get(provision.TAG) == provision.OURS,
        )

    @property
    def is_cluster(self) -> bool:
        """Whether it is a cluster, and not a single machine or something attached."""
        return self.kind == _KIND

    def __str__(self) -> str:
        state = "ready" if self.state == "Succeeded" else self.state.lower()
        return f"{state}, {self.vm_size}, nodes: {self.nodes}"


def _identities(value: Mapping[str, Any]) -> Iterator[str]:
    """Yields a cluster's identities, which `AmlCompute._initialize` in `azureml.core.compute.amlcompute` reads."""
    if "systemassigned" in str(value.get("type")).lower():
        yield SYSTEM
    yield from (str(name).lower() for name in part(value, "userAssignedIdentities"))


def _seconds(duration: str) -> int | None:
    """Returns a duration in seconds; None if it is none."""
    found = _DURATION.fullmatch(duration)
    if found is None or not any(found.groups()):
        return None
    days, hours, minutes, rest = (int(group or 0) for group in found.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + rest


def listed(service: Service) -> list[Cluster]:
    """Lists all compute targets of the workspace.

    Raises:
        BackendError: They can't be listed.
    """
    found = pages(service, service.address(paths.clusters()))
    return [Cluster.of(one) for page in found for one in entries(page, "value")]


def delete(service: Service, cluster: Cluster, report: Reporter) -> None:
    """Deletes a cluster, unless it is being deleted already, and waits until it is gone.

    Args:
        service: The workspace.
        cluster: The cluster.
        report: Takes a line for each new state.

    Raises:
        BackendError: Azure refuses, or the cluster is still there when the time is up.
    """
    name, last = cluster.name, cluster.state
    if last != _DELETING:
        service.ask("DELETE", paths.deletion(service.scope, name), missing=True)
    deadline = time.monotonic() + service.patience.cluster_s
    while (found := provision.find(service, name)) is not None:
        state = Cluster.of(found).state
        if time.monotonic() > deadline:
            waited = f"{service.patience.cluster_s / 60:g} minutes"
            hint = f"Azure may still delete it; look again with `{command_line(NAME, 'cleanup')}`"
            raise BackendError(f"the cluster {name} is still there after {waited}", received=state, hint=hint)
        if state != last:
            report(f"{name}: {state.lower()}")
            last = state
        time.sleep(_POLL_S)

"""Compares a cluster that is there with what was asked for, before anything is sent or paid for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ....engine.backend import Reporter
from ....engine.command import command_line
from ....engine.errors import InputError
from .. import NAME, catalogue
from ..rest.client import Service
from ..settings import AzureSettings
from . import provision
from .cluster import Cluster

ACCEPT = "--azureml-accept-cluster"
ANOTHER = "name another cluster with --azureml-compute"


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """Something in which a cluster is not what was asked for.

    Attributes:
        text: What it is, and what it was to be.
        costs_more: Whether it costs more than what was asked for.
        match: The option that asks for what is there.
    """

    text: str
    costs_more: bool = False
    match: str = ""


def check(service: Service, settings: AzureSettings, report: Reporter) -> None:
    """Compares the cluster of a job with the settings, if it is there.

    Args:
        service: The workspace.
        settings: What was asked for.
        report: Takes a line for each difference, and what the job costs at most on what is there.

    Raises:
        InputError: No job can run on it, or it costs more and was not accepted; or a new cluster can't be in the
            subnet.
    """
    found = provision.find(service, settings.compute)
    if found is None:
        provision.network(settings, service.scope)
        return
    cluster = Cluster.of(found)
    refuse_unusable(cluster)
    differing = list(differences(cluster, settings))
    if must_be_accepted(differing, settings):
        raise InputError(
            f"the cluster {cluster.name} costs more than planned",
            received="".join(f"\n    {one.text}" for one in differing)
            + f"\n    so a job costs {bound(cluster, settings)}",
            hint=hint(differing),
        )
    for one in differing:
        report(f"the cluster {cluster.name} is not as planned: {one.text}")
    if differing:
        report(f"so the job costs {bound(cluster, settings)}")


def refuse_unusable(cluster: Cluster) -> None:
    """Refuses a compute target on which no job of stoker can ever run.

    Raises:
        InputError: It is no cluster, has failed, is being deleted, or may have no nodes.
    """
    if not cluster.is_cluster:
        raise InputError(f"{cluster.name!r} is not a cluster but a {cluster.kind}", hint=ANOTHER)
    cleanup = f"`{command_line(NAME, 'cleanup')}`"
    if cluster.state in {"Failed", "Canceled"}:
        raise InputError(
            f"the cluster {cluster.name} could not be made",
            received=cluster.problem or "no reason given",
            hint=f"delete it, which {cleanup} helps with, or {ANOTHER}",
        )
    if cluster.state == "Deleting":
        hint = f"submit again when it is gone, and the job makes it again; or {ANOTHER}"
        raise InputError(f"the cluster {cluster.name} is being deleted", hint=hint)
    if cluster.most == 0:
        hint = f"raise its maximum in the studio, https://ml.azure.com, or {ANOTHER}"
        raise InputError(f"the cluster {cluster.name} never has a node: its maximum is 0", hint=hint)


def differences(cluster: Cluster, settings: AzureSettings) -> Iterator[Difference]:
    """Yields in what a cluster is not what was asked for."""
    there, asked = cluster.vm_size, settings.vm_size
    if there.lower() != asked.lower():
        prices = f"its nodes are {there}, {catalogue.price(there)}; {asked}, {catalogue.price(asked)}, was planned"
        match = f"--azureml-vm-size {there}"
        yield Difference(text=prices, costs_more=catalogue.costs_more(there, asked), match=match)
        if idle := catalogue.idle_gpus(there):
            yield Difference(text=idle)
    if settings.low_priority and not cluster.low_priority:
        text = "its nodes are dedicated, at the full price; low-priority ones were planned"
        yield Difference(text=text, costs_more=True, match="no --azureml-low-priority")
    if cluster.low_priority and not settings.low_priority:
        text = "its nodes are low-priority, so Azure may take them away; dedicated ones were planned"
        yield Difference(text=text, match="--azureml-low-priority")
    if cluster.least != settings.min_nodes:
        price = f", {cluster.least * 24} node-hours a day" if cluster.least else ""
        text = f"it keeps {cluster.least} of its nodes when idle{price}; it was to keep {settings.min_nodes}"
        more = cluster.least > settings.min_nodes
        yield Difference(text=text, costs_more=more, match=f"--azureml-min-nodes {cluster.least}")
    there_s, asked_s = cluster.idle_seconds, settings.idle_seconds
    if there_s is not None and there_s != asked_s:
        text = f"its idle nodes stay for {there_s} s; {asked_s} s was asked for"
        yield Difference(text=text, costs_more=there_s > asked_s, match=f"--azureml-idle-seconds {max(there_s, 1)}")
    yield from _access(cluster, settings)


def must_be_accepted(differing: Sequence[Difference], settings: AzureSettings) -> bool:
    """Tells whether a cluster costs more than planned, and the user has not accepted that."""
    return any(one.costs_more for one in differing) and not settings.accept_cluster


def hint(differing: Sequence[Difference]) -> str:
    """Says how to go on with a cluster that costs more than planned."""
    match = ", ".join(one.match for one in differing if one.match)
    return f"{ACCEPT} takes it as it is; or ask for what is there: {match}; or {ANOTHER}"


def bound(cluster: Cluster, settings: AzureSettings) -> str:
    """Says what a job costs at most on a cluster as it really is."""
    return catalogue.bound(
        hours=settings.max_hours,
        vm_size=cluster.vm_size,
        low_priority=cluster.low_priority,
        min_nodes=cluster.least,
        idle_seconds=cluster.idle_seconds or 0,
    )


def _access(cluster: Cluster, settings: AzureSettings) -> Iterator[Difference]:
    """Yields what was asked of a new cluster's identity and network, and this one lacks."""
    identity = settings.identity.lower()
    if identity and identity not in cluster.identity:
        has = ", ".join(cluster.identity) or "none"
        yield Difference(text=f"its identity is {has}; {settings.identity} was asked for")
    asked = settings.subnet if settings.subnet.startswith("/") else f"/{settings.subnet.replace('/', '/subnets/')}"
    if settings.subnet and not cluster.subnet.lower().endswith(asked.lower()):
        yield Difference(text=f"its subnet is {cluster.subnet or 'none'}; {settings.subnet} was asked for")
    if settings.no_public_ip and cluster.public_ip:
        yield Difference(text="its nodes have public addresses; none were asked for")

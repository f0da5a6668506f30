"""Asks Azure Resource Manager about a workspace's region: its VM sizes, and how much of the quotas is left."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from ....engine.errors import BackendError
from . import paths
from .answer import entries, part, whole
from .client import Service

_OF_FAMILY = "clusterdedicatedvcpus"
_OF_REGION = "totalclusterdedicatedregionalvcpus"
_LOW_PRIORITY = ("totalclusterlowpriorityregionalvcpus", "lowprioritycores")


@dataclass(frozen=True, kw_only=True, slots=True)
class Quota:
    """How many cores of a kind a subscription may use in a region.

    Attributes:
        name: The kind, in Azure's words.
        limit: How many cores.
        used: How many of them are in use.
    """

    name: str
    limit: int
    used: int

    @property
    def left(self) -> int:
        """How many cores are free."""
        return self.limit - self.used


def vm_sizes(service: Service, region: str) -> list[Mapping[str, Any]]:
    """Lists the VM sizes that a region offers to the subscription, as Azure describes them.

    Raises:
        BackendError: They can't be listed.
    """
    found = pages(service, paths.vm_sizes(service.scope, region))
    return [size for page in found for size in entries(page, "amlCompute") or entries(page, "value")]


def quota(service: Service, region: str, family: str, *, low_priority: bool) -> Quota | None:
    """Finds the quota that runs out first for nodes of a family; None if Azure lists none for it.

    Args:
        service: The workspace.
        region: Its region.
        family: The family of the nodes' VM size.
        low_priority: Whether the nodes are of low priority.

    Raises:
        BackendError: The quotas can't be listed.
    """
    found = pages(service, paths.usages(service.scope, region))
    return scarcest((row for page in found for row in entries(page, "value")), family, low_priority=low_priority)


def scarcest(rows: Iterable[Mapping[str, Any]], family: str, *, low_priority: bool) -> Quota | None:
    """Finds the quota with the fewest free cores, among those that count for nodes of a family.

    Azure calls the family of a size `standardDSv2Family`, and its quota `Standard DSv2 Family Cluster Dedicated vCPUs`:
    https://learn.microsoft.com/rest/api/azureml/usages/list. Low-priority cores have one quota for all families.

    Args:
        rows: The quotas, as Azure lists them.
        family: The family of the nodes' VM size.
        low_priority: Whether the nodes are of low priority.
    """
    found = {
        _plain(part(row, "name")["value"]): Quota(
            name=str(part(row, "name")["value"]), limit=whole(row, "limit"), used=whole(row, "currentValue")
        )
        for row in rows
        if "/workspaces/" not in str(row.get("id"))
    }
    own = _LOW_PRIORITY if low_priority else (_plain(family), _plain(family) + _OF_FAMILY)
    if not found.keys() & set(own):
        return None
    shared = () if low_priority else (_OF_REGION,)
    return min((found[name] for name in (*own, *shared) if name in found), key=lambda quota: quota.left)


def pages(service: Service, url: str) -> Iterator[Mapping[str, Any]]:
    """Yields all pages of a listing.

    Args:
        service: The workspace.
        url: The first page.

    Raises:
        BackendError: A page can't be read, or is at a host that isn't Azure's, which must not get the token.
    """
    hosts = {urlsplit(url).hostname, urlsplit(paths.ARM).hostname}
    while url:
        if urlsplit(url).scheme != "https" or urlsplit(url).hostname not in hosts:
            raise BackendError("a listing continues at a host that isn't Azure's", received=urlsplit(url).netloc)
        page: Mapping[str, Any] = service.ask("GET", url) or {}
        yield page
        url = str(page.get("nextLink") or "")


def _plain(name: str) -> str:
    """Reduces a name to its letters and digits: Azure doesn't write it the same way everywhere."""
    return re.sub(r"[^a-z0-9]", "", str(name).lower())

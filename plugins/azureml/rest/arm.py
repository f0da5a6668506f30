"""What Azure Resource Manager knows of a workspace's region: its VM sizes, and what is left of the quotas."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from ....engine.errors import BackendError
from .client import ARM, Service

VERSION = "api-version=2020-02-02"
"""What the SDK asks for where it is about sizes, quotas and clusters."""

_OF_FAMILY = "clusterdedicatedvcpus"
_OF_REGION = "totalclusterdedicatedregionalvcpus"
_LOW_PRIORITY = ("totalclusterlowpriorityregionalvcpus", "lowprioritycores")


@dataclass(frozen=True, kw_only=True, slots=True)
class Quota:
    """How many cores of a kind a subscription may use in a region.

    Attributes:
        name: The kind.
        limit: How many.
        used: How many of them are in use.
    """

    name: str
    limit: int
    used: int

    @property
    def left(self) -> int:
        """How many may still be taken."""
        return self.limit - self.used


def vm_sizes(service: Service, location: str) -> list[dict[str, Any]]:
    """The VM sizes that a region offers to the subscription, as Azure describes them.

    Raises:
        BackendError: They can't be listed.
    """
    found = pages(service, f"{_place(service, location)}/vmSizes?{VERSION}")
    return [size for page in found for size in page.get("amlCompute") or page.get("value") or ()]


def quota(service: Service, location: str, family: str, *, low_priority: bool) -> Quota | None:
    """The quota of which the least is left for nodes of a family; None if Azure lists none for it.

    Raises:
        BackendError: The quotas can't be listed.
    """
    found = pages(service, f"{_place(service, location)}/usages?{VERSION}")
    return scarcest((row for page in found for row in page.get("value") or ()), family, low_priority=low_priority)


def scarcest(rows: Iterable[Mapping[str, Any]], family: str, *, low_priority: bool) -> Quota | None:
    """The quota of which the least is left, among those that count for nodes of a family.

    Azure calls the family of a size `standardDSv2Family`, and its quota `Standard DSv2 Family Cluster Dedicated vCPUs`:
    https://learn.microsoft.com/rest/api/azureml/usages/list. Cores of low priority have one quota for all families.
    """
    found = {
        _plain(row["name"]["value"]): Quota(
            name=str(row["name"]["value"]), limit=int(row["limit"]), used=int(row["currentValue"])
        )
        for row in rows
        if "/workspaces/" not in str(row.get("id"))
    }
    own = _LOW_PRIORITY if low_priority else (_plain(family), _plain(family) + _OF_FAMILY)
    if not found.keys() & set(own):
        return None
    shared = () if low_priority else (_OF_REGION,)
    return min((found[name] for name in (*own, *shared) if name in found), key=lambda quota: quota.left)


def pages(service: Service, url: str) -> Iterator[dict[str, Any]]:
    """All pages of a listing.

    Raises:
        BackendError: One can't be had, or is at another host than the services' own, which gets no token.
    """
    hosts = {urlsplit(url).hostname, urlsplit(ARM).hostname}
    while url:
        if urlsplit(url).scheme != "https" or urlsplit(url).hostname not in hosts:
            raise BackendError("a listing goes on at a place that is not Azure's", received=urlsplit(url).netloc)
        page = service.ask("GET", url) or {}
        yield page
        url = str(page.get("nextLink") or "")


def _place(service: Service, location: str) -> str:
    provider = f"/subscriptions/{service.scope.subscription}/providers/Microsoft.MachineLearningServices"
    return f"{ARM}{provider}/locations/{quote(location, safe='')}"


def _plain(name: str) -> str:
    """A name without what is written differently here and there."""
    return re.sub(r"[^a-z0-9]", "", str(name).lower())

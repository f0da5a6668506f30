"""Reads the resource ids of what a new cluster gets: a managed identity, and a subnet."""

from __future__ import annotations

import re
from dataclasses import dataclass

SYSTEM = "system"
"""An identity that Azure makes for the cluster."""

_GROUP = "/subscriptions/ID/resourceGroups/GROUP/providers"
IDENTITY_ID = f"{_GROUP}/Microsoft.ManagedIdentity/userAssignedIdentities/NAME"
_NAME = re.compile(r"[\w.()-]{1,128}")
"""A name in a resource id; the rules for each kind of resource are stricter, and Azure knows them."""

SUBNET_ID = f"{_GROUP}/Microsoft.Network/virtualNetworks/VNET/subnets/SUBNET"


@dataclass(frozen=True, slots=True)
class Subnet:
    """A subnet.

    Attributes:
        network: The virtual network that it is part of.
        name: Its name.
        group: The resource group of the network; "" for that of the workspace.
        subscription: The subscription of the network; "" for that of the workspace.
    """

    network: str
    name: str
    group: str = ""
    subscription: str = ""


def identity(text: str) -> str:
    """Returns the name in the resource id of an identity; "" if the text is no such id."""
    found = _values(text, IDENTITY_ID)
    return found[-1] if found else ""


def subnet(text: str) -> Subnet | None:
    """Reads VNET/SUBNET, or the resource id of a subnet; None if the text is neither."""
    short = text.split("/")
    if len(short) == 2 and all(map(_NAME.fullmatch, short)):
        return Subnet(*short)
    found = _values(text, SUBNET_ID)
    return Subnet(found[2], found[3], group=found[1], subscription=found[0]) if found else None


def _values(text: str, form: str) -> list[str]:
    """Returns what a resource id has in place of the names in capitals of its form; [] if it has another form."""
    words, expected = text.split("/"), form.split("/")
    pairs = list(zip(words, expected, strict=False))
    same = all(
        bool(_NAME.fullmatch(word)) if wanted.isupper() else word.lower() == wanted.lower() for word, wanted in pairs
    )
    return [word for word, wanted in pairs if wanted.isupper()] if same and len(words) == len(expected) else []

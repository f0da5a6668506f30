"""Reads from where the files of a registered data set come."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..rest.answer import part

_URL = re.compile(r"(?:https?|wasbs?|abfss?|adl|azureml)://[^\s\"'\\?]+")
"""An address without its query, which may be a signature."""

_BLOB = re.compile(r"wasbs?://([^@/]+)@([^/]+)/(.*)")
_ACCOUNT = re.compile(r"(?<=://)[^/@]*@")


def sources(found: Mapping[str, Any]) -> list[str]:
    """Returns the addresses in the newest definition of a data set, sorted; [] if it has none.

    The SDK writes a definition as JSON, in recent versions with YAML in it, and turns the address of a blob into
    `wasbs://CONTAINER@HOST/PATH`; here it is an address of the web again. None has a signature or a password.

    Args:
        found: The service's description of the data set.
    """
    urls = _URL.findall(str(part(found, "latest").get("dataflow") or ""))
    return sorted({_ACCOUNT.sub("", _BLOB.sub(r"https://\2/\1/\3", url)) for url in urls})

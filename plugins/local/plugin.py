"""The built-in plugin that offers the backend `local`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ...engine.hookspecs import hookimpl
from . import NAME

if TYPE_CHECKING:
    from .backend import LocalBackend


@hookimpl
def stoker_backends() -> Mapping[str, str]:
    """Offers the backend `local`."""
    return {NAME: "this machine, in a process that outlives the terminal"}


@hookimpl
def stoker_get_backend(name: str) -> LocalBackend | None:
    """Makes the backend."""
    if name != NAME:
        return None
    from .backend import LocalBackend

    return LocalBackend()

"""The built-in plugin that offers the backend `local`."""

from __future__ import annotations

from collections.abc import Mapping

from ...engine.hookspecs import hookimpl
from .backend import NAME, LocalBackend


@hookimpl
def stoker_backends() -> Mapping[str, str]:
    """Offers the backend `local`."""
    return {NAME: "this machine, in a process that outlives the terminal"}


@hookimpl
def stoker_get_backend(name: str) -> LocalBackend | None:
    """Makes the backend."""
    return LocalBackend() if name == NAME else None

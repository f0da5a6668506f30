"""Offers the Azure ML backend, its options and its commands."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ...engine.command import Command
from ...engine.hookspecs import hookimpl
from . import NAME

if TYPE_CHECKING:
    from ...engine.backend import Backend


@hookimpl
def stoker_backends() -> Mapping[str, str]:
    """Offers the backend."""
    return {NAME: "a cluster of Azure Machine Learning"}


@hookimpl
def stoker_get_backend(name: str, options: Mapping[str, Any]) -> Backend | None:
    """Makes the backend."""
    if name != NAME:
        return None
    from .backend import AzureBackend
    from .settings import AzureSettings

    return AzureBackend(AzureSettings.from_options(options))


@hookimpl
def stoker_add_options(parser: argparse.ArgumentParser, command: str) -> None:
    """Adds the options of the backend to `train`."""
    if command == "train":
        from .options import add_options

        add_options(parser)


@hookimpl
def stoker_commands() -> Iterable[Command]:
    """Offers `azureml`."""
    from .commands.commands import COMMANDS

    return COMMANDS

"""A registered environment: found in the workspace, and checked as a conda YAML is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ....engine.errors import InputError
from ..rest import paths
from ..rest.answer import part
from ..rest.client import Service
from ..sdk import sdk
from .conda import checked
from .environment import Environment


def find(service: Service, named: str, requirements: Mapping[str, str]) -> Environment:
    """Finds a registered environment, and checks it.

    Args:
        service: The workspace.
        named: "NAME" for its newest version, or "NAME:VERSION".
        requirements: What the user's code needs beside stoker: {distribution: version}.

    Raises:
        InputError: There is no such environment, or it lacks what is needed.
        BackendError: The workspace can't be asked.
    """
    name, _, version = named.partition(":")
    found = service.get(paths.environment(name, version))
    if found is None:
        hint = "the studio lists them: https://ml.azure.com; a file is named with its path, such as ./environment.yml"
        raise InputError(f"the workspace has no environment {named!r}", hint=hint)
    full = f"{name}:{found['version']}"
    python = part(found, "python")
    listed = python.get("condaDependencies")
    if python.get("userManagedDependencies") or not listed:
        note = f"the environment {full} is an image, so what it has can't be checked: it needs all that stoker needs"
        return Environment(text="", origin="the workspace", warnings=(note,), registered=full)
    try:
        warnings = checked(full, listed, requirements, registered=True)
    except ValueError as error:
        raise InputError(f"the environment {full} lists no conda packages", received=str(error)) from error
    return Environment(text="", origin="the workspace", warnings=warnings, registered=full)


def of_sdk(workspace: Any, named: str) -> Any:
    """Returns the SDK's object of a registered environment, for a name with its version."""
    name, _, version = named.partition(":")

    def get() -> Any:
        from azureml.core import Environment as SdkEnvironment

        return SdkEnvironment.get(workspace, name, version)

    return sdk.bounded(f"the environment {named} can't be read", get)

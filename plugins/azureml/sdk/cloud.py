"""Azure's clouds: stoker supports the public one, and refuses the others by name."""

from __future__ import annotations

import configparser
import os
from pathlib import Path

from ....engine.errors import InputError
from ....engine.paths import expanded

PUBLIC = "AzureCloud"
"""The name of the public cloud."""

VARIABLE = "AZUREML_CURRENT_CLOUD"


def refuse_others(*, of_cli: bool) -> None:
    """Refuses a machine that is set to another cloud: this one's services don't know its accounts.

    The SDK looks at the same places in the same order: `get_cloud_or_default` in
    `azureml._vendor.azure_cli_core.azureml_cloud`.

    Args:
        of_cli: Whether the cloud that `az` is set to counts too, because it is that account that signs in.

    Raises:
        InputError: The machine is set to another cloud.
    """
    name, where = os.environ.get(VARIABLE, ""), f"the variable {VARIABLE}"
    undo = f"unset {VARIABLE}"
    if not name and of_cli:
        path = Path(os.environ.get("AZURE_CONFIG_DIR") or "~/.azure") / "config"
        name, where, undo = _configured(expanded(path)), str(path), f"`az cloud set --name {PUBLIC}`"
    if name and name.lower() != PUBLIC.lower():
        hint = f"for a workspace in the public cloud, {undo}, and sign in again"
        raise InputError(f"stoker doesn't support the cloud {name}, which {where} names", expected=PUBLIC, hint=hint)


def _configured(path: Path) -> str:
    """Returns the cloud that `az cloud set` has written into a file; "" if there is none."""
    found = configparser.RawConfigParser()
    try:
        found.read(path, encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError):  # `az` itself says so
        return ""
    return found.get("cloud", "name", fallback="")

"""Looks for the packages that optional features need, and says how to install those that are missing."""

from __future__ import annotations

import importlib.metadata
import importlib.util

from ..errors import PluginError


def install_command(extra: str) -> str:
    """Returns the command that installs stoker with an extra."""
    return f"pip install 'stoker[{extra}]'"


def missing_package(feature: str, package: str, extra: str) -> PluginError:
    """Makes the error for a feature whose package is not installed.

    Args:
        feature: What needs the package: "--mlflow".
        package: The package.
        extra: The extra of stoker that brings it.
    """
    what = f"{feature} needs the package {package!r}, which is not installed here"
    return PluginError(what, hint=install_command(extra))


def require_extra(feature: str, package: str, extra: str) -> None:
    """Refuses a feature whose package is not installed, before anything is trained.

    Args:
        feature: What needs the package: "--mlflow".
        package: The package, as it is imported.
        extra: The extra of stoker that brings it.

    Raises:
        PluginError: The package is not installed.
    """
    if importlib.util.find_spec(package) is None:
        raise missing_package(feature, package, extra)


def installed_version(distribution: str) -> str:
    """Returns the version of an installed distribution; "" if it is not installed."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return ""

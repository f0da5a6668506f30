"""Looks for packages and their versions, and says how to install those that an optional feature lacks."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import shlex
import sys
from functools import cache
from importlib.machinery import ModuleSpec
from pathlib import Path

from ..errors import PluginError

_ROOT = Path(__file__).resolve().parents[2]
"""Where stoker is: a checkout, or the folder of the installed package."""


def install_command(extra: str) -> str:
    """Returns the command that installs stoker with an extra for this Python: from the checkout, if this is one."""
    in_checkout = (_ROOT / "pyproject.toml").is_file()
    source = ["--editable", f"{_ROOT}[{extra}]"] if in_checkout else [f"stoker[{extra}]"]
    return shlex.join([sys.executable, "-m", "pip", "install", *source])


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


def providers(module: str) -> dict[str, str]:
    """Returns the distributions that a top-level module comes from, and their versions; the module is not imported.

    The distribution of the module's own name is the first to be asked, because asking all of them takes a second.
    `tensorflow` also comes as `tensorflow-cpu` or `tf-nightly`, and as a package of the system, of which pip knows
    nothing.

    Args:
        module: Its name: "tensorflow".

    Returns:
        {distribution: version}; {} if the module is not installed, or no distribution is known to have it.
    """
    if _spec(module) is None:
        return {}
    if version := installed_version(module):
        return {module: version}
    return {name: version for name in _owners().get(module, ()) if (version := installed_version(name))}


def module_version(module: str) -> str:
    """Returns what tells one version of a module from another, without importing it; "" if it is not installed.

    This is the version of the distribution that it comes from; if none is known, it is the module's file and when that
    was written.
    """
    if found := providers(module):
        return " ".join(f"{version}" if name == module else f"{version} ({name})" for name, version in found.items())
    spec = _spec(module)
    if spec is None or not spec.origin:
        return ""
    try:
        return f"{spec.origin} of {os.stat(spec.origin).st_mtime_ns}"  # noqa: PTH116 - a built-in module has no path
    except OSError:
        return spec.origin


def _spec(module: str) -> ModuleSpec | None:
    try:
        return importlib.util.find_spec(module)
    except (ImportError, ValueError):  # something in `sys.modules` that was not imported
        return None


@cache
def _owners() -> dict[str, list[str]]:
    return {top: sorted(set(names)) for top, names in importlib.metadata.packages_distributions().items()}

"""Checks, before anything is trained, for the packages that trackers need and stoker does not install."""

from __future__ import annotations

import importlib.util

from ...engine.errors import PluginError


def require(package: str) -> None:
    """Refuses a tracker whose package is not installed here.

    Args:
        package: Its name, which is also the name of the option and of stoker's extra.

    Raises:
        PluginError: It can't be imported here.
    """
    if importlib.util.find_spec(package) is None:
        what = f"--{package} needs the package {package!r}, which is not installed here"
        raise PluginError(what, hint=f"pip install 'stoker[{package}]'")

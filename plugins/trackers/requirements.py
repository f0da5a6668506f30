"""The packages that trackers need and stoker does not install by itself: asked for before anything is trained."""

from __future__ import annotations

import importlib.util

from ...engine.errors import PluginError


def require(package: str) -> None:
    """Refuses a tracker whose package is not here.

    Args:
        package: Its name, which is that of the option and of stoker's extra too.

    Raises:
        PluginError: It can't be imported here.
    """
    if importlib.util.find_spec(package) is None:
        what = f"--{package} needs the package {package!r}, which is not installed here"
        raise PluginError(what, hint=f"pip install 'stoker[{package}]'")

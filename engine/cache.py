"""The folder for what this machine can make again: data sets, compiled programs."""

from __future__ import annotations

import os
from pathlib import Path

from .errors import OptionError
from .paths import expanded

__all__ = ["VARIABLE", "root"]

VARIABLE = "STOKER_CACHE_DIR"
"""The environment variable that moves the cache; its value is an absolute path."""


def root() -> Path:
    """Returns the folder of the cache, which may not exist yet.

    Raises:
        OptionError: `STOKER_CACHE_DIR` is not an absolute path.
    """
    chosen = os.environ.get(VARIABLE)
    if chosen:
        folder = expanded(chosen)
        if not folder.is_absolute():
            raise OptionError(
                f"{VARIABLE} must be an absolute path", received=chosen, hint=f"{VARIABLE}={folder.absolute()}"
            )
        return folder
    import platformdirs

    return Path(platformdirs.user_cache_dir("stoker"))

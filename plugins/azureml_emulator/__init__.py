"""A loopback Azure ML for tests: it answers what the SDK asks on this machine, and really runs the jobs.

The unmodified azureml-core is its client; environment variables alone lead it here. How services answer was read from
the SDK, not recorded from Azure.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .emulator import Emulator, Fault, FaultKind, Recorded, Settings

__all__ = ["Emulator", "Fault", "FaultKind", "Recorded", "Settings"]


def __getattr__(name: str) -> Any:
    """Imports the emulator when it is first asked for: the plugin below this package is loaded at each start.

    Raises:
        AttributeError: The package offers no such name.
    """
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(".emulator", __name__), name)

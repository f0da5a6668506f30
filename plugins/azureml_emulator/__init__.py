"""A loopback Azure ML, for tests: what the SDK asks for, answered on this machine, with jobs that really run.

The unmodified azureml-core is its client; environment variables alone lead it here. How services answer was read from
the SDK, not recorded from Azure.
"""

from __future__ import annotations

from .emulator import Emulator
from .network.faults import Fault, FaultKind
from .network.proxy import Recorded
from .state.settings import Settings

__all__ = ["Emulator", "Fault", "FaultKind", "Recorded", "Settings"]

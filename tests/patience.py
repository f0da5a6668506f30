"""How long a test waits for what should come: a limit is there so that a hang ends, and never to measure a machine."""

from __future__ import annotations

PATIENCE_S = 600.0
"""More than anything takes here, on a machine that is ten times slower than usual too."""

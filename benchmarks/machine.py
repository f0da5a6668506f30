"""The machine that a benchmark ran on."""

from __future__ import annotations

import datetime
import os
import platform
from typing import Any

from ..engine.plugin.extras import module_version
from ..engine.training.environment import processor

_PACKAGES = ("tensorflow", "keras", "numpy", "matplotlib", "jax")


def describe() -> dict[str, Any]:
    """Processor, cores, memory, system, versions and load, as JSON values."""
    return {
        "processor": processor(),
        "cores": _cores(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "packages": {name: module_version(name) for name in _PACKAGES},
        "load": round(os.getloadavg()[0], 2),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
    }


def in_words(machine: dict[str, Any]) -> str:
    """The same in a sentence."""
    versions = ", ".join(f"{name} {number}" for name, number in machine["packages"].items() if number)
    absent = [name for name, number in machine["packages"].items() if not number]
    return (
        f"{machine['processor']}, {machine['cores']} cores, {machine['memory_gb']} GB, {machine['system']}; "
        f"Python {machine['python']}, {versions}; {', '.join(absent) or 'nothing'} not installed beside them; "
        f"load {machine['load']} at the start; {machine['date']}"
    )


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

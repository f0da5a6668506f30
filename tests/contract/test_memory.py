"""The reference backend in memory keeps its promises, and so does one that can do almost nothing and says so."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from stoker.engine.backend import LIMITS, Backend, Manifest, ModelVersion
from stoker.engine.errors import BackendError
from stoker.engine.status import Handle
from stoker.engine.testing import BackendContract

from .memory_backend import MEMORY, REASON, MemoryBackend


class TestMemory(BackendContract):
    def make_backend(self) -> Backend:
        return MemoryBackend()

    def lose(self, handle: Handle) -> None:
        del MEMORY.runs[handle.reference]

    def preempt(self, handle: Handle) -> None:
        MEMORY.runs[handle.reference].preempt()


class ModestBackend(MemoryBackend):
    """Can't do what it needn't do."""

    limits: Mapping[str, str] = {
        "attach": REASON,
        "cancel": "a thread can't be ended from outside",
        "fetch": "nobody has asked for outputs yet",
        "register": "there is no registry",
    }

    def cancel(self, handle: Handle) -> None:
        raise BackendError("it can't be cancelled", hint=self.limits["cancel"])

    def fetch(self, handle: Handle, target: Path) -> Manifest:
        raise BackendError("it can't be fetched", received=self.limits["fetch"])

    def register(self, handle: Handle, model: str, name: str) -> ModelVersion:
        raise BackendError(f"it can't be registered: {self.limits['register']}")


class TestModest(BackendContract):
    def make_backend(self) -> Backend:
        return ModestBackend()


def test_the_modest_backend_has_every_limit() -> None:
    assert set(ModestBackend.limits) == set(LIMITS)

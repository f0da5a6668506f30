"""The local backend keeps its promises."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from stoker.engine.backend import Backend
from stoker.engine.status import Handle
from stoker.engine.testing import BackendContract
from stoker.plugins.local.backend import LocalBackend


class TestLocal(BackendContract):
    def make_backend(self) -> Backend:
        return LocalBackend()

    def lose(self, handle: Handle) -> None:
        shutil.rmtree(handle.reference)

    @contextlib.contextmanager
    def disturb(self, handle: Handle) -> Iterator[None]:
        Path(handle.reference, "status.json").unlink()  # until the run writes it again
        yield

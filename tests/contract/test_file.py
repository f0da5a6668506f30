"""A small backend that was written from the documentation keeps all promises."""

from __future__ import annotations

import shutil
from pathlib import Path

from stoker.engine.backend import Backend
from stoker.engine.status import Handle
from stoker.engine.testing import BackendContract

from .file_backend import FileBackend


class TestFile(BackendContract):
    def make_backend(self) -> Backend:
        return FileBackend()

    def lose(self, handle: Handle) -> None:
        shutil.rmtree(handle.reference)


def test_the_file_backend_has_at_most_sixty_lines_without_the_empty_ones() -> None:
    source = Path(__file__).with_name("file_backend.py").read_text(encoding="utf-8")
    assert len([line for line in source.splitlines() if line.strip()]) <= 60

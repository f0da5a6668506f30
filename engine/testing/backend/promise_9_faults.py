"""Promise 9: only StokerError and its subclasses leave a method, whatever it is given."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ...backend import Backend
from ...errors import StokerError
from ...status import Handle
from .case import BackendCase, Place
from .promise_3_lost import NONSENSE

_REFERENCES = pytest.mark.parametrize("reference", NONSENSE.values(), ids=NONSENSE)


class Faults(BackendCase):
    """Handles that lead nowhere, one method after the other; `status` has its own promise."""

    @_REFERENCES
    def test_promise_9_the_log_of_a_nonsense_handle_is_empty_or_refused(self, place: Place, reference: str) -> None:
        backend, handle = self.nonsense(place, reference)
        try:
            assert list(backend.logs(handle, 0)) == []
            assert list(backend.logs(handle, 5, follow=True)) == []
        except StokerError as error:
            expect_readable(error)

    @_REFERENCES
    def test_promise_9_cancelling_a_nonsense_handle_is_nothing_or_refused(self, place: Place, reference: str) -> None:
        backend, handle = self.nonsense(place, reference)
        try:
            backend.cancel(handle)
        except StokerError as error:
            expect_readable(error)

    @_REFERENCES
    def test_promise_9_fetching_a_nonsense_handle_is_refused(
        self, place: Place, reference: str, tmp_path: Path
    ) -> None:
        backend, handle = self.nonsense(place, reference)
        expect_readable(self.refused("fetch", lambda: backend.fetch(handle, tmp_path / "target")))
        assert list(tmp_path.iterdir()) == []

    @_REFERENCES
    def test_promise_9_registering_a_nonsense_handle_is_refused(self, place: Place, reference: str) -> None:
        backend, handle = self.nonsense(place, reference)
        expect_readable(self.refused("register", lambda: backend.register(handle, "model", "nonsense")))

    @pytest.mark.parametrize("method", ["cancel", "fetch", "register", "logs"])
    def test_promise_9_a_handle_of_another_backend_raises_nothing_else(
        self, place: Place, tmp_path: Path, method: str
    ) -> None:
        backend = self.make_backend()
        self.ended(place, "succeed")
        handle = Handle(backend="elsewhere", reference="workspace/experiment/run")
        calls: dict[str, Callable[[], object]] = {
            "cancel": lambda: backend.cancel(handle),
            "fetch": lambda: backend.fetch(handle, tmp_path / "target"),
            "register": lambda: backend.register(handle, "model", "foreign"),
            "logs": lambda: list(backend.logs(handle)),
        }
        try:
            calls[method]()
        except StokerError as error:
            expect_readable(error)

    def test_promise_9_a_target_that_can_not_be_written_is_refused(self, place: Place, tmp_path: Path) -> None:
        one = self.ended(place, "succeed")
        (tmp_path / "file").write_text("no folder")
        target = tmp_path / "file" / "target"
        expect_readable(self.refused("fetch", lambda: self.make_backend().fetch(one.handle, target)))

    def nonsense(self, place: Place, reference: str) -> tuple[Backend, Handle]:
        """Returns a new backend, and a handle with its name that it did not make."""
        name = self.ended(place, "succeed").handle.backend
        return self.make_backend(), Handle(backend=name, reference=reference)


def expect_readable(error: StokerError) -> None:
    """Asserts that a person can read the message on a terminal, in full."""
    text = f"{error} {error.hint}"
    assert error.what.strip()
    assert len(text) < 20_000
    assert "Traceback" not in text

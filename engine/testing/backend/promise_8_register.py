"""Promise 8: register is idempotent by name and digest of the model."""

from __future__ import annotations

import hashlib
import secrets

import pytest

from ...backend import ModelVersion
from ...status import Handle
from . import payloads
from .case import BackendCase, Place


class Registering(BackendCase):
    """Versions of a model: one for each content."""

    def test_promise_8_a_registered_model_has_the_digest_of_its_file(self, place: Place) -> None:
        one, name = self.ended(place, "succeed"), new_name()
        with self.able("register"):
            version = self.make_backend().register(one.handle, "model", name)
            assert isinstance(version, ModelVersion)
            assert (version.name, version.version) == (name, 1)
            assert len(version.digest) == 64
            assert version.location
            content = self.wrote().get(payloads.OUTPUT)
            assert version.digest == (hashlib.sha256(content).hexdigest() if content else version.digest)

    def test_promise_8_registering_again_gives_the_same_version(self, place: Place) -> None:
        one, name = self.ended(place, "succeed"), new_name()
        with self.able("register"):
            versions = [self.make_backend().register(one.handle, "model", name) for _ in range(3)]
            assert versions == [versions[0]] * 3

    def test_promise_8_the_same_content_of_another_run_is_the_same_version(self, place: Place) -> None:
        one, name = self.ended(place, "succeed"), new_name()
        other = self.submit(place, "succeed")
        self.wait(other.handle)
        with self.able("register"):
            first = self.make_backend().register(one.handle, "model", name)
            assert self.make_backend().register(other.handle, "model", name) == first

    def test_promise_8_another_content_is_the_next_version(self, place: Place) -> None:
        one, name = self.ended(place, "succeed"), new_name()
        other = self.ended(place, "succeed", payload_content="another model")
        with self.able("register"):
            versions = [self.make_backend().register(each.handle, "model", name) for each in (one, other)]
            assert [version.version for version in versions] == [1, 2]
            assert versions[0].digest != versions[1].digest
            assert versions[0].location != versions[1].location

    def test_promise_8_an_earlier_content_is_still_its_own_version(self, place: Place) -> None:
        one, name = self.ended(place, "succeed"), new_name()
        other = self.ended(place, "succeed", payload_content="another model")
        with self.able("register"):
            first, _, again = (self.make_backend().register(each.handle, "model", name) for each in (one, other, one))
            assert again == first

    def test_promise_8_each_name_has_its_own_versions(self, place: Place) -> None:
        one = self.ended(place, "succeed")
        with self.able("register"):
            versions = [self.make_backend().register(one.handle, "model", new_name()) for _ in range(2)]
            assert [version.version for version in versions] == [1, 1]
            assert versions[0].digest == versions[1].digest

    @pytest.mark.parametrize("model", ["nosuch", "../..", "", "/etc", "model/../nosuch", "model\x00"])
    def test_promise_8_a_folder_that_holds_no_model_is_refused(self, place: Place, model: str) -> None:
        one = self.ended(place, "succeed")
        self.refused("register", lambda: self.make_backend().register(one.handle, model, new_name()))

    @pytest.mark.parametrize("name", ["", "../evil", "a/b", "-dash", "with space", "new\nline", "x" * 500])
    def test_promise_8_a_name_that_is_none_is_refused(self, place: Place, name: str) -> None:
        one = self.ended(place, "succeed")
        self.refused("register", lambda: self.make_backend().register(one.handle, "model", name))

    def test_promise_8_the_model_of_a_running_run_is_refused(self, place: Place) -> None:
        one = self.running(place)
        self.refused("register", lambda: self.make_backend().register(one.handle, "model", new_name()))

    def test_promise_8_the_model_of_a_run_that_never_was_is_refused(self, place: Place) -> None:
        backend = self.ended(place, "succeed").handle.backend
        handle = Handle(backend=backend, reference="no/such/run")
        self.refused("register", lambda: self.make_backend().register(handle, "model", new_name()))


def new_name() -> str:
    """Returns a name that no model has had."""
    return f"contract-{secrets.token_hex(6)}"

"""Promise 7, for a job that writes outputs with malicious names and links."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from ...backend import Manifest
from ...errors import BackendError
from . import payloads
from .case import BackendCase, Place
from .promise_7_fetch import digest, expect_whole, names_in

NAMES = {name[:24].replace("\n", " ").replace("/", " "): name for name in payloads.hostile_outputs()}


class Hostile(BackendCase):
    """Outputs of any name are fetched as they are, or all of them are refused; nothing is written elsewhere."""

    @pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
    def test_promise_7_an_output_of_any_name_is_fetched_as_it_is(
        self, place: Place, tmp_path_factory: pytest.TempPathFactory, name: str
    ) -> None:
        with self.able("fetch"):
            target, manifest = self.fetch_hostile(place, tmp_path_factory)
            if manifest is None:
                assert not target.exists(), "it was refused, and something was left"
                return
            wrote = [payloads.hostile_outputs()[other] for other in self.same_file(name, target)]
            assert (target / name).read_bytes() in wrote
            assert manifest.files[name] in map(digest, wrote)

    def test_promise_7_hostile_outputs_are_fetched_whole(
        self, place: Place, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        with self.able("fetch"):
            target, manifest = self.fetch_hostile(place, tmp_path_factory)
            if manifest is not None:
                expect_whole(target, manifest)
                assert len(manifest.files) >= len(payloads.hostile_outputs()) - 1  # Case.txt may be case.txt

    @pytest.mark.parametrize("link", payloads.LINKS)
    def test_promise_7_a_link_among_the_outputs_leads_nowhere(
        self, place: Place, tmp_path_factory: pytest.TempPathFactory, link: str
    ) -> None:
        with self.able("fetch"):
            target, manifest = self.fetch_hostile(place, tmp_path_factory)
            if manifest is not None:
                assert link not in manifest.files
                assert not os.path.lexists(target / link)
                assert not [name for name in manifest.files if name.startswith(f"{link}/")]

    def test_promise_7_nothing_is_written_outside_of_the_target(
        self, place: Place, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        with self.able("fetch"):
            target, _ = self.fetch_hostile(place, tmp_path_factory)
            assert names_in(target.parent) in ([], [target.name])
            root = os.path.realpath(target)
            assert all(os.path.realpath(path).startswith(root) for path in target.rglob("*"))

    def test_promise_7_hostile_outputs_are_fetched_again_as_at_first(
        self, place: Place, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        one = self.ended(place, "hostile")
        with self.able("fetch"):
            target, manifest = self.fetch_hostile(place, tmp_path_factory)
            if manifest is None:
                self.refused("fetch", lambda: self.make_backend().fetch(one.handle, target))
            else:
                assert self.make_backend().fetch(one.handle, target) == manifest

    def fetch_hostile(self, place: Place, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Manifest | None]:
        """Fetches the hostile outputs, once for all tests; returns the target, and None if it was refused."""
        one = self.ended(place, "hostile")
        if "hostile" not in place.known:
            target = tmp_path_factory.mktemp("hostile") / "target"
            try:
                place.known["hostile"] = target, self.make_backend().fetch(one.handle, target)
            except BackendError:
                if "fetch" in self.make_backend().limits:
                    raise
                place.known["hostile"] = target, None
        found: tuple[Path, Manifest | None] = place.known["hostile"]
        return found

    def same_file(self, name: str, target: Path) -> Mapping[str, None]:
        """Returns the names that are the same file as this one if the file system ignores case."""
        same = name.casefold()
        clash = (target / name.swapcase()).exists()
        return {
            other: None for other in payloads.hostile_outputs() if other == name or (clash and other.casefold() == same)
        }

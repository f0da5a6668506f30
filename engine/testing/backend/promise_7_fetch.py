"""Promise 7: fetch is resumable and atomic: the target has all files, verified, or none; nothing is written outside."""

from __future__ import annotations

import errno
import hashlib
import os
from dataclasses import replace
from pathlib import Path

import pytest

from ...backend import Manifest
from ...errors import BackendError, StokerError
from . import payloads
from .case import BackendCase, Place
from .interrupt import Interrupt


class Fetching(BackendCase):
    """The outputs of a run, whole or not at all."""

    def test_promise_7_the_target_has_what_the_job_wrote(self, place: Place, tmp_path: Path) -> None:
        one = self.ended(place, "succeed")
        with self.able("fetch"):
            manifest = self.make_backend().fetch(one.handle, tmp_path / "target")
            assert isinstance(manifest, Manifest)
            expect_whole(tmp_path / "target", manifest)
            expected = {name: digest(content) for name, content in self.wrote().items()}
            assert dict(manifest.files) == (expected or dict(manifest.files))
            assert payloads.OUTPUT in manifest.files

    def test_promise_7_nothing_is_left_beside_the_target(self, place: Place, tmp_path: Path) -> None:
        one = self.ended(place, "succeed")
        with self.able("fetch"):
            self.make_backend().fetch(one.handle, tmp_path / "target")
            assert names_in(tmp_path) == ["target"]

    def test_promise_7_fetching_again_gives_the_same(self, place: Place, tmp_path: Path) -> None:
        one = self.ended(place, "succeed")
        with self.able("fetch"):
            manifests = [self.make_backend().fetch(one.handle, tmp_path / "target") for _ in range(2)]
            assert manifests[0] == manifests[1]
            expect_whole(tmp_path / "target", manifests[0])
            assert names_in(tmp_path) == ["target"]

    def test_promise_7_an_empty_folder_is_filled(self, place: Place, tmp_path: Path) -> None:
        one = self.ended(place, "succeed")
        (tmp_path / "target").mkdir()
        with self.able("fetch"):
            expect_whole(tmp_path / "target", self.make_backend().fetch(one.handle, tmp_path / "target"))

    def test_promise_7_a_damaged_copy_is_repaired(self, place: Place, tmp_path: Path) -> None:
        one, target = self.ended(place, "succeed"), tmp_path / "target"
        with self.able("fetch"):
            names = sorted(self.make_backend().fetch(one.handle, target).files)
            (target / names[0]).write_bytes(b"damaged")
            (target / names[-1]).unlink()
            expect_whole(target, self.make_backend().fetch(one.handle, target))

    def test_promise_7_the_folders_above_the_target_are_made(self, place: Place, tmp_path: Path) -> None:
        one, target = self.ended(place, "succeed"), tmp_path / "a b" / "größe" / "target"
        with self.able("fetch"):
            expect_whole(target, self.make_backend().fetch(one.handle, target))

    def test_promise_7_a_folder_with_other_files_is_refused_and_kept(self, place: Place, tmp_path: Path) -> None:
        one, target = self.ended(place, "succeed"), tmp_path / "target"
        target.mkdir()
        (target / "thesis.txt").write_text("years of work")
        self.refused("fetch", lambda: self.make_backend().fetch(one.handle, target))
        assert names_in(target) == ["thesis.txt"]
        assert (target / "thesis.txt").read_text() == "years of work"

    def test_promise_7_a_target_that_is_a_file_is_refused_and_kept(self, place: Place, tmp_path: Path) -> None:
        one, target = self.ended(place, "succeed"), tmp_path / "target"
        target.write_text("a file")
        self.refused("fetch", lambda: self.make_backend().fetch(one.handle, target))
        assert target.read_text() == "a file"

    def test_promise_7_a_failed_run_gives_all_that_it_made_or_nothing(self, place: Place, tmp_path: Path) -> None:
        one, target = self.ended(place, "fail"), tmp_path / "target"
        self.may_be_refused("fetch", lambda: expect_whole(target, self.make_backend().fetch(one.handle, target)))
        assert names_in(tmp_path) in ([], ["target"])
        assert not target.exists() or names_in(target), "an empty folder looks like a copy of nothing"

    def test_promise_7_a_run_that_never_was_gives_nothing(self, place: Place, tmp_path: Path) -> None:
        handle = self.ended(place, "succeed").handle
        unknown = replace(handle, reference=f"{handle.reference}-not")
        error = self.refused("fetch", lambda: self.make_backend().fetch(unknown, tmp_path / "target"))
        assert isinstance(error, BackendError)
        assert names_in(tmp_path) == []

    def test_promise_7_a_fetch_that_is_killed_leaves_all_or_nothing_and_works_the_next_time(
        self, place: Place, tmp_path: Path
    ) -> None:
        handle, child = self.ended(place, "succeed").handle, self.child(tmp_path)
        with self.able("attach", "fetch"):
            whole = self.make_backend().fetch(handle, tmp_path / "whole")
            count = child.ask("fetch and die", handle=str(handle), target=str(tmp_path / "0" / "target"), moment=0)
            for moment in sorted({1, count // 2 + 1, count}):
                target = tmp_path / str(moment) / "target"
                code, answer, errors = child.run("fetch and die", handle=str(handle), target=str(target), moment=moment)
                assert code == -9 or "value" in answer, f"{answer} {errors}"
                if target.exists():
                    expect_whole(target, whole)
                expect_whole(target, self.make_backend().fetch(handle, target))
                assert names_in(target.parent) == ["target"], "what the killed one had begun is still there"

    def test_promise_7_a_fetch_for_which_there_is_no_space_leaves_nothing_and_works_the_next_time(
        self, place: Place, tmp_path: Path
    ) -> None:
        handle, backend = self.ended(place, "succeed").handle, self.make_backend()
        with self.able("fetch"):
            with Interrupt(tmp_path / "0", 0, no_space) as interrupt:
                backend.fetch(handle, tmp_path / "0" / "target")
            for moment in range(1, interrupt.count + 1):
                target = tmp_path / str(moment) / "target"
                with Interrupt(target.parent, moment, no_space), pytest.raises(StokerError):
                    backend.fetch(handle, target)
                assert not target.exists(), f"the fetch failed at its operation {moment}, and left a part"
                expect_whole(target, self.make_backend().fetch(handle, target))


def expect_whole(target: Path, manifest: Manifest) -> None:
    """Asserts that the target has the files of the manifest, each with its digest, and no others."""
    found = {
        path.relative_to(target).as_posix(): digest(path.read_bytes())
        for path in target.rglob("*")
        if path.is_file() or path.is_symlink()
    }
    assert found == dict(manifest.files)


def digest(content: bytes) -> str:
    """Returns the digest of a file's content as a manifest has it."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def names_in(folder: Path) -> list[str]:
    """Returns the names of everything in a folder, hidden files too."""
    return sorted(path.name for path in folder.iterdir())


def no_space() -> None:
    """Raises what a full disk does."""
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

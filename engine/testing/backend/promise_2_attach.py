"""Promise 2: every method works in another process, days later, given only the handle."""

from __future__ import annotations

import hashlib
import json
import secrets
from pathlib import Path

from ...backend import ModelVersion
from ...status import Handle, RunState, RunStatus
from .case import BackendCase, Place


class Attaching(BackendCase):
    """A handle is enough."""

    def test_promise_2_a_handle_goes_through_handle_json_and_back(self, place: Place) -> None:
        one = self.ended(place, "succeed")
        one.run.write_handle(one.handle)
        assert one.run.handle() == one.handle
        text = json.loads((one.run.path / "handle.json").read_text(encoding="utf-8"))["handle"]
        assert text.isprintable()
        assert str(Handle.parse(text)) == text
        assert self.make_backend().status(one.run.handle()).state is RunState.COMPLETED

    def test_promise_2_a_new_object_finds_the_run(self, place: Place) -> None:
        one = self.ended(place, "succeed")
        assert self.make_backend().status(Handle.parse(str(one.handle))) == self.make_backend().status(one.handle)

    def test_promise_2_another_process_sees_the_status(self, place: Place, tmp_path: Path) -> None:
        one = self.ended(place, "succeed")
        status = RunStatus.from_json(self.child(tmp_path).ask("status", handle=str(one.handle)))
        backend = self.make_backend()
        if "attach" in backend.limits:
            assert status.state is RunState.LOST
            assert backend.limits["attach"] in status.message
        else:
            assert status == backend.status(one.handle)

    def test_promise_2_another_process_reads_the_log(self, place: Place, tmp_path: Path) -> None:
        one = self.ended(place, "succeed")
        with self.able("attach"):
            log = self.child(tmp_path).ask("logs", handle=str(one.handle))
            assert log.encode("latin-1") == self.log(one.handle)

    def test_promise_2_another_process_follows_the_log_of_a_running_run(self, place: Place, tmp_path: Path) -> None:
        one = self.submit(place, "write", payload_lines=30)
        with self.able("attach"):
            log = self.child(tmp_path).ask("logs", handle=str(one.handle), follow=True)
            assert self.wait(one.handle).state is RunState.COMPLETED
            assert log.encode("latin-1") == self.log(one.handle)

    def test_promise_2_another_process_cancels_the_run(self, place: Place, tmp_path: Path) -> None:
        one = self.running(place)
        with self.able("attach", "cancel"):
            self.child(tmp_path).ask("cancel", handle=str(one.handle))
            assert self.make_backend().status(one.handle).state is RunState.CANCELLED

    def test_promise_2_another_process_fetches_the_outputs(self, place: Place, tmp_path: Path) -> None:
        one = self.ended(place, "succeed")
        target = tmp_path / "there"
        with self.able("attach", "fetch"):
            files: dict[str, str] = self.child(tmp_path).ask("fetch", handle=str(one.handle), target=str(target))
            assert files
            for name, digest in files.items():
                assert digest == f"sha256:{hashlib.sha256((target / name).read_bytes()).hexdigest()}"
            assert files == self.make_backend().fetch(one.handle, tmp_path / "here").files

    def test_promise_2_another_process_registers_the_model(self, place: Place, tmp_path: Path) -> None:
        one, name = self.ended(place, "succeed"), f"attached-{secrets.token_hex(4)}"
        with self.able("attach", "register"):
            there = ModelVersion(**self.child(tmp_path).ask("register", handle=str(one.handle), name=name))
            assert there == self.make_backend().register(one.handle, "model", name)

    def test_promise_2_a_run_outlives_the_object_that_submitted_it(self, place: Place) -> None:
        job, run = self.new_run(place, "write", payload_lines=10)
        backend = self.make_backend()
        handle = backend.submit(job, run.path)
        del backend
        self.track(place, job, run, handle)
        assert self.wait(handle).state is RunState.COMPLETED

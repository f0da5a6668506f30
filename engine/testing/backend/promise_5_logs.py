"""Promise 5: logs yields bytes from an offset; reconnected pieces equal the whole log, nothing lost, nothing twice."""

from __future__ import annotations

import threading

import pytest

from ...status import Handle, RunState
from . import payloads
from .case import BackendCase, Place


class Reading(BackendCase):
    """The log of a run, in any pieces."""

    def test_promise_5_the_log_has_what_the_job_wrote_once_and_in_its_order(self, place: Place) -> None:
        log = self.log(self.ended(place, "succeed").handle)
        written = "".join(f"{line}\n" for line in payloads.lines()).encode()
        assert log.replace(b"\r\n", b"\n").count(written) == 1

    def test_promise_5_the_log_comes_as_bytes(self, place: Place) -> None:
        pieces = list(self.make_backend().logs(self.ended(place, "succeed").handle))
        assert pieces
        assert {type(piece) for piece in pieces} == {bytes}

    def test_promise_5_the_log_is_the_same_each_time(self, place: Place) -> None:
        handle = self.ended(place, "succeed").handle
        assert self.log(handle) == self.log(handle) == self.log(handle, follow=True)

    @pytest.mark.parametrize("part", [0.0, 0.1, 0.5, 0.9, 1.0])
    def test_promise_5_an_offset_leaves_out_what_is_before_it(self, place: Place, part: float) -> None:
        handle = self.ended(place, "succeed").handle
        whole = self.log(handle)
        offset = round(part * len(whole))
        assert self.log(handle, offset) == whole[offset:]

    @pytest.mark.parametrize("beyond", [1, 1000, 2**40])
    def test_promise_5_beyond_the_end_there_is_nothing(self, place: Place, beyond: int) -> None:
        handle = self.ended(place, "succeed").handle
        assert self.log(handle, len(self.log(handle)) + beyond) == b""

    def test_promise_5_a_cut_inside_of_a_character_loses_none_of_its_bytes(self, place: Place) -> None:
        handle = self.ended(place, "succeed").handle
        whole = self.log(handle)
        inside = [offset for offset, byte in enumerate(whole) if byte & 0xC0 == 0x80]  # UTF-8: 10xxxxxx
        assert inside, "the job wrote characters of several bytes"
        for offset in inside[:12]:
            assert self.log(handle, offset) == whole[offset:]

    def test_promise_5_byte_by_byte_it_is_the_whole_log(self, place: Place) -> None:
        handle = self.ended(place, "succeed").handle
        whole = self.log(handle)
        start = whole.index("größe".encode())
        for offset in range(start, start + 40):
            assert self.log(handle, offset)[:1] == whole[offset : offset + 1]

    def test_promise_5_a_log_that_is_read_while_it_grows_is_the_whole_log(self, place: Place) -> None:
        handle = self.submit(place, "write", payload_lines=40).handle
        read = b""

        def look(ended: bool) -> bool:
            nonlocal read
            read += self.log(handle, len(read))
            return ended

        self.wait(handle, lambda status: look(status.state.ended))
        assert read == self.log(handle)
        expect_lines(read, 40)

    @pytest.mark.parametrize("seen", ["line 0001", "line 0020"], ids=["from the beginning", "from the middle"])
    def test_promise_5_following_a_running_run_gives_the_whole_log(self, place: Place, seen: str) -> None:
        handle = self.submit(place, "write", payload_lines=40).handle
        before = b"" if seen == "line 0001" else self.log_with(handle, seen)
        followed = before + self.log(handle, len(before), follow=True)
        assert self.make_backend().status(handle).state is RunState.COMPLETED
        assert followed == self.log(handle)
        expect_lines(followed, 40)

    def test_promise_5_two_readers_that_follow_see_the_same(self, place: Place) -> None:
        handle = self.submit(place, "write", payload_lines=30).handle
        seen: list[bytes] = []
        threads = [threading.Thread(target=lambda: seen.append(self.log(handle, follow=True))) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(self.patience_s)
        assert seen == [self.log(handle)] * 2

    @pytest.mark.parametrize("payload", ["succeed", "fail"])
    def test_promise_5_following_a_run_that_has_ended_ends(self, place: Place, payload: str) -> None:
        handle = self.ended(place, payload).handle
        assert self.follow_in_time(handle, 0) == self.log(handle)

    def test_promise_5_following_from_the_end_of_a_run_that_has_ended_ends(self, place: Place) -> None:
        handle = self.ended(place, "succeed").handle
        assert self.follow_in_time(handle, len(self.log(handle))) == b""

    def test_promise_5_without_following_a_running_run_has_the_log_so_far(self, place: Place) -> None:
        one = self.running(place)
        so_far = self.log_with(one.handle, payloads.STARTED)
        assert self.make_backend().status(one.handle).state is RunState.RUNNING
        assert self.log(one.handle)[: len(so_far)] == so_far

    def test_promise_5_the_log_of_a_failed_run_has_its_error(self, place: Place) -> None:
        assert payloads.FAILURE.encode() in self.log(self.ended(place, "fail").handle)

    def follow_in_time(self, handle: Handle, offset: int) -> bytes:
        """Follows a log, which must end by itself, and returns it."""
        seen: list[bytes] = []
        thread = threading.Thread(target=lambda: seen.append(self.log(handle, offset, follow=True)), daemon=True)
        thread.start()
        thread.join(self.patience_s)
        assert not thread.is_alive(), f"it still follows a run that has ended, after {self.patience_s:g} s"
        assert len(seen) == 1, "it raised"
        return seen[0]


def expect_lines(log: bytes, count: int) -> None:
    """Asserts that all lines of a first attempt are in the log, each of them once."""
    written = [line.decode() for line in log.splitlines() if line.startswith(b"line ")]
    assert written == payloads.lines(count=count)

"""Watching a run: every line once, in bounded memory, however the log arrives."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stoker.engine.errors import BackendError, UnreachableError
from stoker.engine.job import TrainJob
from stoker.engine.rundir import RunDirectory
from stoker.engine.runs.launch import watch
from stoker.engine.status import Handle, RunState, RunStatus
from stoker.plugins.local.backend import LocalBackend

HANDLE = Handle(backend="pieces", reference="run")


class Pieces:
    """A backend that gives its log in pieces: so many with each look."""

    poll_s = 0.0

    def __init__(self, looks: list[list[bytes]]) -> None:
        self.looks = looks
        self.seen = 0

    def status(self, handle: Handle) -> RunStatus:
        self.seen += 1
        return RunStatus(state=RunState.RUNNING if self.seen < len(self.looks) else RunState.COMPLETED)

    def logs(self, handle: Handle, offset: int = 0) -> Iterator[bytes]:
        before = sum(len(piece) for look in self.looks[: self.seen - 1] for piece in look)
        assert offset == before
        yield from self.looks[self.seen - 1]


PIECES = st.lists(
    st.lists(st.sampled_from([b"a", b"\n", b"b\nc", b"\n\n", "ä\n".encode(), b"d" * 9]), max_size=5), min_size=1
)


@settings(max_examples=300, deadline=None, database=None, derandomize=True)
@given(PIECES)
def test_each_line_comes_once_and_in_order(looks: list[list[bytes]]):
    backend: Any = Pieces(looks)
    found = list(watch(backend, HANDLE, sleep=lambda _: None))
    text = b"".join(piece for look in looks for piece in look).decode()
    assert [line for lines, _ in found for line in lines] == text.removesuffix("\n").split("\n") * bool(text)
    assert [status.state.ended for _, status in found][-1]


class Troubled(Pieces):
    """Fails at each second look, before the status or in the middle of the log."""

    def __init__(self, looks: list[list[bytes]]) -> None:
        super().__init__(looks)
        self.poll_s = 2.0
        self.calls = 0
        self.read = 0

    def status(self, handle: Handle) -> RunStatus:
        self.calls += 1
        if self.calls % 3 == 1:
            raise UnreachableError("no answer")
        return RunStatus(state=RunState.RUNNING if self.read < len(self._all) else RunState.COMPLETED)

    @property
    def _all(self) -> list[bytes]:
        return [piece for look in self.looks for piece in look]

    def logs(self, handle: Handle, offset: int = 0) -> Iterator[bytes]:
        assert offset == sum(map(len, self._all[: self.read]))
        if self.read < len(self._all):
            self.read += 1
            yield self._all[self.read - 1]
        if self.calls % 3 == 2:
            raise UnreachableError("it broke off")


@settings(max_examples=100, deadline=None, database=None, derandomize=True)
@given(PIECES)
def test_looks_that_fail_lose_no_line_and_repeat_none(looks: list[list[bytes]]):
    backend: Any = Troubled(looks)
    errors: list[BackendError] = []
    found = list(watch(backend, HANDLE, sleep=lambda _: None, on_trouble=errors.append))
    text = b"".join(backend._all).decode()
    assert [line for lines, _ in found for line in lines] == text.removesuffix("\n").split("\n") * bool(text)
    assert len(errors) >= 2
    with pytest.raises(UnreachableError):
        list(watch(Troubled(looks), HANDLE, sleep=lambda _: None))  # type: ignore[arg-type]


def test_pauses_grow_to_a_minute_while_a_run_can_not_be_seen():
    class Away(Pieces):
        def status(self, handle: Handle) -> RunStatus:
            if len(pauses) < 8:
                raise UnreachableError("no answer")
            return super().status(handle)

    pauses: list[float] = []
    backend: Any = Away([[b"a\n"], [b"b\n"]])
    backend.poll_s = 2.0
    list(watch(backend, HANDLE, sleep=pauses.append, on_trouble=lambda error: None))
    assert pauses == [2, 4, 8, 16, 32, 60, 60, 60, 2]


def test_a_log_of_many_megabytes_takes_little_memory(tmp_path: Path):
    run = RunDirectory.create(tmp_path, TrainJob(offline=True))
    run.write_status(RunStatus(state=RunState.COMPLETED))
    with run.log.open("wb") as stream:
        for number in range(40):
            stream.write(b"x" * 999 + b"\n" if number % 2 else (b"y" * 99 + b"\n") * 10_000)
            stream.write(b"z" * 1_000_000)
        stream.write(b"\n")
    tracemalloc.start()
    size = sum(len(line) + 1 for lines, _ in watch(LocalBackend(), run_handle(run)) for line in lines)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size == run.log.stat().st_size > 50_000_000
    assert most < 12_000_000


def run_handle(run: RunDirectory) -> Handle:
    return Handle(backend="local", reference=str(run.path))


def test_figures_are_read_on_from_where_the_last_look_ended(tmp_path: Path):
    run = RunDirectory.create(tmp_path, TrainJob(offline=True))
    assert run.metrics_after(0) == ([], 0)
    found: list[Any] = []
    offset = 0
    for epoch in (1, 2, 3):
        run.append_metrics(epoch, {"Loss": 1 / epoch, "Accuracy": 0.5}, 1.0)
        lines, offset = run.metrics_after(offset)
        found += lines
    assert found == list(run.metrics())
    with (run.path / "metrics.jsonl").open("ab") as stream:
        stream.write(b'{"epoch": 4, "na')
    assert run.metrics_after(offset) == ([], offset)
    run.truncate_metrics(1)
    lines, offset = run.metrics_after(offset)
    assert (lines, offset) == (list(run.metrics()), (run.path / "metrics.jsonl").stat().st_size)

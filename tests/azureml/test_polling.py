"""How soon the end of a run is noticed, and what a poll costs: counted at the emulator, request by request."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from stoker.engine.job import TrainJob
from stoker.engine.rundir import RunDirectory
from stoker.engine.runs import launch
from stoker.engine.status import Handle, RunState
from stoker.engine.testing.backend import payloads
from stoker.plugins.azureml.backend import AzureBackend
from stoker.plugins.azureml.progress import ignore
from stoker.plugins.azureml.settings import AzureSettings
from stoker.plugins.azureml_emulator import Emulator
from stoker.plugins.azureml_emulator.network.proxy import Recorded

from ..patience import PATIENCE_S

YOUNG_S, OLD_S = 5.0, 30.0
"""How late the end of a run may be noticed, before and after its first ten minutes."""


@dataclass(kw_only=True)
class Clock:
    """A clock that only sleeping moves, five times as far, so that a test has fewer looks; and what was slept."""

    now_s: float = 0.0
    slept: list[tuple[float, float]] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.slept.append((self.now_s, seconds))
        self.now_s += 5 * seconds
        time.sleep(0.02)


@dataclass(frozen=True, kw_only=True)
class Cloud:
    """An emulator, and the folder that its runs are in."""

    emulator: Emulator
    folder: Path

    def backend(self, clock: Callable[[], float] = time.monotonic) -> AzureBackend:
        return AzureBackend(AzureSettings(config=str(self.folder / "config.json")), report=ignore, clock=clock)

    def submit(self, payload: str, **options: object) -> Handle:
        job = TrainJob(name=payload, plugins=(payloads.PLUGIN,), options={payloads.OPTION: payload, **options})
        return self.backend().submit(job, RunDirectory.create(self.folder / "runs", job).path)

    def looks(self, backend: AzureBackend, handle: Handle, most: int) -> Iterator[list[Recorded]]:
        """Watches a run; the requests of each look at it."""
        before = len(self.emulator.requests)
        for number, _ in enumerate(launch.watch(backend, handle, sleep=lambda _: time.sleep(0.05))):
            after = len(self.emulator.requests)
            yield self.emulator.requests[before:after]
            if number == most:
                return
            before = after

    def until(self, handle: Handle, *states: RunState) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while (status := self.backend().status(handle)).state not in states:
            assert time.monotonic() < deadline, status
            time.sleep(0.05)


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    folder = tmp_path_factory.mktemp("polling")
    fast = {"scale_up_s": 0.02, "prepare_s": 0.0}
    with Emulator(folder / "azure", **fast) as emulator, pytest.MonkeyPatch.context() as patch:
        emulator.write_config(folder)
        for name, value in emulator.client_environment().items():
            patch.setenv(name, value)
        yield Cloud(emulator=emulator, folder=folder)


def statuses(requests: list[Recorded]) -> list[Recorded]:
    return [one for one in requests if "/history/" in one.path and one.method == "GET"]


def logs(requests: list[Recorded]) -> list[Recorded]:
    return [one for one in requests if one.path.endswith("std_log.txt") and "blob" in one.host]


def test_a_poll_is_one_request_for_the_status_and_one_for_the_log(cloud: Cloud):
    handle = cloud.submit("write", payload_lines=400)
    cloud.until(handle, RunState.RUNNING)
    looks = [*cloud.looks(cloud.backend(), handle, most=1000)]
    assert len(looks) > 5
    assert {len(statuses(requests)) for requests in looks} == {1}
    assert {len(logs(requests)) for requests in looks[2:]} == {1}
    signing_in_and_finding_the_log = looks[0] + looks[1]
    assert len(signing_in_and_finding_the_log) < 12
    assert {len(requests) for requests in looks[2:]} == {2}


def test_no_byte_of_the_log_is_requested_twice(cloud: Cloud):
    handle = cloud.submit("write", payload_lines=60)
    asked = logs([request for look in cloud.looks(cloud.backend(), handle, most=1000) for request in look])
    log = b"".join(cloud.backend().logs(handle))
    assert len(log) > 1000
    assert sum(request.size for request in asked if request.status == 206) == len(log)
    assert {request.status for request in asked} == {206, 416}


def test_a_long_run_is_polled_often_at_first_and_then_less_often(cloud: Cloud):
    handle = cloud.submit("wait")
    cloud.until(handle, RunState.RUNNING)
    clock = Clock()
    backend = cloud.backend(clock)
    for _ in launch.watch(backend, handle, sleep=clock.sleep):
        if clock.now_s > 900:
            break
    backend.cancel(handle)
    early = [seconds for at, seconds in clock.slept if at < 600]
    late = [seconds for at, seconds in clock.slept if at >= 600]
    assert max(early) < YOUNG_S - 1  # the look itself takes time as well
    assert YOUNG_S < max(late) < OLD_S - 1


def test_a_run_that_is_watched_again_is_polled_often(cloud: Cloud):
    clock = Clock()
    backend = cloud.backend(clock)
    first = cloud.submit("succeed")
    cloud.until(first, RunState.COMPLETED)
    backend.status(first)
    clock.now_s = 3600.0
    backend.status(first)
    assert backend.poll_s > YOUNG_S
    backend.status(cloud.submit("succeed"))
    assert backend.poll_s < YOUNG_S


def test_the_end_of_a_run_is_noticed_within_seconds(cloud: Cloud):
    handle = cloud.submit("succeed")
    log = b"".join(cloud.backend().logs(handle, follow=True))
    noticed = datetime.now(UTC)
    cloud.backend().status(handle)
    look = datetime.now(UTC) - noticed
    assert log.count(b"\n") == 1 + len(payloads.lines())
    ended = cloud.emulator.service.runs.get(handle.reference.rpartition("/")[2])["endTimeUtc"]
    assert (noticed - datetime.fromisoformat(ended) - 2 * look).total_seconds() < YOUNG_S


def test_what_a_run_waits_for_is_requested_four_times_a_minute(tmp_path: Path):
    with Emulator(tmp_path / "azure", prepare_s=30.0) as emulator, pytest.MonkeyPatch.context() as patch:
        emulator.write_config(tmp_path)
        for name, value in emulator.client_environment().items():
            patch.setenv(name, value)
        cloud = Cloud(emulator=emulator, folder=tmp_path)
        handle = cloud.submit("succeed")
        clock = Clock()
        backend = cloud.backend(clock)
        before = len(emulator.requests)
        for _, status in launch.watch(backend, handle, sleep=clock.sleep):
            assert "preparing the environment" in status.message
            if clock.now_s > 120:
                break
        asked = [one for one in emulator.requests[before:] if "image_build_log" in one.path]
        assert 7 <= len(asked) <= 9
        backend.cancel(handle)

"""A run that waits for a node for too long is cancelled with the reason; one that can't start says so."""

from __future__ import annotations

import itertools
import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from subprocess import DEVNULL, PIPE
from typing import Any

import pytest

from stoker.engine.job import TrainJob
from stoker.engine.rundir import RunDirectory
from stoker.engine.status import RunState, RunStatus
from stoker.engine.testing.backend import payloads
from stoker.plugins.azureml.backend import AzureBackend
from stoker.plugins.azureml.cluster import provision
from stoker.plugins.azureml.rest.client import Patience
from stoker.plugins.azureml.runs.overdue import OPTION, WAITING
from stoker.plugins.azureml.settings import AzureSettings
from stoker.plugins.azureml_emulator import Emulator, FaultKind

from ..patience import PATIENCE_S
from ..stoker_process import start

HOUR = timedelta(hours=1)


class Queue:
    """A workspace whose cluster never gets a node, and a run that waits for one."""

    def __init__(self, emulator: Emulator, folder: Path) -> None:
        self.emulator = emulator
        self.config = str(emulator.write_config(folder))
        job = TrainJob(name="x", plugins=(payloads.PLUGIN,), options={payloads.OPTION: "succeed"})
        self.run = RunDirectory.create(folder / "runs", job)
        self.handle = self.backend().submit(job, self.run.path)
        self.run.write_handle(self.handle)
        self._asked = len(emulator.requests)

    def backend(self, **settings: Any) -> AzureBackend:
        """A backend as another process makes it, which knows nothing of what others have seen."""
        clock = itertools.count(0.0, 60.0).__next__  # so that each look at what a run waits for is due
        made = AzureSettings(config=self.config, **settings)
        patience = Patience(request_s=5.0, total_s=5.0, pause_s=0.05)
        return AzureBackend(made, patience=patience, poll_s=0.05, report=[].append, clock=clock)

    def until(self, backend: AzureBackend, words: str) -> RunStatus:
        deadline = time.monotonic() + PATIENCE_S
        while words not in (status := backend.status(self.handle)).message:
            assert time.monotonic() < deadline, status
            time.sleep(0.02)
        return status

    def watched(self) -> bool:
        """Whether somebody has asked for the run since it was submitted."""
        return any(self.run.run_id in one.path for one in self.emulator.requests[self._asked :])

    @property
    def record(self) -> dict[str, Any]:
        found: dict[str, Any] = self.emulator.service.runs.get(self.run.run_id)
        return found

    def judged(self, refused: str) -> RunStatus:
        """The status of a run that has waited for longer than it may, while the service refuses some requests."""
        self.until(self.backend(), "waiting for a node")
        self.has_waited(2 * HOUR)
        fault = self.emulator.fault(refused, FaultKind.FORBIDDEN, times=None)
        status = self.backend(max_queue_minutes=90).status(self.handle)
        fault.clear()
        return status

    def has_waited(self, duration: timedelta, preemptions: int = 0) -> None:
        since = (datetime.now(UTC) - duration).isoformat()
        self.emulator.service.runs.annotate(self.run.run_id, tags={WAITING: f"{preemptions} {since}"})


@pytest.fixture
def queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Queue]:
    with Emulator(tmp_path / "azure", scale_up_s=4 * PATIENCE_S, prepare_s=0.0) as emulator:
        for name, value in emulator.client_environment().items():
            monkeypatch.setenv(name, value)
        yield Queue(emulator, tmp_path)


def test_without_a_bound_a_run_waits_and_nothing_is_written(queue: Queue):
    queue.has_waited(100 * HOUR)
    queue.until(queue.backend(), "waiting for a node of the cluster: 1 preparing")
    assert queue.record["status"] == "Queued"


def test_the_first_to_see_a_run_wait_records_since_when(queue: Queue):
    backend = queue.backend(max_queue_minutes=60)
    queue.until(backend, "waiting for a node")
    first = queue.record["tags"][WAITING]
    assert first.startswith("0 ")
    backend.status(queue.handle)
    queue.backend(max_queue_minutes=30).status(queue.handle)
    assert queue.record["tags"][WAITING] == first
    assert queue.record["status"] == "Queued"


def test_another_process_cancels_a_run_that_has_waited_for_too_long_and_all_say_why(queue: Queue):
    queue.until(queue.backend(), "waiting for a node")
    queue.has_waited(2 * HOUR)
    backend = queue.backend(max_queue_minutes=90)
    words = f"it waited 120.0 minutes for a node, longer than {OPTION} allows"
    queue.until(backend, words)
    while not (last := backend.status(queue.handle)).state.ended:
        time.sleep(0.02)
    assert last.state is RunState.CANCELLED
    assert last.message == f"{words}; waiting for a node of the cluster: 1 preparing of at most 4"
    assert queue.backend().status(queue.handle) == last


def test_a_wait_before_a_preemption_does_not_count(queue: Queue):
    queue.until(queue.backend(), "waiting for a node")
    queue.has_waited(2 * HOUR, preemptions=3)
    queue.backend(max_queue_minutes=90).status(queue.handle)
    assert queue.record["tags"][WAITING].startswith("0 ")
    assert queue.record["status"] == "Queued"


def test_a_run_that_may_not_be_cancelled_says_that_the_bound_has_no_effect(queue: Queue):
    status = queue.judged("POST .*/cancel")
    assert status.state is RunState.QUEUED
    assert f"{OPTION} has no effect: POST" in status.message
    backend = queue.backend()
    backend.cancel(queue.handle)
    last = backend.status(queue.handle)
    assert (last.state, OPTION in last.message) == (RunState.CANCELLED, False)


def test_a_run_is_cancelled_though_the_reason_can_not_be_recorded(queue: Queue):
    status = queue.judged("PATCH .*/runs/")
    assert f"longer than {OPTION} allows" in status.message
    while not (last := queue.backend().status(queue.handle)).state.ended:
        time.sleep(0.02)
    assert (last.state, OPTION in last.message) == (RunState.CANCELLED, False)


def test_a_run_that_is_gone_is_not_cancelled_for_what_was_last_seen_of_it(queue: Queue):
    backend = queue.backend(max_queue_minutes=60)
    queue.until(backend, "waiting for a node")
    queue.has_waited(2 * HOUR)
    fault = queue.emulator.fault("GET .*/history/", FaultKind.NOT_FOUND, times=None)
    assert backend.status(queue.handle).state is RunState.LOST
    fault.clear()
    assert queue.record["status"] == "Queued"


def test_a_run_whose_cluster_is_deleted_says_so(queue: Queue):
    backend = queue.backend()
    queue.until(backend, "waiting for a node")
    queue.emulator.service.clusters.delete("gpu-cluster")
    queue.until(backend, "the cluster gpu-cluster is gone, so the run will never start")
    assert backend.status(queue.handle).state is RunState.QUEUED
    backend.cancel(queue.handle)
    assert backend.status(queue.handle).state is RunState.CANCELLED


@pytest.mark.parametrize("more", [1, 3])
def test_a_second_ctrl_c_leaves_the_run_and_says_that_it_goes_on(queue: Queue, more: int):
    fault = queue.emulator.fault("POST .*/cancel", FaultKind.UNAVAILABLE, times=None)
    words = ("runs", "attach", queue.run.run_id)
    with start(*words, cwd=queue.run.path.parents[1], stdin=DEVNULL, stdout=DEVNULL, stderr=PIPE) as watcher:
        assert watcher.stderr is not None
        while not queue.watched():
            time.sleep(0.05)
        watcher.send_signal(signal.SIGINT)
        while "cancelling" not in watcher.stderr.readline():
            assert watcher.poll() is None
        for _ in range(more):
            watcher.send_signal(signal.SIGINT)
            time.sleep(0.02)
        last = watcher.stderr.read()
    fault.clear()
    assert watcher.wait(timeout=PATIENCE_S) == 130
    assert len(last.splitlines()) == 1
    assert last.startswith("the run goes on, as far as can be seen; watch it with `")
    assert f" runs attach {queue.run.run_id}`, or cancel it with `" in last
    assert queue.record["status"] == "Queued"


def cluster(state: str, most: int = 4, **facts: Any) -> dict[str, Any]:
    return {
        "properties": {"provisioningState": state, "properties": {"scaleSettings": {"maxNodeCount": most}}, **facts}
    }


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (None, "the cluster c is gone, so"),
        (cluster("Deleting"), "the cluster c is being deleted, so"),
        (
            cluster("Failed", provisioningErrors=[{"error": {"message": "no cores are left"}}]),
            "the cluster c has failed, so the run will never start: no cores are left",
        ),
        (cluster("Succeeded", most=0), "the cluster c may have no nodes, so"),
    ],
    ids=["gone", "deleting", "failed", "no nodes"],
)
def test_a_cluster_that_never_has_a_node_is_told_with_its_reason(found: dict[str, Any] | None, words: str):
    assert provision.why_no_node("c", found).startswith(words)


@pytest.mark.parametrize("state", ["Succeeded", "Creating", "Updating"])
def test_a_cluster_that_may_have_a_node_has_no_such_reason(state: str):
    assert provision.why_no_node("c", cluster(state)) == ""

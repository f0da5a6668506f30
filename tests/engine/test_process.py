"""Who a process is: never its number alone."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from stoker.engine import process as processes
from stoker.engine.process import ProcessIdentity, marked

from ..child import start
from ..patience import PATIENCE_S

FORKS = """
import os, sys, time
if os.fork() == 0:
    time.sleep(600)
print(flush=True)
time.sleep(600)
"""


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    """A process that runs until it is signalled."""
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as process:
        yield process
        process.kill()


def identity(process: subprocess.Popen[Any]) -> ProcessIdentity:
    found = ProcessIdentity.of(process.pid)
    assert found is not None
    return found


def test_a_process_is_itself_for_as_long_as_it_runs(child: subprocess.Popen[bytes]):
    found = identity(child)
    assert found == identity(child)
    assert (found.is_here, found.is_alive) == (True, True)
    assert found.send(signal.SIGTERM)
    child.wait(PATIENCE_S)
    assert not found.is_alive
    assert not found.send(signal.SIGTERM)


def test_a_zombie_is_no_process(child: subprocess.Popen[bytes]):
    found = identity(child)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not found.is_alive
    assert ProcessIdentity.of(child.pid) is None


@pytest.mark.parametrize(
    "other", [{"started": "1"}, {"boot": "another"}, {"namespace": "pid:[1]"}, {"started": "1", "boot": "another"}]
)
def test_a_process_with_the_same_number_is_not_signalled(child: subprocess.Popen[bytes], other: dict[str, str]):
    forged = dataclasses.replace(identity(child), **other)
    assert not forged.is_alive
    assert not forged.send(signal.SIGKILL)
    assert forged.followers("run") == []
    assert child.poll() is None


@pytest.mark.parametrize("pid", [-1, -2, 0, 1, True, 10**30, 1 << 31, "7", [7], None, 7.0])
def test_a_number_that_is_none_of_a_process_of_ours_is_refused(pid: Any):
    value = ProcessIdentity.current().to_json()
    assert ProcessIdentity.from_json(value | {"pid": pid}) is None


@pytest.mark.parametrize("change", [{"started": ""}, {"boot": ""}, {"started": 7}, {"boot": None}, {"namespace": []}])
def test_a_number_alone_is_no_identity(change: dict[str, Any]):
    assert ProcessIdentity.from_json(ProcessIdentity.current().to_json() | change) is None


def test_the_followers_of_a_process_outlive_it_and_are_known_by_their_mark():
    command = [sys.executable, "-c", FORKS]
    environment = marked(os.environ, "run-1")
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, start_new_session=True) as leader:
        assert leader.stdout is not None
        leader.stdout.readline()
        found = identity(leader)
        (worker,) = found.followers("run-1")
        assert found.followers("run-2") == []
        leader.kill()
    assert found.followers("run-1") == [worker]
    assert worker.send(signal.SIGKILL)
    deadline = time.monotonic() + PATIENCE_S
    while worker.is_alive:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert found.followers("run-1") == []


def test_a_follower_in_a_session_of_its_own_is_known_and_whoever_asks_is_none():
    environment = marked(os.environ, "run-3")
    sleep = [sys.executable, "-c", "import time; print(flush=True); time.sleep(600)"]
    asks = (
        "import os; from stoker.engine.process import ProcessIdentity as P; "
        "print([p.pid for p in P.current().followers('run-3')] or 'none')"
    )
    with subprocess.Popen(sleep, stdout=subprocess.PIPE, env=environment, start_new_session=True) as away:
        try:
            assert away.stdout is not None
            away.stdout.readline()  # /proc shows its environment by now
            assert [each.pid for each in ProcessIdentity.current().followers("run-3")] == [away.pid]
            with start(asks, env=environment, stdout=subprocess.PIPE) as asking:
                assert asking.communicate(timeout=PATIENCE_S)[0].strip() == str([away.pid])
        finally:
            away.kill()


def test_without_proc_the_system_is_asked_by_ps(
    child: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch, tmp_path
):
    monkeypatch.setattr(processes, "_PROC", tmp_path)
    monkeypatch.setattr(processes, "_BOOT_ID", tmp_path / "none")
    monkeypatch.delattr(os, "pidfd_open", raising=False)
    found = identity(child)
    assert found.is_alive
    assert dataclasses.replace(found, started="Mon Jan  1 00:00:00 2001").is_alive is False
    assert found.send(signal.SIGTERM)
    child.wait(PATIENCE_S)
    assert not found.is_alive
    assert found.followers("run") == []

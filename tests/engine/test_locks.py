"""A lock has one holder, and goes with it."""

from __future__ import annotations

import errno
import os
import subprocess
from pathlib import Path

import pytest

from stoker.engine import locks
from stoker.engine.errors import StorageError

from .. import child
from ..patience import PATIENCE_S


def test_a_lock_has_one_holder(tmp_path: Path):
    with locks.lock(tmp_path / ".lock", timeout_s=0) as first:
        assert first is not None
        with locks.lock(tmp_path / ".lock", timeout_s=0) as second:
            assert second is None
    with locks.lock(tmp_path / ".lock", timeout_s=0) as third:
        assert third is not None


def test_a_lock_is_free_again_after_an_error(tmp_path: Path):
    with pytest.raises(ValueError, match="mine"), locks.lock(tmp_path / ".lock"):
        raise ValueError("mine")
    with locks.lock(tmp_path / ".lock", timeout_s=0) as held:
        assert held is not None


class Clock:
    """Stands for the module `time`; only sleeping moves it."""

    now_s = 100.0

    def monotonic(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


def test_waiting_for_a_lock_ends_after_the_given_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    clock = Clock()
    monkeypatch.setattr(locks, "time", clock)
    with locks.lock(tmp_path / ".lock"):
        with locks.lock(tmp_path / ".lock", timeout_s=30) as second:
            assert second is None
        assert 130 <= clock.now_s < 131


HOLD = """
from pathlib import Path
from stoker.engine import locks
with locks.lock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("waits", [True, False])
def test_a_lock_goes_with_its_holder_however_that_dies(tmp_path: Path, waits: bool):
    with child.start(HOLD, tmp_path / ".lock", stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with locks.lock(tmp_path / ".lock", timeout_s=0) as mine:
            assert mine is None
        holder.kill()
        if not waits:
            holder.wait(PATIENCE_S)
        with locks.lock(tmp_path / ".lock", timeout_s=PATIENCE_S if waits else 0) as mine:
            assert mine is not None


def test_a_lock_where_nothing_can_be_written_is_an_error(tmp_path: Path):
    (tmp_path / "run").touch()
    with pytest.raises(StorageError, match="run"), locks.lock(tmp_path / "run" / ".lock"):
        pass


def test_a_file_system_without_locks_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("fcntl.flock", refuse)
    with pytest.raises(StorageError, match=r"\.lock"), locks.lock(tmp_path / ".lock"):
        pass

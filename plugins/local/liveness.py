"""Whether the process of a run lives, by its lock, its identity and its heartbeat."""

from __future__ import annotations

import socket
import time

from ...engine import locks
from ...engine.errors import StorageError
from ...engine.rundir import RunDirectory, StatusRecord

POLL_S = 0.05
"""The pause between two looks at a run."""
_HEARTBEAT_S = 30.0
_CLOCKS_S = 2 * 86_400.0
"""How far the clocks of two machines may be apart."""
_BEAT_S = 1.5
"""How long a heartbeat is watched for a change; it is written five times a second."""


def is_elsewhere(record: StatusRecord) -> bool:
    """Returns whether a run's process has its number on another machine, or in another container of this one."""
    process = record.process
    if process and process.is_here:
        return False
    return bool(record.host) and (record.host != socket.gethostname() or bool(process))


def is_alive(run: RunDirectory, record: StatusRecord) -> bool:
    """Returns whether the run's process lives: it holds the lock, or it was seen to write the run's status.

    The lock shows it wherever the file system has locks that all its machines see. Without one, a process of another
    machine has a recent heartbeat by this machine's clock, or, if its clock differs, one that changes.
    """
    try:
        if locks.is_locked(run.lock):
            return True
    except StorageError:  # this user may not read the file, or the file system has no locks
        if record.process and record.process.is_here:
            return record.process.is_alive
    if not is_elsewhere(record):
        return False
    age_s = abs(time.time() - record.heartbeat_s)
    return age_s < _HEARTBEAT_S or (age_s < _CLOCKS_S and record.host != socket.gethostname() and _beats(run, record))


def _beats(run: RunDirectory, record: StatusRecord) -> bool:
    """Returns whether the heartbeat of a run changes while it is watched."""
    deadline = time.monotonic() + _BEAT_S
    while time.monotonic() < deadline:
        time.sleep(POLL_S)
        now = run.status_record()
        if now and now.heartbeat_s != record.heartbeat_s:
            return True
    return False


def holds_lock(run: RunDirectory) -> bool:
    """Returns whether a process on this machine holds the lock of the run, as far as this user may know."""
    try:
        return locks.is_locked(run.lock)
    except StorageError:
        return False

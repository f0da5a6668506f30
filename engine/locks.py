"""Locks that the kernel holds: they end with the process that has them, however it ends."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import math
import os
import stat
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO

from .errors import StorageError
from .files import storage_errors

__all__ = ["is_locked", "keep_lock", "lock"]


@contextlib.contextmanager
def lock(path: Path, *, timeout_s: float = math.inf) -> Iterator[BinaryIO | None]:
    """Holds an exclusive lock on `path` (created if need be) while the block runs.

    The kernel holds the lock (flock): it ends with the last process that has its descriptor, however that process ends.

    Args:
        path: The lock file; it stays, empty.
        timeout_s: How long to wait for another holder, in seconds; 0 tries once.

    Yields:
        The open lock file, or None if another process still holds the lock.

    Raises:
        StorageError: The file can't be created, or its file system has no locks.
    """
    deadline = time.monotonic() + timeout_s
    with storage_errors(path):
        stream = os.fdopen(_open_lock(path, os.O_RDWR | os.O_CREAT), "r+b", buffering=0)
    with stream:
        held = _try_lock(stream, path)
        while not held and time.monotonic() < deadline:
            time.sleep(0.02)
            held = _try_lock(stream, path)
        yield stream if held else None


def is_locked(path: Path) -> bool:
    """Returns whether a process holds the lock on `path`; the look creates nothing, and needs no right to write.

    Raises:
        StorageError: It can't be looked at, or its file system has no locks.

    Example:
        >>> with lock(folder / "queue.lock"):
        ...     is_locked(folder / "queue.lock")
        True
        >>> is_locked(folder / "queue.lock")
        False
    """
    try:
        descriptor = _open_lock(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise StorageError.from_os(error, path, doing="read") from error
    try:
        return not _try_lock(descriptor, path, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)


def keep_lock(path: Path) -> None:
    """Keeps the lock on `path`, which this process was handed, from the processes that it starts or forks.

    It is then released when this process ends, even if one of them lives on.
    """
    with contextlib.suppress(OSError):
        wanted = path.stat()
        for entry in list(Path("/dev/fd").iterdir()):
            descriptor = int(entry.name)
            with contextlib.suppress(OSError):
                if os.path.samestat(os.fstat(descriptor), wanted):
                    os.set_inheritable(descriptor, False)
                    os.register_at_fork(after_in_child=partial(os.close, descriptor))


def _open_lock(path: Path, flags: int) -> int:
    """Opens a lock file, and nothing else that may have its name: a link could lead anywhere, a pipe would block."""
    descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o666)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a plain file")
    return descriptor


def _try_lock(file: BinaryIO | int, path: Path, kind: int = fcntl.LOCK_EX) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise StorageError.from_os(error, path) from error
    return True

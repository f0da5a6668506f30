"""Which process a record means: a number alone may be that of another process by now."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

__all__ = ["ProcessIdentity", "marked"]

_PROC = Path("/proc")
_BOOT_ID = _PROC / "sys/kernel/random/boot_id"
_MARK = "_STOKER_RUN"
"""The environment variable with the id of the run that a process belongs to."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ProcessIdentity:
    """One process, told from all that had its number before it or will have it later.

    Attributes:
        pid: Its number.
        started: When it started, as the system counts: on Linux in clock ticks since the boot (`starttime` in proc(5)),
            elsewhere as `ps` shows it.
        boot: Which boot of which machine: on Linux its id, elsewhere when process 1 started.
        namespace: The PID namespace in which the number counts, that of a container; "" where systems have none.

    Example:
        >>> me = ProcessIdentity.current()
        >>> me.is_alive, ProcessIdentity.from_json(me.to_json()) == me
        (True, True)
    """

    pid: int
    started: str
    boot: str
    namespace: str = ""

    @classmethod
    def current(cls) -> ProcessIdentity:
        """Returns the identity of this process."""
        return cls.of(os.getpid()) or cls(pid=os.getpid(), started="", boot=_boot(), namespace=_namespace())

    @classmethod
    def of(cls, pid: int) -> ProcessIdentity | None:
        """Returns the identity of the process that has a number now; None if none has, or if it is a zombie."""
        started = _started(pid)
        return cls(pid=pid, started=started, boot=_boot(), namespace=_namespace()) if started else None

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> ProcessIdentity | None:
        """Returns the identity in what `to_json` wrote, which may have more fields; None if it is none.

        1 and below are no numbers of a process of ours: a signal to them would reach others.
        """
        pid, rest = value.get("pid"), [value.get(name, "") for name in ("started", "boot", "namespace")]
        if type(pid) is not int or not 1 < pid < 1 << 31 or not all(isinstance(each, str) for each in rest):
            return None
        started, boot, namespace = rest
        return cls(pid=pid, started=started, boot=boot, namespace=namespace) if started and boot else None

    def to_json(self) -> dict[str, Any]:
        """Returns the identity as JSON values: {"pid", "started", "boot", "namespace"}."""
        return asdict(self)

    @property
    def is_here(self) -> bool:
        """Whether the number counts here: in this boot of this machine, and in this container."""
        return (self.boot, self.namespace) == (_boot(), _namespace())

    @property
    def is_alive(self) -> bool:
        """Whether this very process runs; False for one that is not here, which nobody here can know."""
        return self.is_here and ProcessIdentity.of(self.pid) == self

    def send(self, number: signal.Signals) -> bool:
        """Sends a signal to this very process; False if it is gone, or not here.

        Raises:
            PermissionError: It is somebody else's.
        """
        if not self.is_alive:
            return False
        if not hasattr(os, "pidfd_open"):
            os.kill(self.pid, number)
            return True
        with contextlib.suppress(ProcessLookupError):
            descriptor = os.pidfd_open(self.pid)
            try:
                if self.is_alive:  # what the descriptor holds can be no other process from now on
                    signal.pidfd_send_signal(descriptor, number)
                    return True
            finally:
                os.close(descriptor)
        return False

    def followers(self, run_id: str) -> list[ProcessIdentity]:
        """Returns the other processes that this one has started, and those have started, wherever they went.

        Args:
            run_id: The run that `marked` named when this process was started; a process without the mark is no
                follower, nor is one from which this call comes. Only Linux shows marks; elsewhere there are none.
        """
        if not self.is_here:
            return []
        callers = set(_ancestors(os.getpid()))
        found = (ProcessIdentity.of(pid) for pid in _pids() if pid not in callers and _is_marked(pid, run_id))
        return [process for process in found if process and process != self]


def marked(environment: Mapping[str, str], run_id: str) -> dict[str, str]:
    """Returns an environment in which a process, and all that it starts, can be known to belong to a run."""
    return {**environment, _MARK: run_id}


def _started(pid: int) -> str:
    """Returns when a process started; "" if there is none, or only its zombie."""
    fields = _stat(pid)
    if fields:
        return "" if fields[0] in "ZX" else fields[19]
    if _BOOT_ID.exists():
        return ""
    import subprocess

    shown = subprocess.run(["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    state, _, started = shown.stdout.strip().partition(" ")
    return "" if state.startswith("Z") else started.strip()


def _stat(pid: int) -> list[str]:
    """Returns the fields of /proc/PID/stat from the state on, the third; [] if there are none."""
    try:
        text = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return text.rpartition(")")[2].split()  # the name before may have spaces and brackets


def _boot() -> str:
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return _started(1)


def _namespace() -> str:
    try:
        return str((_PROC / "self/ns/pid").readlink())
    except OSError:
        return ""


def _pids() -> list[int]:
    try:
        return [int(entry.name) for entry in _PROC.iterdir() if entry.name.isdecimal()]
    except OSError:
        return []


def _ancestors(pid: int) -> Iterator[int]:
    """Yields a process, its parent, and so on."""
    while pid > 1:
        yield pid
        fields = _stat(pid)
        pid = int(fields[1]) if fields else 0


def _is_marked(pid: int, run_id: str) -> bool:
    try:
        environment = (_PROC / str(pid) / "environ").read_bytes()
    except OSError:  # it is gone, or somebody else's
        return False
    return os.fsencode(f"{_MARK}={run_id}") in environment.split(b"\0")

"""A process, measured from outside: seconds from start to exit, and the most memory that it had."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from typing import Any

from .contest import ContenderError

_PATIENCE_S, _LOOK_S = 900.0, 0.1
_PRIVATE = re.compile(r"^RssAnon:\s+(\d+) kB", re.M)
_UNIT_BYTES = 1 if sys.platform == "darwin" else 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class Finished:
    """A process that has ended well.

    Attributes:
        started_s: When it was started, in seconds since 1970.
        seconds: From its start to its exit.
        memory_bytes: The most that was resident, memory-mapped files included.
        private_bytes: The most that was resident without those, looked at ten times a second; 0 where the system does
            not tell.
        output: What it wrote to standard output.
    """

    started_s: float
    seconds: float
    memory_bytes: int
    private_bytes: int
    output: str


def run(command: Sequence[str | Path], cwd: Path, environment: Mapping[str, str] | None = None) -> Finished:
    """Runs a command to its end.

    Args:
        command: The words of the command.
        cwd: The folder to run in.
        environment: Variables to set beside those that there are.

    Raises:
        ContenderError: It failed.
    """
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        started_s, started = time.time(), time.perf_counter()
        process = subprocess.Popen(
            [str(word) for word in command],
            cwd=cwd,
            env=_environment(environment or {}),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
        )
        watch = _Watch(process)
        watch.start()
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        watch.over.set()
        watch.join()
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise ContenderError(_complaint(errors) or f"ended with code {process.returncode}")
        output.seek(0)
        return Finished(
            started_s=started_s,
            seconds=seconds,
            memory_bytes=usage.ru_maxrss * _UNIT_BYTES,
            private_bytes=watch.private_bytes,
            output=output.read(),
        )


class _Watch(Thread):
    """Looks at the memory of a process until it is over, and ends one that takes too long."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        super().__init__(daemon=True)
        self.over = Event()
        self.private_bytes = 0
        self._process = process

    def run(self) -> None:
        """Looks ten times a second."""
        deadline = time.monotonic() + _PATIENCE_S
        status = Path(f"/proc/{self._process.pid}/status")
        while not self.over.wait(_LOOK_S):
            with contextlib.suppress(OSError):
                found = _PRIVATE.search(status.read_text(encoding="utf-8"))
                self.private_bytes = max(self.private_bytes, int(found[1]) * 1024 if found else 0)
            if time.monotonic() > deadline:
                self._process.kill()


def _environment(more: Mapping[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("STOKER_", "KERAS_", "TF_"))}
    return kept | {"PYTHONHASHSEED": "0"} | dict(more)


def _complaint(errors: Any) -> str:
    """The last line that it wrote to standard error."""
    errors.seek(0)
    lines = [line for line in errors.read().splitlines() if line.strip()]
    return str(lines[-1].strip()[:200]) if lines else ""

"""The process of a job, in a new session, so that everything it started ends with it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

_PROC = Path("/proc")


class JobProcess:
    """A process of a job; making one starts it.

    Args:
        command: The program and its arguments.
        folder: The working folder.
        environment: All environment variables.
        log: The file that stdout and stderr are appended to.
    """

    def __init__(self, command: Sequence[str], *, folder: Path, environment: Mapping[str, str], log: Path) -> None:
        with log.open("ab") as stream:
            self._process = subprocess.Popen(
                command,
                cwd=folder,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def exit_code(self) -> int | None:
        """The exit code; None while the process runs."""
        return self._process.poll()

    def wait(self, timeout_s: float) -> int | None:
        """Waits for the end of the process.

        Returns:
            The exit code; None if the process still runs after `timeout_s` seconds.
        """
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._process.wait(timeout_s)
        return None

    def terminate(self, grace_s: float) -> None:
        """Sends SIGTERM, and kills the process if it has not ended after `grace_s` seconds."""
        self._signal(signal.SIGTERM)
        self.wait(grace_s)
        self.kill()

    def kill(self) -> None:
        """Kills the process and everything that it started."""
        self._signal(signal.SIGKILL)
        self._process.wait()

    def lose_node(self) -> set[Path]:
        """Kills the process as if its node were lost.

        Returns:
            The files that were open for writing at that moment; none where the system has no `/proc`.
        """
        self._signal(signal.SIGSTOP)
        torn = {path for process in self._session() for path in _open_for_writing(process)}
        self.kill()
        return torn

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)

    def _session(self) -> list[Path]:
        return [path for path in _PROC.glob("[0-9]*") if _session_of(path) == self._process.pid]


def _session_of(process: Path) -> int | None:
    try:
        # The name, in parentheses, may itself hold any character.
        fields = (process / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return int(fields[3])


def _open_for_writing(process: Path) -> set[Path]:
    found = set()
    with contextlib.suppress(OSError):
        for entry in (process / "fd").iterdir():
            information = (process / "fdinfo" / entry.name).read_text(encoding="ascii")
            flags = int(information.partition("flags:")[2].split()[0], 8)
            if flags & os.O_ACCMODE != os.O_RDONLY:
                found.add(entry.readlink())
    return found

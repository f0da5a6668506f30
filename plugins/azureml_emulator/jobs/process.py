"""The process of a job, in a session of its own, so that all that it started goes with it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

_PROC = Path("/proc")


class JobProcess:
    """A process that was started for a job."""

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
        """How it ended, or None: it goes on."""
        return self._process.poll()

    def wait(self, timeout_s: float) -> int | None:
        """Waits for its end; None: it still goes on."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._process.wait(timeout_s)
        return None

    def terminate(self, grace_s: float) -> None:
        """Ends it: asked first, and killed when it takes longer than `grace_s` seconds."""
        self._signal(signal.SIGTERM)
        self.wait(grace_s)
        self.kill()

    def kill(self) -> None:
        """Ends it and all that it started, at once."""
        self._signal(signal.SIGKILL)
        self._process.wait()

    def lose(self) -> set[Path]:
        """Ends it as if its node were lost; the files that it then had open for writing, where the system tells."""
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

"""Starts and ends the training process of a run, and what that has started."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from ...engine import files
from ...engine.errors import BackendError, few
from ...engine.process import ProcessIdentity, marked
from ...engine.rundir import RunDirectory
from .liveness import POLL_S

GRACE_S = 10.0
"""How long a cancelled run may take to write its checkpoint before it is killed."""
_END_S = 1.0
"""How long what a training process has left behind may take to end before it is killed."""
_REAPED_S = 5.0
"""How long the exit code of a process at its end is waited for."""
_CLI = Path(__file__).resolve().parents[2] / "cli.py"
_exit_codes: dict[Path, int] = {}
"""Of the training processes that this process has started, by the folders of their runs."""
_waiters: dict[Path, threading.Thread] = {}
"""The threads that wait for these codes."""


def start(run: RunDirectory, lock_descriptor: int) -> None:
    """Starts the child process in a new session; its output goes to the log, and it inherits the lock."""
    with files.storage_errors(run.log):
        log = run.log.open("ab")
    with log:
        try:
            process = subprocess.Popen(
                [sys.executable, str(_CLI), "exec", str(run.path)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                pass_fds=(lock_descriptor,),
                env=marked(os.environ, run.run_id),
            )
        except OSError as error:
            what, hint = "the training process can't be started", "does this machine limit processes or memory?"
            raise BackendError(what, received=str(error), hint=hint) from error

    def wait() -> None:
        _exit_codes[run.path] = process.wait()

    _exit_codes.pop(run.path, None)
    waiter = threading.Thread(target=wait, daemon=True)
    with contextlib.suppress(RuntimeError):  # a zombie is left if this process lives on and can start no thread
        waiter.start()
        _waiters[run.path] = waiter


def why_lost(run: RunDirectory) -> str:
    """Returns why a run is lost, as far as this process knows: it may have started the run's, or have not."""
    waiter = _waiters.get(run.path)
    if waiter:  # the process has lost its lock, so it is at its end
        waiter.join(_REAPED_S)
    code = _exit_codes.get(run.path)
    if code == os.EX_IOERR:
        return "its process could not write into the folder of the run: is the disk full?"
    known = "" if code is None or code < 0 else f" with the exit code {code}, and"
    ends = ": killed, or the machine went down" if not known else ""
    return f"its process ended{known} without reporting a status{ends}"


class Ending:
    """Ends the training process of a run by signals: asks it to end, and kills it when it has not ended in time.

    Attributes:
        process: The process that the run has named last.
    """

    def __init__(self, run: RunDirectory) -> None:
        self.process: ProcessIdentity | None = None
        self._run = run
        self._deadline = time.monotonic() + GRACE_S
        self._asked = self._killed = False

    @property
    def signalled(self) -> bool:
        """Whether it was sent a signal."""
        return self._asked or self._killed

    def signal(self, process: ProcessIdentity | None, *, ended: bool) -> None:
        """Sends the signal that is due, if one is.

        Args:
            process: The process that the run names now; None if it names none.
            ended: Whether the run has ended, so that its process is about to end by itself.

        Raises:
            BackendError: All signals were sent, or there is none to send them to, and the time is up.
        """
        self.process = process or self.process
        late = time.monotonic() > self._deadline
        if process and late and not self._killed:
            self._killed = process.send(signal.SIGKILL)
        elif process and not (self._asked or ended):
            self._asked = process.send(signal.SIGTERM)
        if time.monotonic() > self._deadline + (GRACE_S if self.signalled else 0):
            raise _endless(self._run, process)


def _endless(run: RunDirectory, process: ProcessIdentity | None) -> BackendError:
    """Returns the error for a run that does not end, or whose process is not known for sure."""
    if process and process.is_alive:
        return BackendError(f"the run {run.run_id} does not end", hint=f"its process is {process.pid}")
    named = f"the process {process.pid}, which is gone or another one by now" if process else "no process"
    return BackendError(
        f"a process holds the lock of the run {run.run_id}, and which one is not known; none was signalled",
        received=f"status.json names {named}",
        hint=f"find it with: fuser {shlex.quote(str(run.lock))}",
    )


def end_followers(run: RunDirectory, process: ProcessIdentity | None) -> str:
    """Ends the processes that the training process of a run has started and left behind; returns their numbers."""
    followers = process.followers(run.run_id) if process else []
    for number in (signal.SIGTERM, signal.SIGKILL):
        deadline = time.monotonic() + _END_S
        alive = [each for each in followers if each.send(number)]
        while alive and time.monotonic() < deadline:
            time.sleep(POLL_S)
            alive = [each for each in alive if each.is_alive]
    return few(str(each.pid) for each in followers)

"""The heartbeat of a run: one thread that keeps `status.json` fresh for as long as the training runs."""

from __future__ import annotations

import socket
import threading
from dataclasses import replace
from typing import Any

from ..errors import StorageError
from ..process import ProcessIdentity
from ..rundir import RunDirectory
from ..status import Progress, RunState, RunStatus

BEAT_S = 0.2


class Heartbeat:
    """Writes the status of a run: at once when the state changes, and with each beat for progress and liveness.

    Attributes:
        status: The status as it was set last.
    """

    def __init__(self, run: RunDirectory) -> None:
        before = run.status_record()
        self.status = RunStatus(state=RunState.PREPARING, attempt=before.status.attempt if before else 1)
        self._run = run
        self._facts: dict[str, Any] = {"process": ProcessIdentity.current(), "host": socket.gethostname()}
        self._stop = threading.Event()
        self._writing = threading.Lock()
        self._thread = threading.Thread(target=self._beat, name="stoker-heartbeat", daemon=True)

    def __enter__(self) -> Heartbeat:
        self.set(RunState.PREPARING)
        try:
            self._thread.start()
        except RuntimeError as error:
            self.set(RunState.FAILED, f"the system starts no thread: {error}")
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        self._stop.set()
        self._thread.join()

    def set(self, state: RunState, message: str = "") -> None:
        """Changes the state; it is on the disk when this returns."""
        with self._writing:
            self.status = replace(self.status, state=state, message=message)
            self._run.write_status(self.status, **self._facts)

    def progress(self, progress: Progress) -> None:
        """Keeps how far the training is; the next beat writes it."""
        self.status = replace(self.status, progress=progress)

    def _beat(self) -> None:
        while not self._stop.wait(BEAT_S):
            with self._writing:
                if self.status.state.ended:
                    return
                try:
                    self._run.write_status(self.status, durable=False, **self._facts)
                except StorageError:
                    continue  # a full disk fails the training where it writes what matters, with a clear error

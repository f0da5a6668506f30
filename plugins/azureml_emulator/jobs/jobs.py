"""All jobs that are under way."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ..state.runs import RunState
from .job import Ending, Job

if TYPE_CHECKING:
    from ..service import Service


class Jobs:
    """Starts jobs, and asks them to end.

    Args:
        service: Everything else.
        folder: Where jobs have their folders.
        environment: What each job's process needs to find the emulator.
    """

    def __init__(self, service: Service, folder: Path, environment: Mapping[str, str]) -> None:
        self._service = service
        self._folder = folder
        self._environment = environment
        self._lock = threading.Lock()
        self._jobs: dict[str, Job] = {}

    def start(self, run_id: str) -> None:
        """Carries out a run, in a thread."""
        folder = self._folder / hashlib.sha256(run_id.encode()).hexdigest()[:16]
        with self._lock:
            job = Job(self._service, run_id, folder, self._environment)
            self._jobs[run_id] = job
            job.start()

    def cancel(self, run_id: str) -> None:
        """Asks for a run's end; one that is finalizing ends by itself."""
        job = self._jobs.get(run_id)
        if job and self._service.runs.advance(run_id, RunState.CANCEL_REQUESTED):
            job.wish(Ending.CANCELED)

    def preempt(self, run_id: str, *, fails: bool) -> None:
        """Takes a run's nodes away.

        Raises:
            ValueError: It is not running.
        """
        job = self._jobs.get(run_id)
        if job is None or self._service.runs.state(run_id) is not RunState.RUNNING:
            raise ValueError(f"the run {run_id!r} is not running")
        job.wish(Ending.PREEMPTED_FOR_GOOD if fails else Ending.PREEMPTED)

    def stop(self) -> None:
        """Ends all processes."""
        with self._lock:
            jobs = list(self._jobs.values())
        for job in jobs:
            job.wish(Ending.STOPPED)
        for job in jobs:
            job.join()

    def bury(self) -> None:
        """Ends the runs that an emulator left behind that did not end in order."""
        for run in self._service.runs.all():
            if run.get("submitted") and not RunState(run["status"]).ended:
                error = {"error": {"code": "EmulatorStopped", "message": "the emulator was stopped"}}
                self._service.runs.advance(run["runId"], RunState.FAILED, error=error)

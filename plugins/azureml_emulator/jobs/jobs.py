"""All jobs in progress."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping
from pathlib import Path

from ..state.runs import AzureRunState
from ..state.workspace import Workspace
from .job import Ending, Job


class Jobs:
    """Starts jobs, and asks them to end.

    Args:
        workspace: Where the runs, their clusters and their files are.
        folder: Where jobs have their folders.
        environment: The variables that lead a job's process to the emulator.
    """

    def __init__(self, workspace: Workspace, folder: Path, environment: Mapping[str, str]) -> None:
        self._workspace = workspace
        self._folder = folder
        self._environment = environment
        self._lock = threading.Lock()
        self._jobs: dict[str, Job] = {}

    def start(self, run_id: str) -> None:
        """Starts a run in a thread."""
        folder = self._folder / hashlib.sha256(run_id.encode()).hexdigest()[:16]
        with self._lock:
            job = Job(self._workspace, run_id, folder, self._environment)
            self._jobs[run_id] = job
            job.start()

    def cancel(self, run_id: str) -> None:
        """Asks a run to end; one that is finalizing ends by itself."""
        job = self._jobs.get(run_id)
        if job and self._workspace.runs.advance(run_id, AzureRunState.CANCEL_REQUESTED):
            job.request_end(Ending.CANCELED)

    def preempt(self, run_id: str, *, fails: bool) -> None:
        """Takes the nodes of a run away.

        Args:
            run_id: The run.
            fails: Whether the run fails; otherwise it goes back into the queue.

        Raises:
            ValueError: The run is not running.
        """
        job = self._jobs.get(run_id)
        if job is None or self._workspace.runs.state(run_id) is not AzureRunState.RUNNING:
            raise ValueError(f"the run {run_id!r} is not running")
        job.request_end(Ending.PREEMPTED_FOR_GOOD if fails else Ending.PREEMPTED)

    def stop(self) -> None:
        """Ends all jobs with their processes, and waits until they have ended."""
        with self._lock:
            jobs = list(self._jobs.values())
        for job in jobs:
            job.request_end(Ending.STOPPED)
        for job in jobs:
            job.join()

    def fail_orphans(self) -> None:
        """Marks as failed the runs of an earlier emulator that was killed before it could end them."""
        for run in self._workspace.runs.all():
            if run.get("submitted") and not AzureRunState(run["status"]).ended:
                error = {"error": {"code": "EmulatorStopped", "message": "the emulator was stopped"}}
                self._workspace.runs.advance(run["runId"], AzureRunState.FAILED, error=error)

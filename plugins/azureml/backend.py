"""Keeps the promises of `engine.backend.Backend` on a cluster of Azure ML."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType

from ...engine import locks
from ...engine.backend import FoundRun, Manifest, ModelVersion, Plan, Reporter
from ...engine.errors import BackendError
from ...engine.job import TrainJob
from ...engine.rundir import RunDirectory
from ...engine.status import Handle, RunState, RunStatus
from .progress import StderrReporter
from .reference import Reference, Scope
from .rest.client import MissingWorkspaceError, Patience, Service
from .runs import adopt, cancel, models, outputs, overdue
from .runs.status import CloudRun
from .settings import AzureSettings
from .submit import submit
from .submit.plan import plan
from .submit.prepare import Prepared

_LOCK_S = 900.0


class AzureBackend:
    """Runs jobs at Azure ML.

    A handle holds all that it takes to find a run again, except the account: that is the one of this machine.

    Args:
        settings: Where and how jobs run.
        patience: How long things may take.
        poll_s: Seconds between two polls of a young run.
        report: Takes a line for each step of a submission; None writes them to stderr.
        clock: Returns the time in seconds.

    Attributes:
        report: Called with a line for each step of a submission.
        poll_s: Seconds until the next poll, which is two small requests; more when all runs have been polled for ten
            minutes.
    """

    runs_here = False
    limits: Mapping[str, str] = MappingProxyType({})

    def __init__(
        self,
        settings: AzureSettings,
        *,
        patience: Patience | None = None,
        poll_s: float = 2.0,
        report: Reporter | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.poll_s = self._poll_s = poll_s
        self._settings = settings
        self._patience = patience or Patience()
        self.report = report or StderrReporter()
        self._clock = clock
        self._lock = threading.Lock()
        self._cloud_runs: dict[Reference, CloudRun] = {}
        self._prepared: tuple[TrainJob, Prepared] | None = None

    def plan(self, job: TrainJob) -> Plan:
        """Plans a submission without touching anything remote. `submit` then sends what was packed for the plan."""
        return plan(job, self._settings, prepare=self._prepare)

    def submit(self, job: TrainJob, run_dir: Path) -> Handle:
        """Submits the job, or finds the run that it was submitted as."""
        run = RunDirectory(run_dir.resolve())
        with locks.lock(run.lock, timeout_s=_LOCK_S) as held:
            if held is None:
                hint = "wait until it is done"
                raise BackendError(f"another process is submitting the run {run.run_id}", hint=hint)
            reference = submit.reference_of(job, run, self._settings)
            cloud_run = self._cloud_run(reference)
            again = run.has_handle()  # else an earlier submission died on the way, and what it started is this attempt
            try:
                run_id = submit.submit(job, cloud_run, self._settings, self.report, again=again, prepare=self._take)
            except KeyboardInterrupt:
                self.report(f"interrupted; continue with: {submit.command(run)}")
                raise
            except submit.UnclearError as error:
                error.hint = f"submit again with `{submit.command(run)}`, which never starts a run twice"
                raise
            page = cloud_run.service.page(run_id)
            self.report(page)
            reference.write(run, page)
        return reference.handle

    def find_submitted(self, run_dir: Path) -> Handle | None:
        """Looks in the workspace for the run that the folder names since its submission began."""
        reference = Reference.of_folder(RunDirectory(run_dir.resolve()))
        try:
            found = reference and self._cloud_run(reference).find()
        except MissingWorkspaceError:
            return None
        return reference.handle if reference and found else None

    def status(self, handle: Handle) -> RunStatus:
        """Returns the status of the run; cancels one that has waited for a node for longer than it may."""
        try:
            reference = Reference.required(handle)
        except BackendError as error:
            return RunStatus(state=RunState.LOST, message=error.what)
        watched = self._cloud_run(reference)
        status = overdue.enforce(watched, watched.status(), self._settings.max_queue_minutes, datetime.now(UTC))
        with self._lock:
            self.poll_s = min(cloud_run.poll_s for cloud_run in self._cloud_runs.values())
        return status

    def logs(self, handle: Handle, offset: int = 0, *, follow: bool = False) -> Iterator[bytes]:
        """Yields what the job has written."""
        cloud_run = self._cloud_run(Reference.required(handle))
        if follow:
            yield from cloud_run.follow(offset)
            return
        piece = cloud_run.log(offset)
        if piece:
            yield piece

    def cancel(self, handle: Handle) -> None:
        """Cancels the run and waits until it has ended."""
        cancel.cancel(self._cloud_run(Reference.required(handle)))

    def fetch(self, handle: Handle, target: Path) -> Manifest:
        """Fetches the run's outputs."""
        return outputs.fetch(self._cloud_run(Reference.required(handle)), target, self.report)

    def fetch_record(self, handle: Handle, folder: Path) -> None:
        """Fetches the figures, the environment, the report and the summary of the run."""
        cloud_run = self._cloud_run(Reference.required(handle))
        outputs.fetch_record(cloud_run.service, str(cloud_run.newest()["runId"]), folder)

    def register(self, handle: Handle, model: str, name: str) -> ModelVersion:
        """Registers the model in the workspace."""
        return models.register(self._cloud_run(Reference.required(handle)), model, name)

    def adopt(self, run_id: str) -> FoundRun:
        """Finds a run that another machine has submitted."""
        scope = Scope.from_config(self._settings.config)
        return adopt.adopt(Service(scope, self._settings.auth, self._patience), run_id)

    def _prepare(self, job: TrainJob, settings: AzureSettings) -> Prepared:
        """Packs a job and keeps the package for its submission, so that no file is read and hashed twice."""
        made = Prepared.of(job, settings)
        self._prepared = (job, made)
        return made

    def _take(self, job: TrainJob, settings: AzureSettings) -> Prepared:
        """Returns what was packed for the plan of a job, once; packs the job if there is nothing."""
        kept, self._prepared = self._prepared, None
        return kept[1] if kept and kept[0] == job else Prepared.of(job, settings)

    def _cloud_run(self, reference: Reference) -> CloudRun:
        """Returns the one `CloudRun` of a run; those of one workspace share its service."""
        with self._lock:
            if reference not in self._cloud_runs:
                known = [cloud_run.service for cloud_run in self._cloud_runs.values()]
                service = next((service for service in known if service.scope == reference.scope), None)
                service = service or Service(reference.scope, self._settings.auth, self._patience)
                self._cloud_runs[reference] = CloudRun(service, reference, self._poll_s, self._clock)
            return self._cloud_runs[reference]

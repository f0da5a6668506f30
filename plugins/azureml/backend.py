"""The Azure ML backend: keeps the promises of `engine.backend.Backend` on a cluster in the cloud."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from ...engine import files
from ...engine.backend import FoundRun, Manifest, ModelVersion, Plan
from ...engine.errors import BackendError
from ...engine.job import TrainJob
from ...engine.rundir import RunDirectory
from ...engine.status import Handle, RunState, RunStatus
from . import adopting, cancelling, models, outputs, submission
from .plan import plan
from .reading import Reader
from .reference import Reference, Scope
from .service import Patience, Service
from .settings import AzureSettings

_LOCK_S = 900.0


class AzureBackend:
    """Runs jobs at Azure ML.

    A handle has all that finds a run again, but for the account: that is whatever this machine is signed in with.

    Args:
        settings: Where and how jobs run.
        patience: How long things may take.
        say: Told what a submission is at.

    Attributes:
        poll_s: Seconds between two looks at a run, each of them two small requests.
    """

    runs_here = False
    limits: Mapping[str, str] = MappingProxyType({})

    def __init__(
        self,
        settings: AzureSettings,
        *,
        patience: Patience | None = None,
        poll_s: float = 2.0,
        say: Callable[[str], object] | None = None,
    ) -> None:
        self.poll_s = poll_s
        self._settings = settings
        self._patience = patience or Patience()
        self._say = say or _to_stderr
        self._lock = threading.Lock()
        self._readers: dict[Reference, Reader] = {}

    def plan(self, job: TrainJob) -> Plan:
        """What a submission would do; touches nothing remote."""
        return plan(job, self._settings)

    def submit(self, job: TrainJob, run_dir: Path) -> Handle:
        """Submits the job, or finds the run that it was submitted as."""
        run = RunDirectory(run_dir.resolve())
        with files.lock(run.lock, timeout_s=_LOCK_S) as held:
            if held is None:
                hint = "wait until it is done"
                raise BackendError(f"another process submits the run {run.run_id} already", hint=hint)
            reference = submission.reference_of(job, run, self._settings)
            known = run.has_handle()  # else the one before died in between: what it started is what was asked for
            submission.submit(job, self._reader(reference), self._settings, self._say, again=known)
        return reference.handle

    def status(self, handle: Handle) -> RunStatus:
        """How the run is doing."""
        reference = Reference.of_handle(handle)
        if reference is None:
            return RunStatus(state=RunState.LOST, message="this is no handle of a run of the backend 'azureml'")
        return self._reader(reference).status()

    def logs(self, handle: Handle, offset: int = 0, *, follow: bool = False) -> Iterator[bytes]:
        """What the job has written."""
        reader = self._found(handle)
        if follow:
            yield from reader.follow(offset, self.poll_s)
            return
        piece = reader.log(offset)
        if piece:
            yield piece

    def cancel(self, handle: Handle) -> None:
        """Ends the run."""
        cancelling.cancel(self._found(handle), self.poll_s)

    def fetch(self, handle: Handle, target: Path) -> Manifest:
        """Brings the run's outputs here."""
        reader = self._found(handle)
        runs = reader.attempts()
        if not runs:
            raise BackendError(f"the workspace knows no run {reader.reference.run_id!r}")
        return outputs.fetch(reader.service, str(runs[-1]["runId"]), target)

    def register(self, handle: Handle, model: str, name: str) -> ModelVersion:
        """Registers the model in the workspace."""
        return models.register(self._found(handle), model, name)

    def adopt(self, run_id: str) -> FoundRun:
        """Finds a run that another machine has submitted."""
        scope = Scope.from_config(self._settings.config)
        return adopting.adopt(Service(scope, self._settings.auth, self._patience), run_id)

    def _found(self, handle: Handle) -> Reader:
        return self._reader(submission.refuse_unknown(Reference.of_handle(handle)))

    def _reader(self, reference: Reference) -> Reader:
        """What looks at a run; those of one workspace share its service."""
        with self._lock:
            if reference not in self._readers:
                known = [reader.service for reader in self._readers.values()]
                service = next((service for service in known if service.scope == reference.scope), None)
                service = service or Service(reference.scope, self._settings.auth, self._patience)
                self._readers[reference] = Reader(service, reference)
            return self._readers[reference]


def _to_stderr(line: str) -> None:
    sys.stderr.write(f"azureml: {line}\n")
    sys.stderr.flush()

"""What a backend is: something that can run a `TrainJob`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from .job import TrainJob
from .status import Handle, RunStatus

__all__ = [
    "LIMITS",
    "AdoptingBackend",
    "Backend",
    "BackendChoice",
    "FindingBackend",
    "FoundRun",
    "Manifest",
    "ModelVersion",
    "Plan",
    "RecordingBackend",
    "Reporter",
    "ReportingBackend",
]


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What a submission would do.

    Attributes:
        backend: The name of the backend.
        steps: What would happen, in order, one sentence each.
        warnings: What the user should know first.
        files: What would be sent: {path: size in bytes}.
        documents: What `--dry-run DIR` writes beside the plan in words: {path below DIR, with "/": content}.
    """

    backend: str
    steps: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    files: Mapping[str, int] = field(default_factory=dict)
    documents: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Manifest:
    """The files of a folder.

    Attributes:
        files: {path relative to the folder, with "/": "sha256:…"}.
        unverified: The paths of those files that could not be compared with their source, because nothing there has
            their digests. Their sizes are right.
        left_out: Files that are not in the folder, because their names can't be those of files here: {path: why}.
    """

    files: Mapping[str, str]
    unverified: tuple[str, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelVersion:
    """A registered model.

    Attributes:
        name: What it is called.
        version: 1, 2, 3, … in the order of registration.
        digest: The SHA-256 of its main file, in hexadecimal.
        location: A folder or a URL.
    """

    name: str
    version: int
    digest: str
    location: str


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundRun:
    """A run that was found where it runs.

    Attributes:
        run_id: Its id, and the name of its folder.
        handle: What finds it again.
        job: What it is of, without what only the machine that submitted it has.
    """

    run_id: str
    handle: Handle
    job: TrainJob


@dataclass(frozen=True, kw_only=True, slots=True)
class BackendChoice:
    """Which backend a run goes to, and with which options.

    Attributes:
        name: The name of the backend.
        options: The values of its options, by attribute without the backend's name in front: {"max_nodes": 2}.
    """

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Returns the choice as JSON values; relative paths become absolute."""
        options = {
            name: str(each.absolute()) if isinstance(each, Path) else each for name, each in self.options.items()
        }
        return {"backend": self.name, "options": options}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> BackendChoice:
        """Returns the choice that `to_json` wrote; its paths are texts.

        Raises:
            KeyError, TypeError: It is not such a value.
        """
        return cls(name=str(value["backend"]), options=dict(value["options"]))


LIMITS = ("attach", "cancel", "fetch", "register")
"""What a backend may be unable to do; see `Backend.limits`."""


class Backend(Protocol):
    """Runs TrainJobs on some system. Stateless: everything that is needed later is in the handle.

    1. submit returns only when the job is stored durably there; called again with the same run id it returns the same
       handle.
    2. Every other method works in another process, days later, given only the handle.
    3. status never raises for a run that ended, was deleted or is unknown: LOST says so. It retries transient faults
       by itself.
    4. States only move forward: QUEUED, PREPARING, RUNNING, FINALIZING, then COMPLETED, FAILED, CANCELLED or LOST;
       back to QUEUED only for a preemption, and then `attempt` grows.
    5. logs(offset) yields bytes from offset; reconnected pieces equal the whole log, nothing lost, nothing twice.
    6. cancel is idempotent, confirms by reading back, and leaves a finished run as it is.
    7. fetch is resumable and atomic: the target has all files, verified, or none; nothing is written outside it.
    8. register is idempotent by (name, model digest).
    9. Only StokerError and its subclasses leave these methods: BackendError when the system fails, InputError when
       what the user gave is wrong.

    Attributes:
        poll_s: Seconds between two polls of a run's status.
        runs_here: Whether the job reads its data, and writes its results, on this machine. The data of such a job are
            checked before anything is started, and its results appear in the run's folder by themselves. Otherwise,
            the backend takes care of the data, and stoker fetches the results when the run has completed.
        limits: What the backend can't do, and why, for people: {one of `LIMITS`: reason}; {} for one that can do all.
            "attach": a handle is good in the process that submitted the run only; elsewhere `status` says LOST with
            the reason in its message, and the other methods raise. "cancel", "fetch", "register": that method always
            raises. What is raised is a BackendError with the reason in it. All other promises hold in any case.
    """

    poll_s: float
    runs_here: bool
    limits: Mapping[str, str]

    def plan(self, job: TrainJob) -> Plan:
        """Returns what would be sent, created and spent; touches nothing remote.

        Raises:
            InputError: The backend can't run the job.
        """
        ...

    def submit(self, job: TrainJob, run_dir: Path) -> Handle:
        """Starts the job (promise 1).

        For a run that has ended, it may start the next attempt, if the backend can resume runs. The log then continues
        where it ended.

        Args:
            job: What to train.
            run_dir: The folder of the run, which exists and holds `job.json`; its name is the run id.

        Raises:
            InputError: What the user gave is wrong; nothing was started.
            BackendError: It could not be started, or it is not known whether it was.
        """
        ...

    def status(self, handle: Handle) -> RunStatus:
        """Returns how the run is doing (promises 3 and 4).

        Raises:
            UnreachableError: The system does not answer now. A command that watches the run says so, and asks again.
            BackendError: The system refuses to answer.
        """
        ...

    def logs(self, handle: Handle, offset: int = 0, *, follow: bool = False) -> Iterator[bytes]:
        """Yields the log from byte `offset` on (promise 5).

        Args:
            handle: The run.
            offset: Where to begin, in bytes.
            follow: Continues until the run has ended; otherwise yields what there is now.
        """
        ...

    def cancel(self, handle: Handle) -> None:
        """Ends the run (promise 6).

        Raises:
            BackendError: It could not be ended.
        """
        ...

    def fetch(self, handle: Handle, target: Path) -> Manifest:
        """Copies the run's outputs into the folder `target` (promise 7).

        A file is verified when its copy was compared with what was written: by a digest that the storage or the job has
        of it, never by one of the copy alone. `Manifest.unverified` names the files for which there is none.

        Raises:
            BackendError: The backend can't give them.
            StorageError: They can't be written.
        """
        ...

    def register(self, handle: Handle, model: str, name: str) -> ModelVersion:
        """Registers the model of a finished run (promise 8).

        Args:
            handle: The run.
            model: The folder of the model below the run's outputs: "model".
            name: The name to register it under.

        Raises:
            BackendError: It can't be registered.
        """
        ...


Reporter = Callable[[str], object]
"""Reports to the user, in one line, what is being done."""


@runtime_checkable
class ReportingBackend(Protocol):
    """A backend that reports what a long submission or fetch is doing; having this attribute is enough.

    Attributes:
        report: Called with each line. `--quiet` puts a function here that drops them.
    """

    report: Reporter


@runtime_checkable
class RecordingBackend(Protocol):
    """A backend that also fetches what a run wrote beside its outputs; having this method is enough.

    For other backends, stoker reads the figures from the log, with the digits that the log has.
    """

    def fetch_record(self, handle: Handle, folder: Path) -> None:
        """Copies the files of `RunDirectory.FETCHED_RECORD` that the run has written into a folder.

        `metrics.jsonl` has the figures; the others are `environment.json`, `trained.json`, `report.html` and
        `summary.json`. Without a `summary.json`, stoker sums the figures up itself.

        Args:
            handle: A run that has completed.
            folder: An empty folder; each file appears in it whole. stoker copies them into the folder of the run.

        Raises:
            BackendError: The backend can't give them.
            StorageError: They can't be written.
        """
        ...


@runtime_checkable
class FindingBackend(Protocol):
    """A backend that also knows whether a run was submitted; having this method is enough.

    stoker asks it after a submission that failed, or was interrupted or killed. A run that was never submitted needs
    no folder; one that was can be watched and cancelled.
    """

    def find_submitted(self, run_dir: Path) -> Handle | None:
        """Returns the handle of the run of a folder; None if it was not submitted. Starts nothing.

        Args:
            run_dir: The folder, as `submit` was given it.

        Raises:
            BackendError: The system does not answer.
        """
        ...


@runtime_checkable
class AdoptingBackend(Protocol):
    """A backend that also finds runs that another machine submitted; having this method is enough."""

    def adopt(self, run_id: str) -> FoundRun:
        """Finds a run by its id, for `stoker runs adopt`.

        Raises:
            InputError: There is none, or stoker did not submit it.
            BackendError: The system does not answer.
        """
        ...

"""The base of all tests of a backend: makes the backend, its jobs and runs, and another process to look from."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ...backend import Backend
from ...errors import BackendError, StokerError
from ...job import TrainJob
from ...rundir import RunDirectory
from ...status import Handle, RunState, RunStatus
from . import payloads
from .process import Child


@dataclass(frozen=True, kw_only=True, slots=True)
class Submitted:
    """A run that a test has submitted.

    Attributes:
        run: Its folder on this machine, without `handle.json`: only the command line writes that.
        job: Its job.
        handle: What `submit` returned.
    """

    run: RunDirectory
    job: TrainJob
    handle: Handle


@dataclass(kw_only=True, slots=True)
class Place:
    """The runs of one test class; tests that only look at a run share it.

    Attributes:
        root: The folder of the runs.
        shared: The runs that several tests look at, by their payload and its options.
        all: Every run.
        known: Results that several tests share.
    """

    root: Path
    shared: dict[str, Submitted] = field(default_factory=dict)
    all: list[Submitted] = field(default_factory=list)
    known: dict[str, Any] = field(default_factory=dict)


_PLACES: dict[type, Place] = {}


class BackendCase:
    """A test case of a backend; see `BackendContract`."""

    patience_s: float = 300.0
    """How long a run may take to come to its next state; it is there so that a hang ends, not to measure a machine."""

    def make_backend(self) -> Backend:
        """Makes a new backend at each call, as another process would.

        Child processes call it too, so it can use only what they inherit: the environment, files, addresses.
        """
        raise NotImplementedError(f"{type(self).__name__} must make its backend in make_backend")

    def job(self, payload: str, **options: Any) -> TrainJob:
        """Returns the job that runs a payload; override it to train for real.

        Args:
            payload: What the job is to do: "succeed", "fail", "wait" (until it is stopped), "wait-once" (in its first
                attempt only), "write" (a log, slowly), "hostile" (outputs with strange names), "environment" (the
                names of its variables into the log).
            options: More options of the payload.
        """
        return TrainJob(name=payload, plugins=(payloads.PLUGIN,), options={payloads.OPTION: payload, **options})

    def wrote(self) -> Mapping[str, bytes]:
        """Returns the outputs that a job of the payload "succeed" writes, {name: content}; {} if that is not known."""
        return payloads.outputs()

    def lose(self, handle: Handle) -> None:
        """Deletes a run where it ran; override it if that is possible."""

    def preempt(self, handle: Handle) -> None:
        """Takes the machine away from a running run, which then starts again; override it if that is possible."""

    @contextlib.contextmanager
    def disturb(self, handle: Handle) -> Iterator[None]:
        """Makes requests about a running run fail for a moment, as networks do; override it if that is possible.

        The fault must be transient: over within seconds, whether or not the body has ended.
        """
        yield

    @pytest.fixture
    def place(self, tmp_path_factory: pytest.TempPathFactory) -> Place:
        """Returns where the runs of this class are."""
        if type(self) not in _PLACES:
            _PLACES[type(self)] = Place(root=tmp_path_factory.mktemp("runs"))
        return _PLACES[type(self)]

    @classmethod
    def teardown_class(cls) -> None:
        """Cancels what still runs, if the backend can."""
        case, place = cls(), _PLACES.pop(cls, None)
        for one in place.all if place else ():
            with contextlib.suppress(Exception):  # a backend that can't cancel has failed its tests already
                case.make_backend().cancel(one.handle)

    def new_run(self, place: Place, payload: str, **options: Any) -> tuple[TrainJob, RunDirectory]:
        """Makes a job and the folder of a run of it, which is not submitted yet."""
        job = self.job(payload, **options)
        return job, RunDirectory.create(place.root, job)

    def submit(self, place: Place, payload: str, **options: Any) -> Submitted:
        """Submits a new run, which no other test uses."""
        job, run = self.new_run(place, payload, **options)
        return self.track(place, job, run, self.make_backend().submit(job, run.path))

    def track(self, place: Place, job: TrainJob, run: RunDirectory, handle: Handle) -> Submitted:
        """Records a submitted run, so that it is cancelled with the class."""
        one = Submitted(run=run, job=job, handle=handle)
        place.all.append(one)
        return one

    def ended(self, place: Place, payload: str, **options: Any) -> Submitted:
        """Returns a run that has ended, shared by all tests of the class that ask for it."""
        key = json.dumps([payload, options])
        if key not in place.shared:
            place.shared[key] = self.submit(place, payload, **options)
        self.wait(place.shared[key].handle)
        return place.shared[key]

    def wait(self, handle: Handle, enough: Callable[[RunStatus], bool] | None = None) -> RunStatus:
        """Polls a run until `enough`, or until it has ended; returns the last status."""
        enough = enough or (lambda status: status.state.ended)
        backend = self.make_backend()
        deadline = time.monotonic() + self.patience_s
        while not enough(status := backend.status(handle)):
            assert time.monotonic() < deadline, f"after {self.patience_s:g} s the run is still {status}"
            assert not status.state.ended, f"the run has ended too early: {status}"
            time.sleep(min(backend.poll_s, 0.05))
        return status

    def running(self, place: Place, **options: Any) -> Submitted:
        """Submits a new run that runs until it is stopped, and waits until it is running."""
        one = self.submit(place, "wait", **options)
        self.wait(one.handle, lambda status: status.state is RunState.RUNNING)
        return one

    def log(self, handle: Handle, offset: int = 0, *, follow: bool = False) -> bytes:
        """Returns the log of a run from an offset on, in one piece."""
        return b"".join(self.make_backend().logs(handle, offset, follow=follow))

    def log_with(self, handle: Handle, text: str) -> bytes:
        """Waits until the log of a run has a text in it, and returns the log."""
        deadline = time.monotonic() + self.patience_s
        while text.encode() not in (log := self.log(handle)):
            assert time.monotonic() < deadline, f"after {self.patience_s:g} s the log lacks {text!r}: {log!r}"
            time.sleep(0.05)
        return log

    @contextlib.contextmanager
    def able(self, *operations: str) -> Iterator[None]:
        """Runs the body if the backend can do all of these; if it can't, expects the body to raise the reason."""
        limits = self.make_backend().limits
        reasons = [limits[operation] for operation in operations if operation in limits]
        if not reasons:
            yield
            return
        with pytest.raises(BackendError) as caught:
            yield
        text = f"{caught.value} {caught.value.hint}"
        assert any(reason in text for reason in reasons), f"one of {reasons} is the reason, but it says: {text}"

    def refused(self, operation: str, call: Callable[[], object]) -> StokerError:
        """Returns the error that a call must raise; if the backend can't do that at all, it has the reason."""
        with pytest.raises(StokerError) as caught:
            call()
        self.expect_reason(operation, caught.value)
        return caught.value

    def may_be_refused(self, operation: str, call: Callable[[], object]) -> None:
        """Makes a call that may raise a BackendError, and must if the backend can't do that at all."""
        if operation in self.make_backend().limits:
            self.refused(operation, call)
            return
        with contextlib.suppress(BackendError):
            call()

    def expect_reason(self, operation: str, error: StokerError) -> None:
        """Asserts that an error has the reason of the backend's limit, if there is one."""
        reason = self.make_backend().limits.get(operation, "")
        assert reason in f"{error} {error.hint}"
        assert not reason or isinstance(error, BackendError)

    def child(self, folder: Path) -> Child:
        """Returns another process, in another folder, that has this class."""
        return Child(case=type(self), folder=folder, patience_s=self.patience_s)

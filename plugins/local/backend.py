"""The local backend: runs a job in a child process on this machine, in a new session."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import shlex
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from ...engine import files, locks
from ...engine.backend import Manifest, ModelVersion, Plan
from ...engine.errors import BackendError, InputError, StokerError
from ...engine.fetch import copy_outputs
from ...engine.job import TrainJob
from ...engine.registry import Registry
from ...engine.rundir import RunDirectory, StatusRecord
from ...engine.status import Handle, RunState, RunStatus
from . import NAME
from .liveness import POLL_S, holds_lock, is_alive, is_elsewhere
from .process import Ending, end_followers, start, why_lost

_PATIENCE_S = 5.0
"""How long a status that can't be read is read again while its process lives."""
_PIECE_BYTES = 1 << 20
"""How much of a log is read at once."""
_SHOWN = 200
"""Characters of a handle that a message shows."""


class LocalBackend:
    """Runs jobs on this machine; keeps the promises of `engine.backend.Backend`.

    `submit` takes the lock of the run's folder before it starts the child process, and hands it the lock. The lock is
    thus held from before the job exists until its process is gone, however it ends. It shows whether the process is
    alive, and makes a second submission find the first.
    """

    poll_s = POLL_S
    runs_here = True
    limits: Mapping[str, str] = MappingProxyType({})

    def plan(self, job: TrainJob) -> Plan:
        """Says what would happen, and checks that the packages are installed.

        Raises:
            InputError: A package is missing.
        """
        _require_packages()
        named = f"the data set {job.dataset!r}" if job.dataset else "the data"
        data = f"read {named}" + (f" from {job.data_folder}" if job.data_folder else "")
        amount = f"{job.epochs:,} epoch{'' if job.epochs == 1 else 's'} of batches of {job.batch_size}"
        steps = [
            data,
            f"train the model {job.model!r} for {amount} in a child process",
            "write the model, its figures and its plot into the run's folder",
        ]
        if job.register:
            steps.append(f"register the model as {job.register!r}")
        documents = {"job.json": f"{json.dumps(job.to_json(), indent=2)}\n".encode()}
        return Plan(backend=NAME, steps=tuple(steps), documents=documents)

    def submit(self, job: TrainJob, run_dir: Path) -> Handle:
        """Starts the child process, unless it is running already.

        Raises:
            InputError: A package is missing.
            StorageError: The run's folder can't be written.
            BackendError: The system starts no process.
        """
        _require_packages()
        run = RunDirectory(run_dir.resolve())
        handle = Handle(backend=NAME, reference=str(run.path))
        with locks.lock(run.lock, timeout_s=1) as held:  # a process that looks at a run holds its lock for a moment
            if held is None:
                return handle
            before = run.status_record()
            ended = end_followers(run, before.process if before else None)
            if ended:
                files.append_line(run.log, f"note: ended what the attempt before had left running: {ended}")
            attempt = before.status.attempt + 1 if before else 1
            run.write_status(RunStatus(state=RunState.PREPARING, attempt=attempt))
            try:
                start(run, held.fileno())
            except StokerError as error:
                run.write_status(RunStatus(state=RunState.FAILED, attempt=attempt, message=error.what))
                raise
        return handle

    def status(self, handle: Handle) -> RunStatus:
        """Returns what the child process wrote last, or LOST if it is gone without an end."""
        run = _find(handle)
        if run is None:
            return RunStatus(state=RunState.LOST, message=_missing(handle).what)
        before = _read(run)
        if before is None:
            return _without_record(run)
        if before.status.state.ended or is_alive(run, before):
            return before.status
        status = (run.status_record() or before).status  # it may have ended between the two looks
        if status.state.ended:
            return status
        if status.state is RunState.FINALIZING and run.summary():  # all was written but this
            return replace(status, state=RunState.COMPLETED)
        return RunStatus(
            state=RunState.LOST,
            attempt=status.attempt,
            message=why_lost(run),
            progress=status.progress,
        )

    def logs(self, handle: Handle, offset: int = 0, *, follow: bool = False) -> Iterator[bytes]:
        """Yields the run's `log.txt`."""
        run = _find(handle)
        while run:
            ended = not follow or self.status(handle).state.ended
            try:
                with run.log.open("rb") as stream:
                    stream.seek(offset)
                    while piece := stream.read(_PIECE_BYTES):
                        yield piece
                        offset += len(piece)
            except OSError:
                return
            if ended:
                return
            time.sleep(self.poll_s)

    def cancel(self, handle: Handle) -> None:
        """Asks the child process to end (SIGTERM), kills it after a grace period, and returns when it is gone.

        The processes that it has started are then ended too.

        Raises:
            BackendError: There is no such run on this machine, or it does not end.
        """
        run = _require(handle)
        ending = Ending(run)
        while not (ended := self.status(handle).state.ended) or holds_lock(run):
            record = run.status_record()
            if record and is_elsewhere(record):
                if ended:
                    return
                raise _not_here(record)
            ending.signal(record.process if record else None, ended=ended)
            time.sleep(self.poll_s)
        if ending.signalled and self.status(handle).state is RunState.LOST:
            run.write_status(RunStatus(state=RunState.CANCELLED, message="it did not end in time and was killed"))
        record = run.status_record()
        end_followers(run, (record.process if record else None) or ending.process)

    def fetch(self, handle: Handle, target: Path) -> Manifest:
        """Copies the run's outputs.

        Raises:
            BackendError: There is no such run on this machine.
            StorageError: The target can't be written.
        """
        return copy_outputs(_require(handle).outputs, target)

    def register(self, handle: Handle, model: str, name: str) -> ModelVersion:
        """Registers the model in the registry beside the runs.

        Raises:
            InputError: The model or its name can't be registered.
            BackendError: There is no such run on this machine, or the registry can't be written.
        """
        run = _require(handle)
        try:
            return Registry.beside(run).register(name, run.outputs / model, lineage={"run": run.run_id})
        except InputError:
            raise
        except StokerError as error:
            raise BackendError(error.what, received=error.received, hint=error.hint) from error


def _find(handle: Handle) -> RunDirectory | None:
    """Returns the run of a handle; None if it is from another backend, or leads to no folder on this machine."""
    ours = handle.backend == NAME and os.path.isabs(handle.reference)  # noqa: PTH117 - Path can't hold just any text
    return RunDirectory(Path(handle.reference)) if ours and os.path.isdir(handle.reference) else None  # noqa: PTH112


def _require(handle: Handle) -> RunDirectory:
    run = _find(handle)
    if run is None:
        raise _missing(handle)
    return run


def _read(run: RunDirectory) -> StatusRecord | None:
    """Returns what the child process wrote last; while it lives, reads a file again that can't be read."""
    deadline = time.monotonic() + _PATIENCE_S
    while (found := run.status_record()) is None and holds_lock(run) and time.monotonic() < deadline:
        time.sleep(POLL_S)
    return found


def _without_record(run: RunDirectory) -> RunStatus:
    """Returns the status of a run whose `status.json` is damaged or missing, by its lock and its last event."""
    message = f"{run.path / 'status.json'} can't be read"
    if holds_lock(run):
        return RunStatus(state=RunState.RUNNING, message=message)
    ended = None
    with contextlib.suppress(StokerError):
        ended = run.end_by_events()
    return replace(ended or RunStatus(state=RunState.LOST), message=message)


def _missing(handle: Handle) -> BackendError:
    reference = handle.reference if len(handle.reference) < _SHOWN else f"{handle.reference[:_SHOWN]}…"
    return BackendError(f"there is no run of the backend {NAME!r} in {reference!r}", hint="was its folder deleted?")


def _not_here(record: StatusRecord) -> BackendError:
    alike = record.host == socket.gethostname()
    where = "in another container, or on another machine called" if alike else "on the machine"
    return BackendError(f"the run is {where} {record.host}", hint="cancel it there")


def _require_packages() -> None:
    missing = [name for name in ("tensorflow", "keras", "numpy") if importlib.util.find_spec(name) is None]
    if missing:
        hint = shlex.join([sys.executable, "-m", "pip", "install", *missing])
        raise InputError(f"the package {missing[0]!r} is not installed for {sys.executable}", hint=hint)

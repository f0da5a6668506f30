"""The local backend: runs a job in a child process on this machine, in a new session."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from ...engine import files, locks
from ...engine.backend import Manifest, ModelVersion, Plan
from ...engine.errors import BackendError, InputError, StokerError, StorageError, few
from ...engine.fetch import copy_outputs
from ...engine.job import TrainJob
from ...engine.process import ProcessIdentity, marked
from ...engine.registry import Registry
from ...engine.rundir import RunDirectory, StatusRecord
from ...engine.status import Handle, RunState, RunStatus
from . import NAME

GRACE_S = 10.0
"""How long a cancelled run may take to write its checkpoint before it is killed."""
_HEARTBEAT_S = 30.0
_CLOCKS_S = 2 * 86_400.0
"""How far the clocks of two machines may be apart."""
_BEAT_S = 1.5
"""How long a heartbeat is watched for a change; it is written five times a second."""
_END_S = 1.0
_PATIENCE_S = 5.0
_PIECE_BYTES = 1 << 20
"""How much of a log is read at once."""
_SHOWN = 200
"""Characters of a handle that a message shows."""
_exit_codes: dict[Path, int] = {}
"""Of the training processes that this process has started, by the folders of their runs."""
_waiters: dict[Path, threading.Thread] = {}
"""The threads that wait for these codes."""
_CLI = Path(__file__).resolve().parents[2] / "cli.py"


class LocalBackend:
    """Runs jobs on this machine; keeps the promises of `engine.backend.Backend`.

    `submit` takes the lock of the run's folder before it starts the child process, and hands it the lock. The lock is
    thus held from before the job exists until its process is gone, however it ends. It shows whether the process is
    alive, and makes a second submission find the first.
    """

    poll_s = 0.05
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
            ended = _end_followers(run, before.process if before else None)
            if ended:
                files.append_line(run.log, f"note: ended what the attempt before had left running: {ended}")
            attempt = before.status.attempt + 1 if before else 1
            run.write_status(RunStatus(state=RunState.PREPARING, attempt=attempt))
            try:
                _start(run, held.fileno())
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
        if before.status.state.ended or _is_alive(run, before):
            return before.status
        status = (run.status_record() or before).status  # it may have ended between the two looks
        if status.state.ended:
            return status
        if status.state is RunState.FINALIZING and run.summary():  # all was written but this
            return replace(status, state=RunState.COMPLETED)
        return RunStatus(
            state=RunState.LOST,
            attempt=status.attempt,
            message=_why_lost(run),
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
        deadline = time.monotonic() + GRACE_S
        asked = killed = False
        known: ProcessIdentity | None = None
        while not (ended := self.status(handle).state.ended) or _holds_lock(run):
            record = run.status_record()
            process = record.process if record else None
            known = process or known
            if record and _is_elsewhere(record):
                if ended:
                    return
                alike = record.host == socket.gethostname()
                where = "in another container, or on another machine called" if alike else "on the machine"
                raise BackendError(f"the run is {where} {record.host}", hint="cancel it there")
            late = time.monotonic() > deadline
            if process and late and not killed:
                killed = process.send(signal.SIGKILL)
            elif process and not (asked or ended):
                asked = process.send(signal.SIGTERM)
            if time.monotonic() > deadline + (GRACE_S if asked or killed else 0):
                raise _endless(run, process)
            time.sleep(self.poll_s)
        if self.status(handle).state is RunState.LOST and (asked or killed):
            run.write_status(RunStatus(state=RunState.CANCELLED, message="it did not end in time and was killed"))
        record = run.status_record()
        _end_followers(run, (record.process if record else None) or known)

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
    while (found := run.status_record()) is None and _holds_lock(run) and time.monotonic() < deadline:
        time.sleep(LocalBackend.poll_s)
    return found


def _without_record(run: RunDirectory) -> RunStatus:
    """Returns the status of a run whose `status.json` is damaged or missing, by its lock and its last event."""
    message = f"{run.path / 'status.json'} can't be read"
    if _holds_lock(run):
        return RunStatus(state=RunState.RUNNING, message=message)
    ended = None
    with contextlib.suppress(StokerError):
        ended = run.end_by_events()
    return replace(ended or RunStatus(state=RunState.LOST), message=message)


def _missing(handle: Handle) -> BackendError:
    reference = handle.reference if len(handle.reference) < _SHOWN else f"{handle.reference[:_SHOWN]}…"
    return BackendError(f"there is no run of the backend {NAME!r} in {reference!r}", hint="was its folder deleted?")


def _require_packages() -> None:
    missing = [name for name in ("tensorflow", "keras", "numpy") if importlib.util.find_spec(name) is None]
    if missing:
        hint = shlex.join([sys.executable, "-m", "pip", "install", *missing])
        raise InputError(f"the package {missing[0]!r} is not installed for {sys.executable}", hint=hint)


def _start(run: RunDirectory, lock_descriptor: int) -> None:
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


def _why_lost(run: RunDirectory) -> str:
    """Returns why a run is lost, as far as this process knows: it may have started the run's, or have not."""
    waiter = _waiters.get(run.path)
    if waiter:  # the process has lost its lock, so it is at its end
        waiter.join(_PATIENCE_S)
    code = _exit_codes.get(run.path)
    if code == os.EX_IOERR:
        return "its process could not write into the folder of the run: is the disk full?"
    known = "" if code is None or code < 0 else f" with the exit code {code}, and"
    ends = ": killed, or the machine went down" if not known else ""
    return f"its process ended{known} without reporting a status{ends}"


def _is_elsewhere(record: StatusRecord) -> bool:
    """Returns whether a run's process has its number on another machine, or in another container of this one."""
    process = record.process
    if process and process.is_here:
        return False
    return bool(record.host) and (record.host != socket.gethostname() or bool(process))


def _is_alive(run: RunDirectory, record: StatusRecord) -> bool:
    """Returns whether the run's process lives: it holds the lock, or it was seen to write the run's status.

    The lock shows it wherever the file system has locks that all its machines see. Without one, a process of another
    machine has a recent heartbeat by this machine's clock, or, if its clock differs, one that changes.
    """
    try:
        if locks.is_locked(run.lock):
            return True
    except StorageError:  # this user may not read the file, or the file system has no locks
        if record.process and record.process.is_here:
            return record.process.is_alive
    if not _is_elsewhere(record):
        return False
    age_s = abs(time.time() - record.heartbeat_s)
    return age_s < _HEARTBEAT_S or (age_s < _CLOCKS_S and record.host != socket.gethostname() and _beats(run, record))


def _beats(run: RunDirectory, record: StatusRecord) -> bool:
    """Returns whether the heartbeat of a run changes while it is watched."""
    deadline = time.monotonic() + _BEAT_S
    while time.monotonic() < deadline:
        time.sleep(LocalBackend.poll_s)
        now = run.status_record()
        if now and now.heartbeat_s != record.heartbeat_s:
            return True
    return False


def _holds_lock(run: RunDirectory) -> bool:
    """Returns whether a process on this machine holds the lock of the run, as far as this user may know."""
    try:
        return locks.is_locked(run.lock)
    except StorageError:
        return False


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


def _end_followers(run: RunDirectory, process: ProcessIdentity | None) -> str:
    """Ends the processes that the training process of a run has started and left behind; returns their numbers."""
    followers = process.followers(run.run_id) if process else []
    for number in (signal.SIGTERM, signal.SIGKILL):
        deadline = time.monotonic() + _END_S
        alive = [each for each in followers if each.send(number)]
        while alive and time.monotonic() < deadline:
            time.sleep(LocalBackend.poll_s)
            alive = [each for each in alive if each.is_alive]
    return few(str(each.pid) for each in followers)

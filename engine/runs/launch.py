"""Submits a job to a backend, resumes it, and watches it; the same for every backend."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from .. import locks
from ..backend import Backend, BackendChoice, FindingBackend
from ..data import ProgressCallback
from ..errors import BackendError, InputError, RunError, StokerError, StorageError, UnreachableError
from ..event import EventKind, RunEvent
from ..job import TrainJob
from ..plugin.plugins import Plugins
from ..rundir import RunDirectory
from ..status import Handle, RunState, RunStatus
from ..training.prepare import load_dataset

_LONGEST_PAUSE_S = 60.0
"""Between two looks at a run that can't be seen."""


def submit(
    job: TrainJob,
    backend: Backend,
    root: Path,
    plugins: Plugins,
    progress: ProgressCallback | None = None,
    *,
    choice: BackendChoice | None = None,
) -> RunDirectory:
    """Checks the data if this machine reads them, creates the folder of a run, and starts the job.

    Args:
        job: What to train.
        backend: Where.
        root: Where runs are kept.
        plugins: The plugins that check the job and observe its submission.
        progress: Receives the progress of reading the data, in bytes.
        choice: What the backend was made from, recorded for a later resume; None records nothing.

    Raises:
        InputError: The user's input is wrong; no folder is left.
        BackendError: The backend could not start it; the folder stays, unless the backend knows that nothing was
            submitted.
    """
    notes = load_dataset(job, plugins, progress).notes if backend.runs_here else ()
    run = RunDirectory.create(root, job)
    try:
        if notes:
            # The training reports them, because its check may find none: this one may have filled the cache.
            run.write_notes(notes)
        if choice:
            run.write_backend_choice(choice)
        _start(run, job, backend, plugins)
    except InputError:
        run.remove()
        raise
    except BackendError as error:
        if not isinstance(error, UnreachableError) and _was_not_submitted(run, backend):
            run.remove()
        raise
    return run


def resume(run: RunDirectory, job: TrainJob, backend: Backend, plugins: Plugins) -> int:
    """Starts a run again, from its last checkpoint; `job` may have more epochs than before.

    If it is not known whether the run was submitted, this submits it again, which starts it if it was not.

    Args:
        run: The run.
        job: Its job.
        backend: The backend that it was submitted to.
        plugins: The plugins that observe its submission.

    Returns:
        Where the log of the new attempt begins, in bytes.

    Raises:
        RunError: It is running, or runs elsewhere and its folder is a copy.
        InputError, BackendError: As `submit`; the folder always stays, and is as it was.
    """
    if not run.has_handle():
        if job != run.job():
            what = f"the options of the run {run.run_id} can't change: it is not known whether it was submitted"
            raise InputError(what, hint=f"first find out with: {run.command('runs', 'show')}")
        _start(run, job, backend, plugins)
        return 0
    run.refuse_copy()
    if not backend.status(run.handle()).state.ended:
        raise RunError(f"the run {run.run_id} is running", hint=f"watch it with: {run.command('runs', 'attach')}")
    written = sum(len(piece) for piece in backend.logs(run.handle()))
    changed = job != run.job()
    following = run.write_next_job(job) if changed and backend.runs_here else None  # which the process here reads
    try:
        _start(run, job, backend, plugins)
    except StokerError:
        if following:
            following.unlink(missing_ok=True)
        raise
    if not backend.runs_here:
        if changed:
            run.write_next_job(job)
        run.truncate_metrics(job.epochs)  # collecting its results brings the final figures back
    return written


def find_submission(run: RunDirectory, backend: Backend, plugins: Plugins) -> None:
    """Finds out whether a run was submitted whose submission did not come to its end, and records it if it was.

    Args:
        run: The run; one that is known to be submitted stays as it is.
        backend: The backend that it was to be submitted to; one that can't find out leaves the run as it is.
        plugins: The plugins that observe its submission.

    Raises:
        RunError: It was not submitted.
        BackendError: The backend does not answer.
    """
    if run.has_handle() or not isinstance(backend, FindingBackend):
        return
    handle = backend.find_submitted(run.path)
    if handle is None:
        hint = f"submit it with `{run.command('train', '--resume')}`, or remove {run.path}"
        raise RunError(f"the run {run.run_id} was not submitted", hint=hint, path=run.path)
    _record_submission(run, run.job(), handle, plugins)


def _was_not_submitted(run: RunDirectory, backend: Backend) -> bool:
    try:
        return isinstance(backend, FindingBackend) and backend.find_submitted(run.path) is None
    except StokerError:
        return False


def settle(run: RunDirectory, plugins: Plugins) -> None:
    """Ends the record of a run on this machine whose process was killed when only that was left to do.

    Its model, figures and summary are written, and the model is registered. Observers that have not heard of its end
    receive the event now.

    Args:
        run: The run; one that has no summary, has ended or still runs stays as it is.
        plugins: The observers.
    """
    record = run.status_record()
    if record is None or record.status.state is not RunState.FINALIZING or not run.summary():
        return
    with locks.lock(run.lock, timeout_s=0) as held:
        if held is None:
            return
        told = [event.kind for event in run.events() if event.kind in {EventKind.STARTED, EventKind.FINISHED}]
        if told[-1:] != [EventKind.FINISHED]:
            event = RunEvent(kind=EventKind.FINISHED, run_id=run.run_id, data={"message": ""})
            run.append_event(event)
            plugins.notify(event, run.job(), run.path)
        run.write_status(replace(record.status, state=RunState.COMPLETED, message=""))


def _start(run: RunDirectory, job: TrainJob, backend: Backend, plugins: Plugins) -> None:
    handle = backend.submit(job, run.path)
    try:
        _record_submission(run, job, handle, plugins)
    except StorageError as error:  # nobody would find it again
        try:
            backend.cancel(handle)
        except StokerError as failed:
            hint = f"it goes on as {handle}; end it there"
            raise BackendError(f"{error.what}, and the job can't be ended", received=failed.what, hint=hint) from error
        raise


def _record_submission(run: RunDirectory, job: TrainJob, handle: Handle, plugins: Plugins) -> None:
    run.write_handle(handle)
    event = RunEvent(kind=EventKind.SUBMITTED, run_id=run.run_id, data={"handle": str(handle)})
    run.append_event(event)
    plugins.notify(event, job, run.path)


def watch(
    backend: Backend,
    handle: Handle,
    offset: int = 0,
    *,
    sleep: Callable[[float], None] = time.sleep,
    on_trouble: Callable[[BackendError], None] | None = None,
) -> Iterator[tuple[list[str], RunStatus]]:
    """Polls a run until it has ended.

    Args:
        backend: The backend of the run.
        handle: The run.
        offset: Where in the log to begin, in bytes.
        sleep: Waits between two looks.
        on_trouble: Called when a look fails; unless it raises, the next look comes after a while, which grows to a
            minute. Without it, the error is raised.

    Yields:
        At each look, the complete lines of the log that are new (the first time, all from `offset`), and the status.
        The last status has ended, and by then all lines have been yielded.
    """
    parts: list[bytes] = []  # of a line whose end has not come yet
    before: RunStatus | None = None
    lines: list[str] = []
    pause_s = 0.0
    while True:
        try:
            status = backend.status(handle)  # before the log: what was written before the end is then in the log
            for piece in backend.logs(handle, offset):
                if lines:  # a long log comes in several pieces, and is not held as a whole
                    yield lines, before or status
                offset += len(piece)
                lines = _lines(parts, piece)
        except BackendError as error:
            if on_trouble is None:
                raise
            on_trouble(error)
            pause_s = min(2 * pause_s or backend.poll_s, max(_LONGEST_PAUSE_S, backend.poll_s))
            sleep(pause_s)
            continue
        pause_s = 0.0
        if status.state.ended and parts:
            lines = [*lines, b"".join(parts).decode(errors="replace")]
        yield lines, status
        if status.state.ended:
            return
        before, lines = status, []
        sleep(backend.poll_s)


def _lines(parts: list[bytes], piece: bytes) -> list[str]:
    """Returns the lines that end in a piece of a log; `parts` has what was read of an unfinished one."""
    *whole, rest = piece.split(b"\n")
    if whole:
        whole[0] = b"".join([*parts, whole[0]])
        parts.clear()
    if rest:
        parts.append(rest)
    return [line.decode(errors="replace") for line in whole]

"""A reference backend in memory: threads of this process run the payloads, and a run is gone with the process."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from stoker.engine.backend import Manifest, ModelVersion, Plan
from stoker.engine.errors import BackendError
from stoker.engine.fetch import copy_outputs
from stoker.engine.job import TrainJob
from stoker.engine.registry import Registry
from stoker.engine.rundir import RunDirectory
from stoker.engine.status import Handle, RunState, RunStatus
from stoker.engine.testing.backend import payloads

NAME = "memory"
REASON = "its runs are in the memory of the process that submitted them"


class Run:
    """A run and the thread of its present attempt."""

    def __init__(self, job: TrainJob, folder: RunDirectory) -> None:
        self.job, self.folder = job, folder
        self.log = bytearray()
        self.attempt = 0
        self.queued: RunStatus | None = None
        self.begin()

    def begin(self) -> None:
        """Starts the next attempt."""
        self.attempt += 1
        self.stop = threading.Event()
        self.folder.write_status(RunStatus(state=RunState.QUEUED, attempt=self.attempt))
        self.thread = threading.Thread(
            target=payloads.perform, args=(self.job, self.folder, self.stop, self.say), daemon=True
        )
        self.thread.start()

    def say(self, line: str) -> None:
        self.log += f"{line}\n".encode()

    def end(self) -> None:
        """Asks the attempt to end, and waits until it has."""
        self.stop.set()
        self.thread.join()

    def preempt(self) -> None:
        """Ends this attempt and starts the next; meanwhile, the run is queued."""
        self.queued = RunStatus(state=RunState.QUEUED, attempt=self.attempt + 1)
        self.end()
        self.begin()
        self.queued = None

    def status(self) -> RunStatus:
        if self.queued:
            return self.queued
        found = self.folder.status_record()
        return found.status if found else RunStatus(state=RunState.QUEUED, attempt=self.attempt)


class Memory:
    """What this process remembers: its runs by their references, which begin with a word that no other process has."""

    def __init__(self) -> None:
        self.word = secrets.token_hex(8)
        self.runs: dict[str, Run] = {}
        self.lock = threading.Lock()


MEMORY = Memory()


class MemoryBackend:
    """Runs payloads in threads; see `engine.backend.Backend`."""

    poll_s = 0.02
    runs_here = True
    limits: Mapping[str, str] = {"attach": REASON}

    def plan(self, job: TrainJob) -> Plan:
        return Plan(backend=NAME, steps=(f"run {job.title} in a thread of this process",))

    def submit(self, job: TrainJob, run_dir: Path) -> Handle:
        handle = Handle(backend=NAME, reference=f"{MEMORY.word}/{run_dir.name}")
        with MEMORY.lock:
            run = MEMORY.runs.get(handle.reference)
            if run is None:
                MEMORY.runs[handle.reference] = Run(job, RunDirectory(run_dir))
            elif run.status().state.ended:
                run.job = job
                run.begin()
        return handle

    def status(self, handle: Handle) -> RunStatus:
        try:
            return self.find(handle).status()
        except BackendError as error:
            return RunStatus(state=RunState.LOST, message=error.what)

    def logs(self, handle: Handle, offset: int = 0, *, follow: bool = False) -> Iterator[bytes]:
        run = self.find(handle)
        while True:
            ended = not follow or run.status().state.ended
            piece = bytes(run.log[offset:])
            if piece:
                yield piece
            offset += len(piece)
            if ended:
                return
            time.sleep(self.poll_s)

    def cancel(self, handle: Handle) -> None:
        self.find(handle).end()

    def fetch(self, handle: Handle, target: Path) -> Manifest:
        return copy_outputs(self.find(handle).folder.outputs, target)

    def register(self, handle: Handle, model: str, name: str) -> ModelVersion:
        folder = self.find(handle).folder
        return Registry.beside(folder).register(name, folder.outputs / model, lineage={"run": folder.run_id})

    def find(self, handle: Handle) -> Run:
        """Returns the run of a handle.

        Raises:
            BackendError: It is not in this process' memory.
        """
        word, _, _ = handle.reference.partition("/")
        if handle.backend == NAME and handle.reference in MEMORY.runs:
            return MEMORY.runs[handle.reference]
        if handle.backend == NAME and len(word) == len(MEMORY.word) and word != MEMORY.word:
            raise BackendError(f"the run can't be reached: {REASON}")
        raise BackendError("there is no such run in the memory of this process", received=handle)

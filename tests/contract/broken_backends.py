"""Backends, each of which breaks one promise and keeps the others; test_broken.py runs the suite on them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from stoker.engine import files
from stoker.engine.backend import Backend, Manifest, ModelVersion
from stoker.engine.errors import BackendError
from stoker.engine.fetch import list_files
from stoker.engine.job import TrainJob
from stoker.engine.status import Handle, RunState, RunStatus
from stoker.engine.testing import BackendContract

from .file_backend import FileBackend
from .memory_backend import MEMORY, MemoryBackend


class SubmitsAgain(MemoryBackend):
    """Breaks 1: does not look whether the run is there already."""

    def submit(self, job: TrainJob, run_dir: Path) -> Handle:
        MEMORY.runs.pop(f"{MEMORY.word}/{run_dir.name}", None)
        return super().submit(job, run_dir)


class KnowsItsOwn(FileBackend):
    """Breaks 2: only the process that submitted a run knows its status."""

    known: set[str] = set()  # noqa: RUF012 - of all objects in this process

    def submit(self, job: TrainJob, run_dir: Path) -> Handle:
        handle = super().submit(job, run_dir)
        self.known.add(handle.reference)
        return handle

    def status(self, handle: Handle) -> RunStatus:
        if handle.reference in self.known:
            return super().status(handle)
        return RunStatus(state=RunState.LOST, message="nobody here has submitted such a run")


class RaisesForTheUnknown(MemoryBackend):
    """Breaks 3: its status raises for a run that it does not know."""

    def status(self, handle: Handle) -> RunStatus:
        status = super().status(handle)
        if status.state is RunState.LOST and self.limits["attach"] not in status.message:
            raise BackendError(status.message)
        return status


class GoesBack(MemoryBackend):
    """Breaks 4: a running run is queued again for a moment."""

    looks: Counter[str] = Counter()  # noqa: RUF012 - of all objects in this process

    def status(self, handle: Handle) -> RunStatus:
        status = super().status(handle)
        if status.state is RunState.RUNNING:
            self.looks[handle.reference] += 1
            if self.looks[handle.reference] == 4:
                return replace(status, state=RunState.QUEUED)
        return status


class DecodesPieces(MemoryBackend):
    """Breaks 5: each piece of the log goes through text, so a character that is cut loses its other half."""

    def logs(self, handle: Handle, offset: int = 0, *, follow: bool = False) -> Iterator[bytes]:
        for piece in super().logs(handle, offset, follow=follow):
            yield piece.decode(errors="ignore").encode()


class CancelsTheFinished(MemoryBackend):
    """Breaks 6: a run that has completed becomes a cancelled one."""

    def cancel(self, handle: Handle) -> None:
        super().cancel(handle)
        self.find(handle).folder.write_status(RunStatus(state=RunState.CANCELLED))


class FetchesInPlace(MemoryBackend):
    """Breaks 7: writes file by file into the target."""

    def fetch(self, handle: Handle, target: Path) -> Manifest:
        outputs = self.find(handle).folder.outputs
        if not outputs.is_dir():
            raise BackendError("the run has no outputs yet")
        manifest = list_files(outputs)
        for name in manifest.files:
            files.make_folder((target / name).parent)
            with files.storage_errors(target / name):
                (target / name).write_bytes((outputs / name).read_bytes())
        return manifest


class FetchesShort(MemoryBackend):
    """Breaks 7: takes a short read for the end, and calls its own copy verified."""

    def fetch(self, handle: Handle, target: Path) -> Manifest:
        manifest = super().fetch(handle, target)
        for path in filter(Path.is_file, target.rglob("*")):
            path.write_bytes(path.read_bytes()[:1000])
        return list_files(target) if target.exists() else manifest


class RegistersAgain(MemoryBackend):
    """Breaks 8: each registration makes a new version."""

    registered: Counter[str] = Counter()  # noqa: RUF012 - of all objects in this process

    def register(self, handle: Handle, model: str, name: str) -> ModelVersion:
        version = super().register(handle, model, name)
        self.registered[name] += 1
        return replace(version, version=self.registered[name])


class LeaksErrors(MemoryBackend):
    """Breaks 9: the log of a run that it does not know is a KeyError."""

    def logs(self, handle: Handle, offset: int = 0, *, follow: bool = False) -> Iterator[bytes]:
        try:
            yield from super().logs(handle, offset, follow=follow)
        except BackendError as error:
            if self.limits["attach"] in error.what:
                raise
            raise KeyError(handle.reference) from error


class _Broken(BackendContract):
    """The suite on a backend in memory."""

    broken: type[Backend]

    def make_backend(self) -> Backend:
        return self.broken()

    def lose(self, handle: Handle) -> None:
        MEMORY.runs.pop(handle.reference, None)


class TestPromise1(_Broken):
    broken = SubmitsAgain


class TestPromise2(BackendContract):
    def make_backend(self) -> Backend:
        return KnowsItsOwn()


class TestPromise3(_Broken):
    broken = RaisesForTheUnknown


class TestPromise4(_Broken):
    broken = GoesBack


class TestPromise5(_Broken):
    broken = DecodesPieces


class TestPromise6(_Broken):
    broken = CancelsTheFinished


class TestPromise7(_Broken):
    broken = FetchesInPlace


class TestPromise7Short(_Broken):
    broken = FetchesShort


class TestPromise8(_Broken):
    broken = RegistersAgain


class TestPromise9(_Broken):
    broken = LeaksErrors

"""A backend of sixty lines: each job is a process, and everything about it is in a spool folder."""

import os.path
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from stoker import cli
from stoker.engine import errors, fetch, files, locks
from stoker.engine.backend import Manifest, ModelVersion, Plan
from stoker.engine.job import TrainJob
from stoker.engine.registry import Registry
from stoker.engine.rundir import RunDirectory
from stoker.engine.status import Handle, RunState, RunStatus


class FileBackend:
    poll_s, runs_here, limits = 0.05, True, dict[str, str]()

    def plan(self, job: TrainJob) -> Plan:
        return Plan(backend="file", steps=(f"train {job.title} in a new process, in a folder below `spool`",))

    def submit(self, job: TrainJob, run_dir: Path) -> Handle:
        run = RunDirectory(files.make_folder(run_dir.resolve().parent / "spool" / run_dir.name))
        with locks.lock(run.lock, timeout_s=1) as held:
            if held:  # nobody works on it; its process is given the lock, and so has it until it is gone
                before = run.status_record()
                run.log.touch()
                files.write_json(run.path / "job.json", job.to_json())
                run.write_status(RunStatus(state=RunState.QUEUED, attempt=before.status.attempt + 1 if before else 1))
                words = ["sh", "-c", '"$@" >>"$0" 2>&1 &', run.log, sys.executable, cli.__file__, "exec", run.path]
                subprocess.run(words, pass_fds=[held.fileno()], start_new_session=True, check=False)
        return Handle(backend="file", reference=str(run.path))

    def find(self, handle: Handle) -> RunDirectory:
        if handle.backend != "file" or not os.path.isfile(f"{handle.reference}/job.json"):  # noqa: PTH113
            raise errors.BackendError("there is no such run in a spool folder", received=handle)
        return RunDirectory(Path(handle.reference))

    def status(self, handle: Handle) -> RunStatus:
        try:
            run = self.find(handle)
        except errors.BackendError as error:
            return RunStatus(state=RunState.LOST, message=error.what)
        alive, lost = locks.is_locked(run.lock), RunStatus(state=RunState.LOST, message="its process ended early")
        status = record.status if (record := run.status_record()) else lost
        return status if status.state.ended or alive else lost

    def logs(self, handle: Handle, offset: int = 0, *, follow: bool = False) -> Iterator[bytes]:
        ended = False
        while not ended:
            ended = not follow or self.status(handle).state.ended
            yield (piece := self.find(handle).log.read_bytes()[offset:])
            offset += len(piece)
            time.sleep(0 if ended else self.poll_s)

    def cancel(self, handle: Handle) -> None:
        run, asked = self.find(handle), False
        while not self.status(handle).state.ended:
            process = record.process if (record := run.status_record()) else None
            asked = asked or (process is not None and process.send(signal.SIGTERM))
            time.sleep(self.poll_s)

    def fetch(self, handle: Handle, target: Path) -> Manifest:
        return fetch.copy_outputs(self.find(handle).outputs, target)

    def register(self, handle: Handle, model: str, name: str) -> ModelVersion:
        run = self.find(handle)
        return Registry.beside(run).register(name, run.outputs / model, lineage={"run": run.run_id})

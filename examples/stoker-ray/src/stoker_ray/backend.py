"""The backend: the same job, as a job of Ray."""

import json
import logging
import re
import shlex
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import stoker
from ray.job_submission import JobSubmissionClient
from stoker.engine.backend import Manifest, ModelVersion, Plan
from stoker.engine.errors import BackendError, InputError, StokerError
from stoker.engine.fetch import copy_outputs
from stoker.engine.job import TrainJob
from stoker.engine.package import Package
from stoker.engine.registry import Registry
from stoker.engine.rundir import RunDirectory
from stoker.engine.status import Handle, RunState, RunStatus

from .node import MARK
from .storage import Storage, storage_errors

_HANDLE = re.compile(r"ray\|(https?://[^\s@|]+)\|((?![\w+.-]+://[^/]*@)[^|]+)\|(.*/(\w[\w.-]*))", re.ASCII | re.DOTALL)
"""Backend, dashboard, storage, the run's folder; a password in one of them would stand in every handle."""
_STATES = {"PENDING": RunState.QUEUED, "RUNNING": RunState.RUNNING, "STOPPED": RunState.CANCELLED}

for _name in ("ray.dashboard.modules.dashboard_sdk", "ray._private.runtime_env.packaging"):
    logging.getLogger(_name).setLevel(logging.WARNING)  # they log each upload


class Cluster(JobSubmissionClient):  # type: ignore[misc, unused-ignore]
    """Ray's client, with a time limit for each request; retries after transient faults."""

    def __init__(self, address: str) -> None:
        super(JobSubmissionClient, self).__init__(address)  # its own prefers what RAY_ADDRESS says

    def _do_request(self, *arguments: Any, **options: Any) -> Any:
        return super()._do_request(*arguments, timeout=20, **options)

    def ask(self, method: str, *arguments: Any, **options: Any) -> Any:
        """Returns what a method answers; None if the cluster does not know the job, or has one of that id already."""
        for wait_s in (0, 1, 2, 4):
            time.sleep(wait_s)
            try:
                return getattr(self, method)(*arguments, **options)
            except Exception as error:  # noqa: BLE001 - Ray raises RuntimeError for whatever the cluster answers
                why = str(error).strip(" .\n").rpartition("\n")[2] or repr(error)
            if "status code 404" in why or "already exists" in why:
                return None
        raise BackendError(f"no good answer from Ray at {self._address}", received=why, hint="see --ray-address")


class RayBackend:
    """Runs jobs on a Ray cluster; keeps the promises of `stoker.engine.backend.Backend`.

    The run id is Ray's submission id. How a run ended is what its node wrote into the storage, else what Ray says.
    """

    poll_s = 1.0
    runs_here = False
    limits: Mapping[str, str] = {}

    def __init__(self, address: str = "", storage: str = "", gpus: int = 0) -> None:
        self._storage = storage if not storage or "://" in storage else str(Path(storage).expanduser().absolute())
        self._address, self._gpus = address, gpus

    def plan(self, job: TrainJob) -> Plan:
        """What would be sent; asks neither the cluster nor the storage."""
        _open(self._handle(Path("run")), InputError)
        package = Package.of(job)
        send = f"send stoker and {len(package.files)} files of the job to {self._address}, unless they are there"
        needs = [f"import {name} {version} on each node" for name, version in package.requirements.items()]
        train = f"train on a node with a CPU and {self._gpus} GPUs to spare, and write into {self._storage}"
        data = (f"each node must find the data folder {job.data_folder}",) if job.data_folder else ()
        passing = [f"let pass {one} of {path}" for path, found in package.allowed.items() for one in found]
        steps, warnings = (send, *passing, *needs, train), (*data, *package.warnings)
        return Plan(backend="ray", steps=steps, warnings=warnings, files=package.sizes)

    @storage_errors()
    def submit(self, job: TrainJob, run_dir: Path) -> Handle:
        """Sends the job, unless its run is known already."""
        if (run_dir / "handle.json").exists() and self.status(RunDirectory(run_dir).handle()).state.ended:
            raise BackendError("a run on Ray can't be resumed", hint="start a new one")
        handle = self._handle(run_dir)
        cluster, place, run = _open(handle, InputError)
        if self.status(handle).state is not RunState.LOST:
            return handle
        package = Package.of(job)
        with tempfile.TemporaryDirectory() as folder:
            (package.write(Path(folder, "work")) / "stoker.toml").touch()  # settings of the node stay out of it
            place.write(json.loads(package.job) | {"data_folder": job.data_folder}, "job.json")
            Path(folder, "stoker").symlink_to(stoker.__path__[0])  # for the name that the package has, wherever it is
            start = f"exec python -u -m stoker_ray.node {shlex.quote(self._storage)} {run.run_id}"
            modules = [f"{folder}/stoker", str(Path(__file__).parent)]
            env = {"working_dir": f"{folder}/work", "py_modules": modules, "excludes": [".git"]}
            needs = {"entrypoint_num_cpus": 1, "entrypoint_num_gpus": self._gpus}
            cluster.ask("submit_job", entrypoint=start, submission_id=run.run_id, runtime_env=env, **needs)
        return handle

    def status(self, handle: Handle) -> RunStatus:
        """What the node wrote at the end, or what Ray says."""
        if not _HANDLE.fullmatch(f"{handle.backend}|{handle.reference}"):
            return RunStatus(state=RunState.LOST, message="no handle of a run on Ray")
        cluster, place, run = _open(handle)
        job = None if place.read() else cluster.ask("get_job_info", run.run_id)
        if record := place.read():  # again, for it may have appeared between the two reads
            return RunStatus.from_json(record["status"])
        if not job or job.status.value == "SUCCEEDED":
            return RunStatus(state=RunState.LOST, message=f"Ray has no job of it, and nothing of it is in {place.url}")
        if place.read("cancelled.json"):
            return RunStatus(state=RunState.CANCELLED)
        state = _STATES.get(job.status.value, RunState.FAILED)
        why = job.message.strip().rpartition("\n")[2] if state is RunState.FAILED and job.message else ""
        return RunStatus(state=state, message=why)

    def logs(self, handle: Handle, offset: int = 0, *, follow: bool = False) -> Iterator[bytes]:
        """The log in the storage; until it is there, Ray's."""
        while True:
            ended = self.status(handle).state.ended
            if piece := self._log(handle, ended)[offset:]:
                yield piece
                offset += len(piece)
            if ended or not follow:
                return
            time.sleep(self.poll_s)

    def _log(self, handle: Handle, ended: bool) -> bytes:
        cluster, place, run = _open(handle)
        if place.read():
            return bytes(place.read("log.txt"))
        before, mark, rest = (cluster.ask("get_job_logs", run.run_id) or "").partition(MARK)
        return (rest if mark or not ended else before).encode()

    def cancel(self, handle: Handle) -> None:
        """Asks Ray to stop the job, which gives it three seconds, and polls until it has ended."""
        cluster, place, run = _open(handle)
        deadline = time.monotonic() + 60
        while not (state := self.status(handle).state).ended:
            if time.monotonic() > deadline:
                raise BackendError(f"{run.run_id} has not ended yet", hint="try again, or ask Ray: ray job stop")
            if state is RunState.QUEUED:  # Ray can't stop a job that waits; the node looks for this first
                place.write({"cancelled": True}, "cancelled.json")
            cluster.ask("stop_job", run.run_id)
            time.sleep(0.3)

    def fetch(self, handle: Handle, target: Path) -> Manifest:
        """Downloads the outputs, checks them, and moves them into the target."""
        with tempfile.TemporaryDirectory() as folder:
            return copy_outputs(_open(handle)[1].fetch("outputs/", Path(folder)), target)

    def register(self, handle: Handle, model: str, name: str) -> ModelVersion:
        """Registers the model in the registry beside the run's folder."""
        _, place, run = _open(handle)
        with tempfile.TemporaryDirectory() as folder:
            source = place.fetch(f"outputs/{model}/", Path(folder))
            return Registry.beside(run).register(name, source, {"run": run.run_id})

    def _handle(self, run_dir: Path) -> Handle:
        return Handle(backend="ray", reference=f"{self._address}|{self._storage}|{run_dir.resolve()}")


def _open(handle: Handle, error: type[StokerError] = BackendError) -> tuple[Cluster, Storage, RunDirectory]:
    """The cluster of a run, its folder in the storage, and its folder on the machine that it came from."""
    parts = _HANDLE.fullmatch(f"{handle.backend}|{handle.reference}")
    if not parts:
        raise error("this can't be on Ray", expected="--ray-address http://HOST:8265, --ray-storage PLACE, no password")
    return Cluster(parts[1]), Storage(parts[2], parts[4]), RunDirectory(Path(parts[3]))

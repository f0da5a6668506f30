"""The life of one run, from the queue to its end."""

from __future__ import annotations

import enum
import hashlib
import json
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from ..network.message import Refusal
from ..state.nodes import Node
from ..state.runs import AzureRunState, artifact
from ..state.settings import ARTIFACTS
from ..state.store import Record
from ..state.workspace import Workspace
from .attempt import Attempt

_POLL_S = 0.05
_BUILD_LOG = "azureml-logs/20_image_build_log.txt"
_BUILD_STEPS = ("FROM the base image", "COPY environment.yml", "RUN conda env create", "ENV PATH")
PREEMPTION = "Low priority compute preemption warning: a node has been preempted."


class Ending(enum.Enum):
    """Why an attempt ended."""

    EXIT = enum.auto()
    CANCELED = enum.auto()
    EXPIRED = enum.auto()
    STOPPED = enum.auto()
    PREEMPTED = enum.auto()
    PREEMPTED_FOR_GOOD = enum.auto()


class Job(threading.Thread):
    """Carries out a run. Only it changes the state of the run, except for a request to cancel it.

    Args:
        workspace: Where the run, its cluster and its files are.
        run_id: The run.
        folder: Where its attempts have their folders.
        environment: The variables that lead its process to the emulator.
    """

    def __init__(self, workspace: Workspace, run_id: str, folder: Path, environment: Mapping[str, str]) -> None:
        super().__init__(name=f"job {run_id}", daemon=True)
        self._workspace = workspace
        self._run_id = run_id
        self._run = workspace.runs.get(run_id)
        self._folder = folder
        self._environment = environment
        self._requested: Ending | None = None
        self._attempts = 0
        self._lock = threading.Lock()

    def request_end(self, ending: Ending) -> None:
        """Asks the job to end.

        The first request counts. Any other replaces a preemption, after which the run would continue, and STOPPED
        replaces every other.

        Args:
            ending: Why the job is to end.
        """
        with self._lock:
            if self._requested in {None, Ending.PREEMPTED} or ending is Ending.STOPPED:
                self._requested = ending

    def run(self) -> None:
        """Carries out the run."""
        try:
            self._carry_out()
        except Refusal as refusal:
            self._end(AzureRunState.FAILED, _error(refusal.code, refusal.message))
        except Exception as error:
            self._end(AzureRunState.FAILED, _error("EmulatorError", repr(error)))
            raise

    def _carry_out(self) -> None:
        runs = self._workspace.runs
        runs.advance(self._run_id, AzureRunState.STARTING)
        runs.advance(self._run_id, AzureRunState.PREPARING)
        self._prepare()
        runs.advance(self._run_id, AzureRunState.QUEUED)
        while self._one_attempt():
            runs.requeue(self._run_id, PREEMPTION)
            self._pause(self._workspace.settings.requeue_s)

    def _prepare(self) -> None:
        """Builds the image of the environment, if this is the first run in it."""
        definition = self._run["runDefinition"].get("environment") or {}
        store = self._workspace.store
        digest = hashlib.sha256(json.dumps(definition, sort_keys=True).encode()).hexdigest()
        if store.get("images", digest):
            return
        name = definition.get("name") or "the environment"
        log = f"Building the image of {name} (emulated: the interpreter at hand is used instead)\n"
        for number, step in enumerate(_BUILD_STEPS, 1):
            log += f"Step {number}/{len(_BUILD_STEPS)} : {step}\n"
            self._workspace.storage.put(ARTIFACTS, artifact(self._run_id, _BUILD_LOG), log.encode())
            self._pause(self._workspace.settings.prepare_s / len(_BUILD_STEPS))
        store.put("images", digest, {"name": name})

    def _one_attempt(self) -> bool:
        """Runs the job on nodes of its cluster; returns whether it was preempted and has to run again."""
        target, count = self._run["target"], int(self._run["runDefinition"].get("nodeCount") or 1)
        nodes = self._workspace.clusters.acquire(target, count, lambda: self._requested is None)
        if not nodes:
            self._end_as_requested()
            return False
        return self._on(nodes)

    def _on(self, nodes: list[Node]) -> bool:
        ending = Ending.EXIT
        attempt: Attempt | None = None
        try:
            self._attempts += 1
            folder = self._folder / str(self._attempts)
            attempt = Attempt(self._workspace, self._run, folder, self._environment)
            self._workspace.runs.advance(self._run_id, AzureRunState.RUNNING)
            ending = self._watch(attempt)
            return self._finish_attempt(attempt, ending)
        finally:
            if attempt:
                attempt.process.kill()
                attempt.store_log()
                attempt.remove()
            preempted = ending in {Ending.PREEMPTED, Ending.PREEMPTED_FOR_GOOD}
            self._workspace.clusters.release(self._run["target"], nodes, preempted=preempted)

    def _watch(self, attempt: Attempt) -> Ending:
        longest_s = self._run["runDefinition"].get("maxRunDurationSeconds")
        deadline = time.monotonic() + float(longest_s) if longest_s else float("inf")
        while attempt.process.wait(_POLL_S) is None:
            attempt.sync()
            if self._requested:
                return self._requested
            if time.monotonic() > deadline:
                return Ending.EXPIRED
        return Ending.EXIT

    def _finish_attempt(self, attempt: Attempt, ending: Ending) -> bool:
        if ending is Ending.STOPPED:
            attempt.process.kill()
            self._end_as_requested()
            return False
        if ending in {Ending.PREEMPTED, Ending.PREEMPTED_FOR_GOOD}:
            attempt.write_back(attempt.process.lose_node())
            return self._preempted(ending)
        if ending is not Ending.EXIT:
            attempt.process.terminate(self._workspace.settings.grace_s)
        self._workspace.runs.advance(self._run_id, AzureRunState.FINALIZING)
        attempt.write_back()
        attempt.publish()
        time.sleep(self._workspace.settings.finalize_s)
        self._end_of(attempt, ending)
        return False

    def _preempted(self, ending: Ending) -> bool:
        if ending is Ending.PREEMPTED:
            with self._lock:
                self._requested = None if self._requested is ending else self._requested
            return True
        message = "AzureMLCompute job failed. PreemptionError: Nodes of this job got pre-empted."
        self._end(AzureRunState.FAILED, _error("PreemptionError", message))
        return False

    def _end_of(self, attempt: Attempt, ending: Ending) -> None:
        code = attempt.process.exit_code
        if ending is Ending.CANCELED:
            self._end(AzureRunState.CANCELED)
        elif ending is Ending.EXPIRED:
            self._end(AzureRunState.CANCELED, _error("JobExceededMaxDuration", "the run took longer than it may"))
        elif code == 0:
            self._end(AzureRunState.COMPLETED)
        else:
            message = f"Execution failed. User process exited with status code {code}.\n{attempt.log_tail()}"
            self._end(AzureRunState.FAILED, _error("UserError", message))

    def _end_as_requested(self) -> None:
        if self._requested is Ending.STOPPED:
            self._end(AzureRunState.FAILED, _error("EmulatorStopped", "the emulator was stopped"))
        elif self._requested is Ending.PREEMPTED_FOR_GOOD:
            self._preempted(Ending.PREEMPTED_FOR_GOOD)
        else:
            self._end(AzureRunState.CANCELED)

    def _end(self, state: AzureRunState, error: Record | None = None) -> None:
        self._workspace.runs.advance(self._run_id, state, error=error)

    def _pause(self, duration_s: float) -> None:
        deadline = time.monotonic() + duration_s
        while self._requested is None and time.monotonic() < deadline:
            time.sleep(min(0.02, duration_s))


def _error(code: str, message: str) -> Record:
    return {"error": {"code": code, "message": message}}

"""Watches one run: a request for its status, and one for the new bytes of its log."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from ....engine.errors import BackendError
from ....engine.status import RunState, RunStatus
from ..reference import Reference
from ..rest import paths
from ..rest.answer import Answer, entries, part
from ..rest.client import MissingWorkspaceError, Service
from .download import address
from .queue import Waiting

LOG = "user_logs/std_log.txt"
"""What the service calls the log of a job; `_output_logs_pattern` in `azureml.core.script_run`."""

ATTEMPTS = "stoker_attempts"
"""The tag of a run that counts its attempts; it is written before the next one is submitted."""

ENDED_BY = "stoker_cancelled"
"""The tag of a run that says why stoker has cancelled it; it is written when the service has taken the request."""

_YOUNG_S, _OLD_POLL_S = 600.0, 10.0
_PREEMPTED = "preempt"
_ERROR = "error: "

STATES = {
    "NotStarted": (RunState.QUEUED, "Azure ML has the job"),
    "Starting": (RunState.QUEUED, "Azure ML has the job"),
    "Preparing": (RunState.QUEUED, "preparing the environment"),
    "Provisioning": (RunState.QUEUED, "starting a node"),
    "Queued": (RunState.QUEUED, "waiting for a node of the cluster"),
    "Unapproved": (RunState.QUEUED, "Azure ML calls it Unapproved"),
    "Pausing": (RunState.QUEUED, "Azure ML calls it Pausing"),
    "Paused": (RunState.QUEUED, "Azure ML calls it Paused"),
    "Running": (RunState.RUNNING, ""),
    "NotResponding": (RunState.RUNNING, "the node has sent no heartbeat for some minutes"),
    "CancelRequested": (RunState.FINALIZING, "being cancelled"),
    "Finalizing": (RunState.FINALIZING, "saving the outputs"),
    "Completed": (RunState.COMPLETED, ""),
    "Failed": (RunState.FAILED, ""),
    "Canceled": (RunState.CANCELLED, ""),
}
"""The states of Azure ML, with ours and a message for each.

`RunStatus` in `azureml._restclient.constants` lists them; `Run.get_status` in `azureml.core.run` says what they mean.
"""


class CloudRun:
    """One run, as its workspace knows it.

    Args:
        service: The workspace.
        reference: The run.
        poll_s: Seconds between two polls while the run is young.
        clock: Returns the time in seconds.

    Attributes:
        verified: The outputs of each attempt that were fetched and verified here: {path: "sha256:…"}.
    """

    def __init__(
        self, service: Service, reference: Reference, poll_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.service = service
        self.reference = reference
        self._poll_s = poll_s
        self._clock = clock
        self._since = clock()
        self._waiting = Waiting(service, reference.experiment, clock)
        self._newest: Answer | None = None
        self._identifiers: list[str] = []
        self._logs: dict[str, str] = {}
        self.verified: dict[str, Mapping[str, str]] = {}

    @property
    def poll_s(self) -> float:
        """Seconds until the next poll: more when the last attempt has been polled for ten minutes."""
        return self._poll_s if self._clock() - self._since < _YOUNG_S else max(self._poll_s, _OLD_POLL_S)

    def find(self, number: int = 1) -> Answer | None:
        """Returns the service's description of an attempt; None if there is no such attempt."""
        return self.service.get(paths.run(self.reference.attempt(number)))

    def attempts(self) -> list[Answer]:
        """Returns the service's description of each attempt, in order; [] if there is no such run."""
        first = self.find()
        if first is None:
            return []
        others = (self.find(number) for number in range(2, _attempts(first) + 1))
        runs = [first, *(run for run in others if run is not None)]
        self._newest = runs[-1]
        identifiers = [str(run["runId"]) for run in runs]
        if identifiers != self._identifiers:
            self._identifiers, self._since = identifiers, self._clock()
        return runs

    def newest(self) -> Answer:
        """Returns the service's description of the last attempt.

        Raises:
            BackendError: There is no such run.
        """
        runs = self.attempts()
        if not runs:
            raise BackendError(f"the workspace has no run {self.reference.run_id!r}", hint="was it deleted?")
        return runs[-1]

    def status(self) -> RunStatus:
        """Returns the status of the run, and what it waits for."""
        try:
            runs = self.attempts()
        except MissingWorkspaceError as error:
            return RunStatus(state=RunState.LOST, message=error.what)
        if not runs:
            return RunStatus(state=RunState.LOST, message=f"the workspace has no run {self.reference.run_id!r}")
        before = sum(1 + preemptions(run) for run in runs[:-1])
        status = status_of(runs[-1], attempt=before + 1 + preemptions(runs[-1]))
        if status.state is not RunState.QUEUED:
            return status
        return replace(status, message=": ".join(filter(None, (status.message, self._waiting.reason(runs[-1])))))

    @property
    def last_seen(self) -> Answer | None:
        """The service's description of the last attempt when it was last asked for; None before that."""
        return self._newest

    def tag(self, run_id: str, tags: Mapping[str, str]) -> None:
        """Adds tags to an attempt.

        Args:
            run_id: The attempt.
            tags: Their values by their names.

        Raises:
            BackendError: They can't be added.
        """
        address = self.service.address(paths.run_in(self.reference.experiment, run_id))
        self.service.ask("PATCH", address, json={"runId": run_id, "tags": dict(tags)})

    def log(self, offset: int) -> bytes:
        """Reads the log from an offset on, as it is now. The log of an attempt begins with those of the ones before."""
        runs = self._identifiers or [str(run["runId"]) for run in self.attempts()]
        for identifier in reversed(runs):
            piece = self._read(identifier, offset)
            if piece is not None:
                return piece
        return b""

    def follow(self, offset: int) -> Iterator[bytes]:
        """Yields the log from an offset on, piece by piece, until the run has ended."""
        while True:
            ended = self.status().state.ended  # asked first, so that the log read next is complete
            piece = self.log(offset)
            if piece:
                yield piece
            offset += len(piece)
            if ended:
                return
            time.sleep(self.poll_s)

    def _read(self, identifier: str, offset: int) -> bytes | None:
        """Reads the log of an attempt; None while it has none. An address that has expired is asked for again."""
        for _ in range(2):
            url = self._logs.get(identifier) or address(self.service, identifier, LOG)
            if not url:
                return None
            self._logs[identifier] = url
            piece = self.service.read_rest(url, offset)
            if piece is not None:
                return piece
            del self._logs[identifier]
        raise BackendError(
            f"the log of the run {identifier} can't be read", hint="may the account read the workspace's storage?"
        )


def status_of(run: Mapping[str, Any], attempt: int) -> RunStatus:
    """Translates the service's description of a run.

    Args:
        run: The description.
        attempt: Which attempt it is, from 1.
    """
    word = str(run.get("status"))
    state, message = STATES.get(word, (RunState.QUEUED, f"Azure ML calls it {word}"))
    error = part(part(run, "error"), "error")
    if state in {RunState.FAILED, RunState.CANCELLED} and error:
        message = _reason(str(error.get("message") or error.get("code") or ""))
    if state is RunState.CANCELLED:
        message = str(part(run, "tags").get(ENDED_BY) or message)
    return RunStatus(state=state, attempt=attempt, message=message)


def _attempts(run: Mapping[str, Any]) -> int:
    text = str(part(run, "tags").get(ATTEMPTS, "1"))
    return int(text) if text.isascii() and text.isdigit() else 1


def preemptions(run: Mapping[str, Any]) -> int:
    """Counts how often the service took the node away and restarted the run."""
    warnings = entries(run, "warnings")
    return sum(_PREEMPTED in str(warning.get("message")).lower() for warning in warnings)


def _reason(message: str) -> str:
    """Extracts from a message why a run failed: the program's own words, if they are there."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    own = [line.removeprefix(_ERROR) for line in lines if line.startswith(_ERROR)]
    return own[-1] if own else " ".join(lines[:2])

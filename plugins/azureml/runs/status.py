"""How a run is doing, and what it has written: one request for the status, one for the new bytes of the log."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from ....engine.errors import BackendError
from ....engine.status import RunState, RunStatus
from ..reference import Reference
from ..rest.client import MissingWorkspaceError, Service
from .queue import Waiting

LOG = "user_logs/std_log.txt"
"""What the service calls what a job writes."""

ATTEMPTS = "stoker_attempts"
"""The tag of a run that says how many attempts of it there are; it is written before another one is submitted."""

_STATES = {
    "Running": RunState.RUNNING,
    "NotResponding": RunState.RUNNING,
    "CancelRequested": RunState.FINALIZING,
    "Finalizing": RunState.FINALIZING,
    "Completed": RunState.COMPLETED,
    "Failed": RunState.FAILED,
    "Canceled": RunState.CANCELLED,
}
_WORDS = {
    "NotStarted": "Azure ML has the job",
    "Starting": "Azure ML has the job",
    "Preparing": "preparing the environment",
    "Provisioning": "starting a node",
    "Queued": "waiting for a node of the cluster",
    "NotResponding": "the node has not been heard of for some minutes",
    "CancelRequested": "being cancelled",
    "Finalizing": "saving the outputs",
}
_YOUNG_S, _OLD_POLL_S = 600.0, 10.0
_PREEMPTED = "preempt"
_ERROR = "error: "
_HISTORY, _ARTIFACTS = "history/v1.0", "artifact/v2.0"


class CloudRun:
    """Looks at one run.

    Args:
        service: Its workspace.
        reference: The run.
        poll_s: Seconds between two looks, as long as the run is young.
        clock: Tells the time in seconds.
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
        self._identifiers: list[str] = []
        self._logs: dict[str, str] = {}

    @property
    def poll_s(self) -> float:
        """Seconds until the next look: more when the last attempt has been looked at for ten minutes."""
        return self._poll_s if self._clock() - self._since < _YOUNG_S else max(self._poll_s, _OLD_POLL_S)

    def find(self, number: int = 1) -> dict[str, Any] | None:
        """What the service knows of an attempt; None if there is none."""
        return self.service.get(_HISTORY, f"/runs/{quote(self.reference.attempt(number), safe='')}")

    def attempts(self) -> list[dict[str, Any]]:
        """What the service knows of each attempt, in order; [] if there is no such run."""
        first = self.find()
        if first is None:
            return []
        others = (self.find(number) for number in range(2, _attempts(first) + 1))
        runs = [first, *(run for run in others if run is not None)]
        identifiers = [str(run["runId"]) for run in runs]
        if identifiers != self._identifiers:
            self._identifiers, self._since = identifiers, self._clock()
        return runs

    def newest(self) -> dict[str, Any]:
        """What the service knows of the last attempt.

        Raises:
            BackendError: There is no such run.
        """
        runs = self.attempts()
        if not runs:
            raise BackendError(f"the workspace knows no run {self.reference.run_id!r}", hint="was it deleted?")
        return runs[-1]

    def status(self) -> RunStatus:
        """How the run is doing."""
        try:
            runs = self.attempts()
        except MissingWorkspaceError as error:
            return RunStatus(state=RunState.LOST, message=error.what)
        if not runs:
            return RunStatus(state=RunState.LOST, message=f"the workspace knows no run {self.reference.run_id!r}")
        before = sum(1 + _preemptions(run) for run in runs[:-1])
        status = status_of(runs[-1], attempt=before + 1 + _preemptions(runs[-1]))
        if status.state is not RunState.QUEUED:
            return status
        return replace(status, message=": ".join(filter(None, (status.message, self._waiting.words(runs[-1])))))

    def log(self, offset: int) -> bytes:
        """The log from an offset on, as it is now; that of a further attempt begins with those before it."""
        runs = self._identifiers or [run["runId"] for run in self.attempts()]
        for identifier in reversed(runs):
            piece = self._read(identifier, offset)
            if piece is not None:
                return piece
        return b""

    def follow(self, offset: int) -> Iterator[bytes]:
        """The log from an offset on, until the run has ended."""
        while True:
            ended = self.status().state.ended  # before the log: what was written before the end is then in it
            piece = self.log(offset)
            if piece:
                yield piece
            offset += len(piece)
            if ended:
                return
            time.sleep(self.poll_s)

    def _read(self, identifier: str, offset: int) -> bytes | None:
        """The log of an attempt; None while it has none. An address that is of no use any more is asked for anew."""
        for _ in range(2):
            url = self._logs.get(identifier) or self._log_address(identifier)
            if not url:
                return None
            self._logs[identifier] = url
            piece = self.service.read(url, offset)
            if piece is not None:
                return piece
            del self._logs[identifier]
        raise BackendError(
            f"the log of the run {identifier} can't be read", hint="may the account read the workspace's storage?"
        )

    def _log_address(self, identifier: str) -> str:
        path = f"/artifacts/contentinfo/ExperimentRun/dcid.{quote(identifier, safe='')}/{LOG}"
        found = self.service.get(_ARTIFACTS, path)
        return str(found["contentUri"]) if found else ""


def status_of(run: Mapping[str, Any], attempt: int) -> RunStatus:
    """The status of a run as the service tells of it."""
    word = str(run.get("status"))
    state = _STATES.get(word, RunState.QUEUED)
    message = _WORDS.get(word, "" if word in _STATES else f"Azure ML calls it {word}")
    error = (run.get("error") or {}).get("error") or {}
    if state in {RunState.FAILED, RunState.CANCELLED} and error:
        message = _reason(str(error.get("message") or error.get("code") or ""))
    return RunStatus(state=state, attempt=attempt, message=message)


def _attempts(run: Mapping[str, Any]) -> int:
    text = str((run.get("tags") or {}).get(ATTEMPTS, "1"))
    return int(text) if text.isascii() and text.isdigit() else 1


def _preemptions(run: Mapping[str, Any]) -> int:
    """How often the service has taken the node away and started the run anew."""
    warnings = run.get("warnings") or ()
    return sum(_PREEMPTED in str(warning.get("message")).lower() for warning in warnings)


def _reason(message: str) -> str:
    """What a person wants to know of a failure: the program's own words, if they are there."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    own = [line.removeprefix(_ERROR) for line in lines if line.startswith(_ERROR)]
    return own[-1] if own else " ".join(lines[:2])

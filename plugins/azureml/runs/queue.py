"""What a run waits for: how far the image of its environment is, or which nodes its cluster has."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from ....engine.errors import BackendError
from ..cluster import provision
from ..rest.client import Service

BUILD_LOG = "azureml-logs/20_image_build_log.txt"
"""What the service calls the log of an image that it builds."""

_PERIOD_S = 15.0
_LONGEST, _KEPT_BYTES = 100, 2000
_COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


class Waiting:
    """Looks now and then at what one run waits for; what it has read of a log, it does not read again.

    Args:
        service: The workspace.
        experiment: What the run is of.
        clock: Tells the time in seconds.
    """

    def __init__(self, service: Service, experiment: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._service = service
        self._experiment = experiment
        self._clock = clock
        self._seen = self._words = self._url = ""
        self._again = 0.0
        self._read, self._tail = 0, b""

    def words(self, run: Mapping[str, Any]) -> str:
        """What there is to tell of a run that does not run yet; "" if nothing. One small request at most times.

        Args:
            run: What the service knows of it.
        """
        seen = f"{run['runId']} {run['status']}"
        if seen != self._seen:
            self._seen, self._again = seen, 0.0
            self._url, self._read, self._tail = "", 0, b""
        if self._clock() >= self._again:
            self._again = self._clock() + _PERIOD_S
            try:
                self._words = self._look(str(run["runId"]), str(run["status"]), str(run.get("target") or ""))
            except BackendError:  # the status is worth more than what is told beside it
                self._words, self._again = "", math.inf
        return self._words

    def _look(self, run_id: str, status: str, cluster: str) -> str:
        if status == "Preparing":
            return self._last_line(run_id)
        if status == "Queued" and cluster:
            return provision.nodes((provision.find(self._service, cluster) or {}).get("properties") or {})
        return ""

    def _last_line(self, run_id: str) -> str:
        """The last line of the log of the image."""
        self._url = self._url or self._address(run_id)
        piece = self._service.read(self._url, self._read) if self._url else b""
        if piece is None:  # the address has run out
            self._url = ""
        else:
            self._read += len(piece)
            self._tail = (self._tail + piece)[-_KEPT_BYTES:]
        lines = _COLOURS.sub("", self._tail.decode(errors="replace")).splitlines()
        last = next((line.strip() for line in reversed(lines) if line.strip()), "")
        return last if len(last) <= _LONGEST else f"{last[:_LONGEST]}…"

    def _address(self, run_id: str) -> str:
        path = f"/experiments/{quote(self._experiment, safe='')}/runs/{quote(run_id, safe='')}/details"
        found = self._service.get("history/v1.0", path) or {}
        return str((found.get("logFiles") or {}).get(BUILD_LOG) or "")

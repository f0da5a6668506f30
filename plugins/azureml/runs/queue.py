"""Finds out what a run waits for: the image of its environment, or a node of its cluster."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Mapping
from typing import Any

from ....engine.errors import BackendError
from ..cluster import provision
from ..rest import paths
from ..rest.answer import part
from ..rest.client import Service

BUILD_LOG = "azureml-logs/20_image_build_log.txt"
"""What the service calls the log of an image that it builds. The SDK doesn't name it; it is one of the logs whose names
`_output_logs_pattern` in `azureml.core.script_run` matches, and so the SDK shows it."""

_PERIOD_S = 15.0
_LONGEST, _KEPT_BYTES = 100, 2000
_COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


class Waiting:
    """Describes what one run waits for, with a request every 15 seconds. No byte of a log is read twice.

    Args:
        service: The workspace.
        experiment: The experiment of the run.
        clock: Returns the time in seconds.
    """

    def __init__(self, service: Service, experiment: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._service = service
        self._experiment = experiment
        self._clock = clock
        self._seen = self._reason = self._url = ""
        self._next_s = 0.0
        self._read, self._tail = 0, b""

    def reason(self, run: Mapping[str, Any]) -> str:
        """Describes what a run waits for; "" if nothing is known.

        Args:
            run: The service's description of the run.
        """
        seen = f"{run['runId']} {run['status']}"
        if seen != self._seen:
            self._seen, self._next_s = seen, 0.0
            self._url, self._read, self._tail = "", 0, b""
        if self._clock() >= self._next_s:
            self._next_s = self._clock() + _PERIOD_S
            try:
                self._reason = self._ask(str(run["runId"]), str(run["status"]), str(run.get("target") or ""))
            except BackendError:  # the status matters more than this addition to it
                self._reason, self._next_s = "", math.inf
        return self._reason

    def _ask(self, run_id: str, status: str, cluster: str) -> str:
        if status == "Preparing":
            return self._last_line(run_id)
        if status == "Queued" and cluster:
            found = provision.find(self._service, cluster)
            return provision.why_no_node(cluster, found) or provision.nodes(part(found or {}, "properties"))
        return ""

    def _last_line(self, run_id: str) -> str:
        """Returns the last line of the image's build log."""
        self._url = self._url or self._address(run_id)
        piece = self._service.read_rest(self._url, self._read) if self._url else b""
        if piece is None:  # the signature of the address has expired
            self._url = ""
        else:
            self._read += len(piece)
            self._tail = (self._tail + piece)[-_KEPT_BYTES:]
        lines = _COLOURS.sub("", self._tail.decode(errors="replace")).splitlines()
        last = next((line.strip() for line in reversed(lines) if line.strip()), "")
        return last if len(last) <= _LONGEST else f"{last[:_LONGEST]}…"

    def _address(self, run_id: str) -> str:
        found: Mapping[str, Any] = self._service.get(paths.run_details(self._experiment, run_id)) or {}
        return str(part(found, "logFiles").get(BUILD_LOG) or "")

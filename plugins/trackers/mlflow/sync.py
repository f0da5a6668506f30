"""Keeps an MLflow run in step with the folder of a run, beside the training."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ....engine.errors import StokerError
from ....engine.job import TrainJob
from ....engine.rundir import RunDirectory
from .run import MlflowRun
from .uri import bare, hidden
from .worker import BackgroundWorker

PAUSE_S = 2.0
"""The least time between two looks at the folder: epochs may be short and runs long."""

LIMIT_S = 300.0
"""How long the end of a run may wait for MLflow: long enough to upload a large model."""

CANCEL_LIMIT_S = 5.0
"""The same for a cancelled run, whose process has ten seconds before it is killed."""


class MlflowSync:
    """The MLflow run of one run that trains in this process.

    Attributes:
        run: The folder of the run.
    """

    def __init__(self, job: TrainJob, run_dir: Path) -> None:
        self.run = RunDirectory(run_dir)
        self._target = MlflowRun(job, self.run)
        self._worker = BackgroundWorker()
        self._complained = False
        self._last_s = float("-inf")

    def sync(self) -> None:
        """Sends what is new, unless that was done just now; returns at once.

        Raises:
            StokerError: It failed before; raised once.
        """
        failure = self._worker.failure
        if time.monotonic() - self._last_s > PAUSE_S:
            self._last_s = time.monotonic()
            self._worker.start(self._target.bring)
        if failure and not self._complained:
            self._complained = True
            why = self._reason(failure)
            raise StokerError(f"{why}; the training continues, and stoker retries after each epoch")

    def end(self, status: str, time_s: float) -> None:
        """Sends everything that is left and how the run has ended.

        Args:
            status: What MLflow calls it: "FINISHED", "FAILED" or "KILLED".
            time_s: When, in seconds since 1970.

        Raises:
            StokerError: It failed; raised once.
        """
        limit_s = CANCEL_LIMIT_S if status == "KILLED" else LIMIT_S
        try:
            self._worker.finish(lambda: self._target.end(status, time_s), limit_s)
        except Exception as failure:
            if self._complained:
                return
            raise StokerError(f"{self._reason(failure)}; not everything of this run is in MLflow") from failure
        print(f"MLflow: {self._target.where}")

    def register(self, name: str) -> Mapping[str, Any]:
        """Registers the finished model; returns the name and the version.

        Raises:
            StokerError: It failed.
        """
        versions: list[str] = []
        try:
            self._worker.finish(lambda: versions.append(self._target.register(name)), LIMIT_S)
        except Exception as failure:
            raise StokerError(f"{self._reason(failure)}; the model is not registered in MLflow") from failure
        print(f"registered in MLflow: {name} version {versions[0]}")
        return {"name": name, "version": versions[0]}

    def _reason(self, failure: BaseException) -> str:
        """Returns what went wrong, in one line: the innermost cause, because MLflow wraps it several times."""
        cause = failure
        while inner := cause.__cause__ or cause.__context__:
            cause = inner
        text = f"{type(cause).__name__}: {cause}".partition("\n")[0][:300]
        where = f"MLflow at {bare(self._target.uri)}" if self._target.uri else "MLflow"
        return f"{where}: {hidden(text, self._target.uri)}"

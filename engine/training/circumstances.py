"""Under what circumstances a run trains, kept for the record and for a resume, which must find the same."""

from __future__ import annotations

from typing import Any

from ..data import Dataset
from ..errors import CheckpointError
from ..job import TrainJob
from ..rundir import RunDirectory
from . import environment
from .execution_mode import ExecutionMode, choose_mode


class Circumstances:
    """The `environment.json` of a run."""

    def __init__(self, run: RunDirectory) -> None:
        self._run = run
        self._now: dict[str, Any] = {}

    def note(self, job: TrainJob, dataset: Dataset, tf: Any, *, resumed: bool) -> None:
        """Notes what the bits of this run depend on; the way in which its first attempt ran stays.

        Raises:
            CheckpointError: It has changed since the checkpoint, and nobody has allowed that.
        """
        before = self._run.environment() or {}
        self._now = environment.describe(job.seed, {"name": dataset.name, "sources": dict(dataset.sources)}, tf)
        changed = environment.drift(before, self._now) if resumed and before else []
        if changed and not job.allow_drift:
            raise CheckpointError(
                "this run can't go on bit for bit: not all is as it was",
                received="; ".join(changed),
                hint="pass --allow-drift to go on all the same",
            )
        for change in changed:
            print(f"note: the last bits may differ from those of a run in one piece: {change}")
        self._now |= {name: before[name] for name in ("execution_mode", "execution_mode_reason") if name in before}
        self._run.write_environment(self._now)

    def mode(self, model: Any, tf: Any) -> ExecutionMode:
        """The way in which the epochs run: as at the first attempt, else as the model asks for."""
        if "execution_mode" not in self._now:
            self.note_mode(*choose_mode(model, tf.distribute.get_strategy().num_replicas_in_sync))
        return ExecutionMode(self._now["execution_mode"])

    def note_mode(self, mode: ExecutionMode, reason: str) -> None:
        """Notes how the epochs run from now on, and says why if that is not the usual way."""
        self._now |= {"execution_mode": str(mode), "execution_mode_reason": reason}
        self._run.write_environment(self._now)
        if reason:
            print(f"note: epochs run as {mode}: {reason}", flush=True)

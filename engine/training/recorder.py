"""Records what happens in a run, for its folder and for observers, up to how it ended."""

from __future__ import annotations

import sys

from ..errors import StorageError
from ..event import EventKind, RunEvent
from ..job import TrainJob
from ..plugin.plugins import Plugins
from ..rundir import RunDirectory
from ..status import RunState
from .checkpoint import Checkpoints
from .heartbeat import Heartbeat


class RunRecorder:
    """Records the events of one attempt of a run.

    Attributes:
        checkpoints: Those of the run; `durable` says when one is on the disk.
    """

    def __init__(self, run: RunDirectory, job: TrainJob, plugins: Plugins, heartbeat: Heartbeat) -> None:
        """Writes nothing yet.

        Args:
            run: The folder of the run.
            job: Its job.
            plugins: The observers.
            heartbeat: Writes the status of the run.
        """
        self.checkpoints = Checkpoints(run.checkpoints)
        self._run, self._job, self._plugins, self._heartbeat = run, job, plugins, heartbeat

    def event(self, kind: EventKind, **data: object) -> None:
        """Appends an event to `events.jsonl` and passes it to the observers.

        Args:
            kind: What happened.
            data: More about it, JSON values.

        Raises:
            StorageError: It can't be written.
        """
        event = RunEvent(kind=kind, run_id=self._run.run_id, data=data)
        self._run.append_event(event)
        self._plugins.notify(event, self._job, self._run.path)

    def durable(self) -> None:
        """Waits until the checkpoint that is being written is on the disk, and records that it is.

        Raises:
            StorageError: It could not be written.
        """
        epoch = self.checkpoints.wait()
        if epoch is not None:
            self.event(EventKind.CHECKPOINTED, epoch=epoch)

    def end(self, state: RunState, kind: EventKind, message: str = "") -> None:
        """Records how the run ended, after all else that there is to write.

        Args:
            state: Its last state.
            kind: The event of that.
            message: Why, for a run that failed.

        Raises:
            StorageError: It can't be written; a checkpoint that can't be is only named in the log.
        """
        try:
            self.durable()
        except StorageError as error:
            print(f"error: {error}")
        self.event(kind, message=message)
        sys.stdout.flush()
        sys.stderr.flush()
        self._heartbeat.set(state, message)

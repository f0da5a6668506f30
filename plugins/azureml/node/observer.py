"""On the node: sends figures and the picture to the run of the service, and keeps the record beside the checkpoints.

The training knows nothing of it: this is a plugin that the package's entry script adds to the job.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

from ....engine import files
from ....engine.event import EventKind, RunEvent
from ....engine.hookspecs import hookimpl
from ....engine.metrics import epoch_names, is_final, is_training
from ....engine.rundir import RunDirectory
from ..sdk.sdk import message_of
from .run import FILES_FOR_NEXT_ATTEMPT, KEPT

PICTURE = "Accuracy vs Loss"
"""What the tutorial calls the picture."""

_PICTURE_FILE = "accuracy-vs-loss.png"
"""Without blanks: the SDK quotes them twice on the way."""


@hookimpl
def stoker_run_event(event: RunEvent, run_dir: Path) -> None:
    """Sends what is new."""
    sender = _sender()
    if event.kind is EventKind.EPOCH:
        _keep_record(run_dir)
        if sender:
            sender.epoch(int(event.data["epoch"]), event.data["metrics"])
    if event.kind.end_state:
        _keep_record(run_dir)
        if sender:
            sender.end(RunDirectory(run_dir), finished=event.kind is EventKind.FINISHED)


class Sender:
    """Sends to a run of the service, in a thread of its own: what is lost on the way costs a line in the log.

    Args:
        run: An `azureml.core.Run`.
    """

    def __init__(self, run: Any) -> None:
        self._run = run
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="stoker-azureml")
        self._said = ""

    def epoch(self, epoch: int, metrics: Mapping[str, float]) -> None:
        """Sends the figures of an epoch, but for those of the training examples, under the tutorial's names."""
        self._later(epoch_names({name: value for name, value in metrics.items() if not is_training(name)}), step=epoch)

    def end(self, run: RunDirectory, *, finished: bool) -> None:
        """Sends the final figures and the picture of a run that finished, and returns when all has been sent."""
        figures = {line["name"]: line["value"] for line in run.metrics() if is_final(line["name"])}
        last = self._later(figures if finished else {}, step=None)
        if finished:
            last = self._thread.submit(self._guarded, self._send_picture, run.plots / f"{PICTURE}.png")
        last.result()

    def _later(self, figures: Mapping[str, float], step: int | None) -> Future[None]:
        return self._thread.submit(self._guarded, self._send, figures, step)

    def _send(self, figures: Mapping[str, float], step: int | None) -> None:
        for name, value in figures.items():
            self._run.log(name, value, step=step)
        self._run.flush()

    def _send_picture(self, path: Path) -> None:
        """Sends the picture, from a folder of which the service keeps nothing by itself: no name can clash."""
        if path.is_file():
            shutil.copyfile(path, _PICTURE_FILE)
            self._run.log_image(PICTURE, path=_PICTURE_FILE)
            self._run.flush()

    def _guarded(self, send: Any, *arguments: Any) -> None:
        try:
            send(*arguments)
        except Exception as error:  # noqa: BLE001 - the SDK raises what it likes; the training continues
            reason = message_of(error)
            if reason != self._said:  # once, and not after each epoch; again when there is another reason
                self._said = reason
                sys.stderr.write(f"note: Azure ML did not get a figure: {reason}\n")


@cache
def _sender() -> Sender | None:
    """The sender of this process; None outside of the service."""
    if "AZUREML_RUN_ID" not in os.environ:
        return None
    from azureml.core import Run

    return Sender(Run.get_context(allow_offline=False))


def _keep_record(run_dir: Path) -> None:
    """Copies the record of the run to where the next attempt finds it; each file appears whole."""
    target = os.environ.get(KEPT)
    for name in FILES_FOR_NEXT_ATTEMPT if target else ():
        path = run_dir / name
        if path.is_file():
            files.write_bytes(Path(str(target)) / name, path.read_bytes(), durable=False)

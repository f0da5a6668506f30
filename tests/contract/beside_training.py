"""A plugin that runs the payloads of the conformance suite beside a training, in a callback."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from stoker.engine.errors import RunError
from stoker.engine.hookspecs import hookimpl
from stoker.engine.job import TrainJob
from stoker.engine.testing.backend import payloads


@hookimpl
def stoker_callbacks(job: TrainJob, run_dir: Path) -> Iterable[Any]:
    """Offers the callback."""
    import keras

    class Payload(keras.callbacks.Callback):  # type: ignore[misc]
        def on_train_begin(self, logs: Any = None) -> None:
            say(f"{payloads.STARTED}{os.getpid()}")
            if job.options.get("payload_tally"):
                with Path(str(job.options["payload_tally"])).open("a") as stream:
                    stream.write(f"{os.getpid()}\n")
            act(job, run_dir)

    return [Payload()]


def act(job: TrainJob, run_dir: Path) -> None:
    """Does what the payload of a job does, except for what the training does."""
    payload = job.options[payloads.OPTION]
    if payload == "fail":
        raise RunError(payloads.FAILURE)
    if payload == "environment":
        say("\n".join(f"{payloads.VARIABLE}{name}" for name in os.environ))
    if payload == "hostile":
        write_hostile(run_dir / "outputs")
    if payload != "write":
        say("\n".join(payloads.lines()))
        return
    for line in payloads.lines(count=int(job.options["payload_lines"] or 0)):
        say(line)
        time.sleep(0.01)


def write_hostile(outputs: Path) -> None:
    """Writes the outputs with strange names, and the links."""
    for name, content in payloads.hostile_outputs().items():
        (outputs / name).parent.mkdir(parents=True, exist_ok=True)
        (outputs / name).write_bytes(content)
    for name, target in payloads.LINKS.items():
        (outputs / name).parent.mkdir(exist_ok=True)
        (outputs / name).symlink_to(target)


def say(text: str) -> None:
    """Writes into the log, in UTF-8."""
    os.write(1, f"{text}\n".encode())

"""Payloads that jobs of the conformance suite run in place of a training: they write what a training writes, at once.

Status, events and outputs go through the same code as those of a training. What a payload writes is known beforehand,
so that the suite can check whether a backend brought all of it back.
"""

from __future__ import annotations

import os
import secrets
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ...errors import RunError, StokerError
from ...event import EventKind
from ...job import TrainJob
from ...plugin.plugins import Plugins
from ...rundir import RunDirectory
from ...status import Progress, RunState
from ...training.heartbeat import Heartbeat
from ...training.recorder import RunRecorder

OPTION = "payload"
"""The option of a job that names its payload; further options begin with `payload_`."""
PLUGIN = "stoker.engine.testing.backend.payload_plugin"
"""The plugin that such a job names in `TrainJob.plugins`."""
FAILURE = "the payload fails, as it was asked to"
"""The message of a run that failed."""
STARTED = "payload started "
"""How the first line of each start begins; a token follows that no other start has."""
VARIABLE = "variable "
"""How the lines of the payload `environment` begin; the name of a variable follows."""
OUTPUT = "model/model.keras"
"""The output that has the job's option `payload_content` in it."""
WAIT_S = 300.0
"""How long a payload waits to be stopped, so that none runs forever if nothing can be cancelled."""
_TEXT = "größe 模型 🙂 e\u0301"

WriteLine = Callable[[str], None]
"""Writes a line into the log of the run."""


def perform(job: TrainJob, run: RunDirectory, stop: threading.Event, say: WriteLine | None = None) -> RunState:
    """Runs the payload that a job asks for, from the first status to the last.

    Args:
        job: The job.
        run: The folder of the run.
        stop: Set to end it early; the run is then cancelled.
        say: Writes a line into the log; None takes stdout.

    Returns:
        How it ended.
    """
    with Heartbeat(run) as heartbeat:
        recorder = RunRecorder(run, job, Plugins(), heartbeat)  # no observers: the backend alone is tried
        payload = _Payload(job=job, run=run, stop=stop, heartbeat=heartbeat, recorder=recorder, say=say or _to_stdout)
        try:
            payload.begin()
            _PAYLOADS[str(job.options[OPTION])](payload)
        except _Stopped:
            recorder.end(RunState.CANCELLED, EventKind.CANCELLED)
        except StokerError as error:
            payload.say(f"error: {error}")
            recorder.end(RunState.FAILED, EventKind.FAILED, error.what)
        else:
            recorder.end(RunState.COMPLETED, EventKind.FINISHED)
        return heartbeat.status.state


class _Stopped(Exception):  # noqa: N818 - it is no error
    """The payload was asked to stop."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Payload:
    """One execution of a payload."""

    job: TrainJob
    run: RunDirectory
    stop: threading.Event
    heartbeat: Heartbeat
    recorder: RunRecorder
    say: WriteLine

    @property
    def attempt(self) -> int:
        """Which attempt of the run this is, counted from 1."""
        return self.heartbeat.status.attempt

    def begin(self) -> None:
        """Announces itself in the log, and in the tally if that is on this machine."""
        token = secrets.token_hex(4)
        tally = Path(str(self.job.options.get("payload_tally") or "no/such/folder"))
        if tally.parent.is_dir():
            with tally.open("a", encoding="utf-8") as stream:
                stream.write(f"{token}\n")
        self.heartbeat.progress(Progress(epoch=1, epochs=1, step=0, steps=1))
        self.heartbeat.set(RunState.RUNNING)
        self.recorder.event(EventKind.STARTED, attempt=self.attempt, epochs_done=0)
        self.say(f"{STARTED}{token}")

    def pause(self, seconds: float) -> None:
        """Waits, unless it is asked to stop.

        Raises:
            _Stopped: It was asked to stop.
        """
        if self.stop.wait(seconds):
            raise _Stopped

    def write_outputs(self, outputs: Mapping[str, bytes]) -> None:
        """Writes the outputs of the run."""
        self.heartbeat.set(RunState.FINALIZING)
        for name, content in outputs.items():
            path = self.run.outputs / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


def lines(attempt: int = 1, count: int = 20) -> list[str]:
    """Returns the lines that an attempt of the payloads `succeed` and `write` has in its log, one after the other."""
    return [f"line {number:04} of attempt {attempt}: {_TEXT}" for number in range(1, count + 1)]


def outputs(content: str = "a model") -> dict[str, bytes]:
    """Returns the outputs of the payload `succeed`: {name: content}."""
    return {
        OUTPUT: content.encode(),
        "model/MANIFEST.json": b"{}\n",
        "plots/Accuracy vs Loss.png": bytes(range(256)) * 64,
        "notes.txt": _TEXT.encode(),
    }


def hostile_outputs() -> dict[str, bytes]:
    """Returns the files with strange names among the outputs of the payload `hostile`: {name: content}."""
    names = (
        "with space",
        "new\nline",
        "-leading-dash",
        "größe-模型-e\u0301",
        "x" * 200,
        "Case.txt",
        "case.txt",
        "quo'te\";$HOME",
        "..two dots",
        "/".join(["deep"] * 24),
    )
    return {name: f"in {name}".encode() for name in names} | {"empty": b""}


LINKS = {"link out": "/etc/passwd", "link up": "../../..", "folder/link": "/etc", "dangling": "/no/such/file"}
"""The links among the outputs of the payload `hostile`: {name: where it leads}."""


def _succeed(payload: _Payload) -> None:
    for line in lines(payload.attempt):
        payload.say(line)
    payload.write_outputs(outputs(str(payload.job.options.get("payload_content", "a model"))))


def _fail(payload: _Payload) -> None:
    payload.write_outputs({"partial.txt": b"as far as it came"})
    raise RunError(FAILURE)


def _wait(payload: _Payload) -> None:
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        payload.pause(0.05)
    _succeed(payload)


def _write(payload: _Payload) -> None:
    for line in lines(payload.attempt, count=int(payload.job.options["payload_lines"] or 0)):
        payload.say(line)
        payload.pause(0.01)


def _wait_once(payload: _Payload) -> None:
    if payload.attempt == 1:
        payload.say("line before it was preempted")
        _wait(payload)
    else:
        _succeed(payload)


def _hostile(payload: _Payload) -> None:
    payload.write_outputs({OUTPUT: b"a model", **hostile_outputs()})
    (payload.run.outputs / "empty folder").mkdir()
    for name, target in LINKS.items():
        (payload.run.outputs / name).parent.mkdir(exist_ok=True)
        (payload.run.outputs / name).symlink_to(target)


def _environment(payload: _Payload) -> None:
    for name in sorted(os.environ):
        payload.say(f"{VARIABLE}{name}")
    _succeed(payload)


_PAYLOADS: dict[str, Callable[[_Payload], None]] = {
    "succeed": _succeed,
    "fail": _fail,
    "wait": _wait,
    "wait-once": _wait_once,
    "write": _write,
    "hostile": _hostile,
    "environment": _environment,
}


def _to_stdout(line: str) -> None:
    sys.stdout.buffer.write(line.encode() + b"\n")  # in UTF-8, whatever the machine's locale is
    sys.stdout.buffer.flush()

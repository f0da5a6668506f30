"""How a run looks on a terminal: as plain lines, as JSON lines, as a live dashboard (`live.py`), or not at all."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TextIO

from ....engine import strict_json
from ....engine.errors import UnknownNameError
from ....engine.metrics import EpochReport
from ....engine.status import RunState, RunStatus
from ....engine.terminal.text import visible

MODES = ("live", "plain", "json", "quiet")
"""The modes that `open_display` takes."""

PATIENCE_S = 2.0
"""How long a run may wait without a reason before a plain display says so; a local run never waits that long."""

Exact = Callable[[EpochReport], Mapping[str, float]]

_WAITING = {RunState.QUEUED, RunState.PREPARING}


class Display(Protocol):
    """Shows one run to the person or program that watches it; all calls come from one thread."""

    def line(self, text: str) -> None:
        """Receives one complete line of the run's log, without its newline."""

    def status(self, status: RunStatus) -> None:
        """Receives what the backend knows now, about ten times a second."""

    def close(self) -> None:
        """Ends the display and leaves the terminal in order; a second call does nothing."""


def display_mode(*, quiet: bool, json: bool, stream: TextIO) -> str:
    """Chooses the mode that the user asked for; "live" needs a terminal that moves its cursor and knows UTF-8."""
    if quiet:
        return "quiet"
    if json:
        return "json"
    able = os.environ.get("TERM", "").lower() not in {"dumb", "unknown"}
    return "live" if stream.isatty() and able and _encoding(stream).startswith("utf") else "plain"


def open_display(
    mode: str,
    title: str,
    stream: TextIO,
    *,
    clock: Callable[[], float] = time.monotonic,
    exact: Exact = lambda report: {},
) -> Display:
    """Opens a display. Close it in a `finally`, or a live one leaves the cursor hidden.

    Args:
        mode: One of `MODES`.
        title: The name of the run, for a person.
        stream: Where to write.
        clock: Returns the time in seconds.
        exact: Returns the figures of an epoch as they were before the log rounded them, as far as they are known.

    Raises:
        UnknownNameError: There is no such mode.
    """
    if mode == "live":
        from .live import open_live

        return open_live(title, stream, clock)
    if mode == "plain":
        return PlainDisplay(stream, clock)
    if mode == "json":
        return JsonDisplay(stream, exact)
    if mode == "quiet":
        return QuietDisplay()
    raise UnknownNameError("display", mode, MODES)


class QuietDisplay:
    """Shows nothing."""

    def line(self, text: str) -> None:
        """Drops the line."""

    def status(self, status: RunStatus) -> None:
        """Drops the status."""

    def close(self) -> None:
        """Does nothing."""


class PlainDisplay:
    """Writes the log as it is, and a line when a run waits or starts again; flushes each line.

    Raises `BrokenPipeError` if the reader goes away, so that the caller can end quietly.
    """

    def __init__(self, stream: TextIO, clock: Callable[[], float]) -> None:
        self._stream = stream
        self._clock = clock
        self._attempt = 1
        self._state: RunState | None = None
        self._since = 0.0
        self._said = ""

    def line(self, text: str) -> None:
        """Writes the line; a character that the stream's encoding lacks becomes its escape."""
        if self._stream.isatty():
            text = visible(text)
        encoding = _encoding(self._stream)
        self._stream.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")
        self._stream.flush()

    def status(self, status: RunStatus) -> None:
        """Writes a line about a new attempt, or about a run that waits and why."""
        if status.attempt > self._attempt:
            self._attempt = status.attempt
            self.line(f"started again, attempt {status.attempt}")
        if status.state != self._state:
            self._state, self._since, self._said = status.state, self._clock(), ""
        text = ": ".join(filter(None, (status.state, " ".join(status.message.split()))))
        known = bool(status.message) or self._clock() - self._since >= PATIENCE_S
        if status.state in _WAITING and known and text != self._said:
            self._said = text
            self.line(visible(text))

    def close(self) -> None:
        """Does nothing: each line is out already."""


class JsonDisplay:
    """Writes one JSON object per line, with the `kind` "line", "epoch" or "status"; see `engine.strict_json`."""

    def __init__(self, stream: TextIO, exact: Exact) -> None:
        self._stream = stream
        self._exact = exact
        self._last: Mapping[str, Any] = {}

    def line(self, text: str) -> None:
        """Writes the figures of an epoch, or the text of any other line."""
        report = EpochReport.parse(text)
        if report is None:
            self._write({"kind": "line", "text": text})
            return
        self._write(
            {
                "kind": "epoch",
                "epoch": report.epoch,
                "epochs": report.epochs,
                "metrics": {**report.metrics, **self._exact(report)},
                "seconds": report.seconds,
            }
        )

    def status(self, status: RunStatus) -> None:
        """Writes state, attempt and message when one of them changed."""
        value = {
            "kind": "status",
            "state": str(status.state),
            "attempt": status.attempt,
            "message": status.message,
        }
        if value != self._last:
            self._last = value
            self._write(value)

    def close(self) -> None:
        """Does nothing: each line is out already."""

    def _write(self, value: Mapping[str, Any]) -> None:
        self._stream.write(strict_json.dumps(value) + "\n")
        self._stream.flush()


def _encoding(stream: TextIO) -> str:
    """Returns the encoding of a stream; one without an encoding takes any text."""
    return (getattr(stream, "encoding", None) or "utf-8").lower()

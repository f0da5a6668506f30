"""An observer that tells you when a run has ended: by your desktop, a command of your own, the bell of a terminal.

`stoker -p examples/notify.py train --detach`

It runs where the run trains, which has no terminal of its own, so environment variables say what it should use:
NOTIFY_COMMAND, a command that is given one more argument, the message; NOTIFY_TERMINAL, a terminal to ring and write
on (`export NOTIFY_TERMINAL=$(tty)`). Without them it takes `notify-send` or `osascript`, and without those it is quiet.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import subprocess

from stoker.engine.event import EventKind, RunEvent
from stoker.engine.hookspecs import hookimpl

ENDS = (EventKind.FINISHED, EventKind.FAILED, EventKind.CANCELLED)
_MACOS = ("on run argv", 'display notification (item 1 of argv) with title "stoker"', "end run")


@hookimpl
def stoker_run_event(event: RunEvent) -> None:
    """Tells the end of a run."""
    if event.kind not in ENDS:
        return
    message = " ".join(f"{event.run_id} {event.kind}: {event.data.get('message', '')}".split()).removesuffix(":")
    if command := _command():
        subprocess.run([*command, message], check=False, timeout=5, stdin=subprocess.DEVNULL)
    if terminal := os.environ.get("NOTIFY_TERMINAL"):
        _write(terminal, f"\a\r{message}\n")


def _command() -> list[str]:
    """The words of the command to run; none if there is no such command."""
    if own := os.environ.get("NOTIFY_COMMAND"):
        return shlex.split(own)
    if shutil.which("notify-send"):
        return ["notify-send", "stoker"]
    if shutil.which("osascript"):
        return ["osascript", *(word for line in _MACOS for word in ("-e", line))]
    return []


def _write(terminal: str, text: str) -> None:
    """Writes on a terminal, which must not become this process' own; one that is closed is none."""
    with contextlib.suppress(OSError):
        descriptor = os.open(terminal, os.O_WRONLY | os.O_NOCTTY)
        try:
            os.write(descriptor, text.encode())
        finally:
            os.close(descriptor)

"""An observer that notifies you when a run has ended: on your desktop, by your own command, or by a terminal's bell.

`stoker -p examples/notify.py train --detach`

It runs in the training process, which has no terminal, so environment variables say what to use. NOTIFY_COMMAND is a
command that gets the message as one more argument. NOTIFY_TERMINAL is a terminal to ring and write on
(`export NOTIFY_TERMINAL=$(tty)`). Without them it uses `notify-send` or `osascript`, and without those it is quiet.
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
    """Notifies you about the end of a run."""
    if event.kind not in ENDS:
        return
    message = " ".join(f"{event.run_id} {event.kind}: {event.data.get('message', '')}".split()).removesuffix(":")
    if command := _command():
        subprocess.run([*command, message], check=False, timeout=5, stdin=subprocess.DEVNULL)
    if terminal := os.environ.get("NOTIFY_TERMINAL"):
        _write(terminal, f"\a\r{message}\n")


def _command() -> list[str]:
    """Returns the words of the command to run; none if there is no such command."""
    if own := os.environ.get("NOTIFY_COMMAND"):
        return shlex.split(own)
    if shutil.which("notify-send"):
        return ["notify-send", "stoker"]
    if shutil.which("osascript"):
        return ["osascript", *(word for line in _MACOS for word in ("-e", line))]
    return []


def _write(terminal: str, text: str) -> None:
    """Writes on a terminal, which must not become this process' own; a closed one is ignored."""
    with contextlib.suppress(OSError):
        descriptor = os.open(terminal, os.O_WRONLY | os.O_NOCTTY)
        try:
            os.write(descriptor, text.encode())
        finally:
            os.close(descriptor)

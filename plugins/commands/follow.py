"""Follows a run on the terminal until it ends or the user leaves; shared by `train` and `runs attach`."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any

from ...engine.backend import Backend
from ...engine.rundir import RunDirectory
from ...engine.status import RunState, RunStatus

if TYPE_CHECKING:
    from ...engine.metrics import EpochReport


class Terminated(BaseException):
    """SIGTERM arrived. Like KeyboardInterrupt, it passes by every `except Exception`."""


_ENDED = {
    RunState.FAILED: "has failed",
    RunState.CANCELLED: "was cancelled",
    RunState.LOST: "is lost",
}
"""How a run ended if it did not complete."""


def add_display_options(group: Any) -> None:
    """Adds `--quiet` and `--json`."""
    group.add_argument("--quiet", action="store_true", help="show nothing but errors")
    group.add_argument("--json", action="store_true", help="one JSON object a line instead of text")


def follow(run: RunDirectory, backend: Backend, options: argparse.Namespace, offset: int = 0) -> int:
    """Shows a run until it ends.

    Ctrl-C asks whether to leave the run or to cancel it. Without a terminal to ask at, it cancels, as SIGTERM does.

    Args:
        run: The run; it has a handle.
        backend: The backend of the run.
        options: The options of `add_display_options`.
        offset: Where in the log to begin, in bytes.

    Returns:
        0 if it completed or was left running, 1 if it failed, 130 or 143 if it was cancelled from here.
    """
    try:
        with _raising_terminated():
            status = _show(run, backend, options, offset)
    except KeyboardInterrupt:
        if _wants_to_leave(run):
            print(f"\nthe run continues; watch it with: stoker runs attach {run.run_id}")
            return 0
        return _cancel(run, backend, signal.SIGINT)
    except Terminated:
        return _cancel(run, backend, signal.SIGTERM)
    return _conclude(run, backend, status, options)


def _cancel(run: RunDirectory, backend: Backend, number: signal.Signals) -> int:
    """Cancels the run because of a signal; returns the exit code."""
    print(f"\ncancelling {run.run_id} …", file=sys.stderr)
    backend.cancel(run.handle())
    print(f"cancelled; resume it with: stoker train --resume {run.run_id}", file=sys.stderr)
    return 128 + number


def _show(run: RunDirectory, backend: Backend, options: argparse.Namespace, offset: int) -> RunStatus:
    from ...engine.runs.launch import watch
    from .display.display import display_mode, open_display

    mode = display_mode(quiet=options.quiet, json=options.json, stream=sys.stdout)
    display = open_display(mode, run.run_id, sys.stdout, exact=lambda report: _exact(run, report))
    status = RunStatus(state=RunState.QUEUED)
    try:
        for lines, status in watch(backend, run.handle(), offset):
            for line in lines:
                display.line(line)
            display.status(status)
    finally:
        display.close()
    return status


def _exact(run: RunDirectory, report: EpochReport) -> dict[str, float]:
    """Returns the figures of an epoch from the run's folder; {} while they are elsewhere."""
    from ...engine.metrics import epoch_name

    written = {line["name"]: line["value"] for line in run.metrics() if line["epoch"] == report.epoch}
    return {name: written[epoch_name(name)] for name in report.metrics if epoch_name(name) in written}


def _conclude(run: RunDirectory, backend: Backend, status: RunStatus, options: argparse.Namespace) -> int:
    """Reports how a run ended and what to do next; returns the exit code."""
    if status.state is RunState.COMPLETED:
        if not backend.runs_here:
            _collect(run, backend, options)
        _warn_of_nan(run)
        if not options.quiet and not options.json:
            print(f"next: stoker runs show {run.run_id}")
        return 0
    why = f": {status.message}" if status.message else ""
    print(f"error: the run {run.run_id} {_ENDED[status.state]}{why}", file=sys.stderr)
    print(
        f"hint: stoker runs logs {run.run_id}, or resume it with: stoker train --resume {run.run_id}", file=sys.stderr
    )
    return 1


def _warn_of_nan(run: RunDirectory) -> None:
    """Says, even with `--quiet`, that a run which completed has no model to be glad of."""
    from ...engine.metrics import not_finite_losses

    summary = run.summary()
    for name, value in not_finite_losses(summary.metrics).items() if summary else ():
        print(f"warning: the run {run.run_id} has completed, but its {name.lower()} is {value}", file=sys.stderr)


def _collect(run: RunDirectory, backend: Backend, options: argparse.Namespace) -> None:
    """Fetches what a run has made elsewhere, unless that was done before."""
    from ...engine.runs.collect import collect_results

    if run.summary():
        return
    versions = collect_results(run, backend)
    if not options.quiet and not options.json:
        print(f"fetched: {run.outputs}")
        for version in versions:
            print(f"registered: {version.name} version {version.version} ({version.location})")


def _wants_to_leave(run: RunDirectory) -> bool:
    """Asks at a terminal whether to leave the run; a second Ctrl-C cancels it."""
    from ...engine.terminal.prompt import can_ask

    if not can_ask():
        return False
    print(f"\n{run.run_id} is still running.", file=sys.stderr)
    while True:
        try:
            print("[d]etach and let it run, or [c]ancel it? ", end="", file=sys.stderr, flush=True)
            answer = sys.stdin.readline()
        except KeyboardInterrupt:
            return False
        if not answer or answer.strip().lower() in {"d", "detach"}:
            return True
        if answer.strip().lower() in {"c", "cancel"}:
            return False


@contextmanager
def _raising_terminated() -> Iterator[None]:
    """Raises `Terminated` in the body when SIGTERM arrives."""

    def terminate(number: int, frame: FrameType | None) -> None:
        raise Terminated

    before = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)

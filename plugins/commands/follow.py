"""Follows a run on the terminal until it ends or the user leaves; shared by `train` and `runs attach`."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from types import FrameType
from typing import TYPE_CHECKING, Any

from ...engine.backend import Backend, ReportingBackend
from ...engine.errors import BackendError, StokerError, UnreachableError
from ...engine.registry import NOT_REGISTERED
from ...engine.rundir import RunDirectory
from ...engine.status import RunState, RunStatus
from ...engine.terminal.text import visible

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
_REFUSALS = 5
"""How often in a row a look may fail for a reason that waiting hardly changes; with the pauses between, a minute."""
_LAST_LOOK_S = 3.0
"""How long the last look at a run may take when the user has interrupted its cancellation."""
_LAST = 40
"""Lines at the end of a log among which the error is found that ended the run."""


@dataclass(slots=True)
class _Seen:
    """What the user has seen of a run.

    Attributes:
        status: The last status.
        epochs: Whether an epoch has finished.
        last: The last lines of the log, as far as they were shown as text.
    """

    status: RunStatus = field(default_factory=lambda: RunStatus(state=RunState.QUEUED))
    epochs: bool = False
    last: deque[str] = field(default_factory=lambda: deque(maxlen=_LAST))

    def has(self, message: str) -> bool:
        """Returns whether the log has the message."""
        return any(line.endswith(message) for line in self.last)  # "error: …", or the name of an exception in front


def add_display_options(group: Any) -> None:
    """Adds `--quiet` and `--json`."""
    group.add_argument("--quiet", action="store_true", help="show nothing but errors")
    group.add_argument("--json", action="store_true", help="one JSON object a line instead of text")


def quieten(backend: Backend, options: argparse.Namespace) -> None:
    """Drops what a backend reports, for `--quiet`."""
    if options.quiet and isinstance(backend, ReportingBackend):
        backend.report = _drop


def _drop(line: str) -> None:
    """Drops a line."""


def follow(run: RunDirectory, backend: Backend, options: argparse.Namespace, offset: int = 0) -> int:
    """Shows a run until it ends.

    Ctrl-C asks whether to leave the run or to cancel it. Without a terminal to ask at, it cancels, as SIGTERM does. One
    more while it cancels leaves the run, and says what becomes of it.

    Args:
        run: The run; it has a handle.
        backend: The backend of the run.
        options: The options of `add_display_options`.
        offset: Where in the log to begin, in bytes.

    Returns:
        0 if it completed or was left running, 1 if it failed, 130 or 143 if it was cancelled from here.
    """
    quieten(backend, options)
    try:
        with _raising_terminated():
            return _followed(run, backend, options, offset)
    except KeyboardInterrupt:
        return _give_up(run, backend, signal.SIGINT)
    except Terminated:
        return _give_up(run, backend, signal.SIGTERM)


def _followed(run: RunDirectory, backend: Backend, options: argparse.Namespace, offset: int) -> int:
    """Shows a run until it ends, or cancels it at the first signal; returns the exit code."""
    seen = _Seen()
    try:
        _show(run, backend, options, offset, seen)
    except KeyboardInterrupt:
        if _wants_to_leave(run):
            print(f"\nthe run continues; watch it with: {run.command('runs', 'attach')}")
            return 0
        return _cancel(run, backend, signal.SIGINT, seen)
    except Terminated:
        return _cancel(run, backend, signal.SIGTERM, seen)
    except BackendError as error:
        watch, end = run.command("runs", "attach"), run.command("runs", "cancel")
        _add_hint(error, backend, f"the run goes on: watch it with `{watch}`, or end it with `{end}`")
        raise
    return _conclude(run, backend, options, seen)


def _cancel(run: RunDirectory, backend: Backend, number: signal.Signals, seen: _Seen) -> int:
    """Cancels the run because of a signal; returns the exit code."""
    from ...engine.runs.collect import note_end

    print(f"\ncancelling {run.run_id} …", file=sys.stderr)
    backend.cancel(run.handle())
    with suppress(BackendError):  # it has ended, whether that can be seen at once or not
        note_end(run, backend, backend.status(run.handle()))
    helps = _has_checkpoint(run, backend, seen)
    then = f"resume it with: {run.command('train', '--resume')}" if helps else "no epoch had finished"
    print(f"cancelled; {then}", file=sys.stderr)
    return 128 + number


def _give_up(run: RunDirectory, backend: Backend, number: signal.Signals) -> int:
    """Leaves the run because of a second signal, and says whether it goes on; returns the exit code."""
    for each in (signal.SIGINT, signal.SIGTERM):  # a third one would end the process before it reports
        signal.signal(each, signal.SIG_IGN)
    status = _look(run, backend)
    watch, end = run.command("runs", "attach"), run.command("runs", "cancel")
    if status is None:
        what = f"it is unknown whether the run goes on; watch it with `{watch}`, or cancel it with `{end}`"
    elif status.state.ended:
        what = f"the run has ended; see how with `{watch}`"
    elif backend.runs_here or status.state is RunState.FINALIZING:
        what = f"the run is about to end; watch it with `{watch}`, or cancel it again with `{end}`"
    else:
        what = f"the run goes on, as far as can be seen; watch it with `{watch}`, or cancel it with `{end}`"
    print(what, file=sys.stderr, flush=True)
    return 128 + number


def _look(run: RunDirectory, backend: Backend) -> RunStatus | None:
    """Returns the status of a run for somebody who won't wait; None if there is none at once."""
    found: list[RunStatus] = []

    def look() -> None:
        with suppress(StokerError):
            found.append(backend.status(run.handle()))

    thread = threading.Thread(target=look, daemon=True, name="stoker-last-look")
    thread.start()
    thread.join(_LAST_LOOK_S)
    return found[0] if found else None


def _show(run: RunDirectory, backend: Backend, options: argparse.Namespace, offset: int, seen: _Seen) -> None:
    from ...engine.metrics import EpochReport
    from ...engine.runs.launch import watch
    from .display.display import display_mode, open_display

    mode = display_mode(quiet=options.quiet, json=options.json, stream=sys.stdout)
    # Where the log goes to a file and errors to a terminal, whoever sits there sees the error only if it is repeated.
    as_text = mode in {"live", "plain"} and (sys.stdout.isatty() or not sys.stderr.isatty())
    display = open_display(mode, run.run_id, sys.stdout, exact=_Figures(run))
    trouble = _Trouble(quiet=options.quiet)
    try:
        on_trouble = None if backend.runs_here else trouble.begins
        for lines, seen.status in watch(backend, run.handle(), offset, on_trouble=on_trouble):
            trouble.ends()
            for line in lines:
                display.line(line)
            seen.epochs = seen.epochs or any(map(EpochReport.parse, lines))
            if as_text:
                seen.last.extend(lines)
            display.status(seen.status)
    finally:
        display.close()


class _Trouble:
    """Says when a run elsewhere can't be looked at, and when it can again. The run itself goes on meanwhile."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._since = ""
        self._refusals = 0

    def begins(self, error: BackendError) -> None:
        """Says what is wrong, once.

        Raises:
            BackendError: It is not a matter of waiting.
        """
        self._refusals += not isinstance(error, UnreachableError)
        if self._refusals >= _REFUSALS:
            raise error
        if not self._since and not self._quiet:
            self._since = time.strftime("%H:%M")
            what = f"{error.what}; trying again since {self._since}, and the run goes on"
            print(visible(f"warning: {what}"), file=sys.stderr)

    def ends(self) -> None:
        """Says that all is well again, if it was not."""
        if self._since:
            print(f"warning: the run can be seen again, as it could not since {self._since}", file=sys.stderr)
        self._since, self._refusals = "", 0


class _Figures:
    """The figures of a run as its folder has them; reads on where it was, for a run may have thousands of epochs."""

    def __init__(self, run: RunDirectory) -> None:
        self._run = run
        self._offset = 0
        self._found: dict[int, dict[str, float]] = {}

    def __call__(self, report: EpochReport) -> dict[str, float]:
        """Returns the figures of an epoch, by Keras' names; {} while they are elsewhere."""
        from ...engine.metrics import epoch_name

        lines, self._offset = self._run.metrics_after(self._offset)
        for line in lines:
            self._found.setdefault(line["epoch"], {})[line["name"]] = line["value"]
        written = self._found.get(report.epoch, {})
        self._found = {epoch: figures for epoch, figures in self._found.items() if epoch > report.epoch}
        return {name: written[epoch_name(name)] for name in report.metrics if epoch_name(name) in written}


def _conclude(run: RunDirectory, backend: Backend, options: argparse.Namespace, seen: _Seen) -> int:
    """Reports how a run ended and what to do next; returns the exit code."""
    from ...engine.runs.collect import note_end

    status = seen.status
    note_end(run, backend, status)
    if status.state is RunState.COMPLETED:
        if not backend.runs_here:
            try:
                _collect(run, backend, options)
            except BackendError as error:
                _add_hint(error, backend, f"the run has completed: fetch it with `{run.command('runs', 'attach')}`")
                raise
        _warn_of_nan(run)
        if not options.quiet and not options.json:
            print(f"next: {run.command('runs', 'show')}")
        return 0
    why = f": {status.message}" if status.message and not seen.has(status.message) else ""
    print(visible(f"error: the run {run.run_id} {_ENDED[status.state]}{why}"), file=sys.stderr)
    # A run that has failed before it finished an epoch would only fail again.
    helps = (seen.epochs or status.state is not RunState.FAILED) and _has_checkpoint(run, backend, seen)
    helps = helps and not status.message.startswith(NOT_REGISTERED)  # the hint in the log says what would
    resume = f", or resume it with: {run.command('train', '--resume')}" if helps else ""
    print(visible(f"hint: {run.command('runs', 'logs')}{resume}"), file=sys.stderr)
    return 1


def _add_hint(error: BackendError, backend: Backend, hint: str) -> None:
    """Adds to an error what holds of a run elsewhere, whatever has gone wrong here."""
    if not backend.runs_here:
        error.hint = "; ".join(filter(None, (error.hint, hint)))


def _warn_of_nan(run: RunDirectory) -> None:
    """Says, even with `--quiet`, that a run which completed has no model to be glad of."""
    summary = run.summary()
    if summary and summary.not_finite:
        print(f"warning: the run {run.run_id} has completed, but {summary.not_finite}", file=sys.stderr)


def _has_checkpoint(run: RunDirectory, backend: Backend, seen: _Seen) -> bool:
    """Returns whether a resume has something to continue from; of a run elsewhere, its epochs tell."""
    if not backend.runs_here:
        progress = seen.status.progress
        return seen.epochs or (progress is not None and progress.epoch > 1)
    from ...engine.training.checkpoint import Checkpoints

    return Checkpoints(run.checkpoints).latest(run.run_id) is not None


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

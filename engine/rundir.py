"""The folder of a run: its layout. No other code knows the names of its files."""

from __future__ import annotations

import calendar
import contextlib
import json
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from . import files, strict_json
from .backend import BackendChoice
from .command import command_line
from .errors import InputError, RunError, StokerError
from .event import EventKind, RunEvent
from .job import TrainJob
from .process import ProcessIdentity
from .status import Handle, RunStatus
from .summary import RunSummary

__all__ = ["RunDirectory", "StatusRecord", "new_run_id"]

_T = TypeVar("_T")
_FIGURE = {"epoch", "name", "value", "time_s"}
_WRONG = (KeyError, TypeError, ValueError, OverflowError, AttributeError)
"""What the reader of a record raises when its fields are of other types."""

_STAMP = "%Y%m%d-%H%M%S"
_HANDLE, _CHOICE, _NOTES, _TRAINED = "handle.json", "backend.json", "notes.json", "trained.json"
_METRICS, _ENVIRONMENT, _SUMMARY, _REPORT = "metrics.jsonl", "environment.json", "summary.json", "report.html"
_NEXT_JOB = re.compile(r"job-([1-9]\d*)\.json", re.ASCII)
_STAMPED = re.compile(r"(\d{8}-\d{6})-.+")


def new_run_id(title: str, now_s: float | None = None, token: str = "") -> str:
    """Returns a run id that sorts by time and is unique: `20261124-062634-mnist-dnn-3fa9c1` (UTC)."""
    stamp = time.strftime(_STAMP, time.gmtime(now_s))
    return f"{stamp}-{title}-{token or os.urandom(3).hex()}"


@dataclass(frozen=True, kw_only=True, slots=True)
class StatusRecord:
    """What a run's `status.json` holds.

    Attributes:
        status: The status that the run wrote last.
        process: The process that trains; None if none has said so.
        host: The machine of that process, by its name; "" if none has said so.
        heartbeat_s: When it was written, in seconds since 1970.
    """

    status: RunStatus
    process: ProcessIdentity | None = None
    host: str = ""
    heartbeat_s: float = 0.0


@dataclass(frozen=True, slots=True)
class RunDirectory:
    """The folder of one run.

    Attributes:
        path: The folder.

    Example:
        >>> run = RunDirectory.create(folder / "runs", TrainJob(name="digits"))
        >>> run.job().name
        'digits'
        >>> run.append_metrics(1, {"Loss": 0.5}, time_s=1_700_000_000.0)
        >>> [(line["epoch"], line["name"], line["value"]) for line in run.metrics()]
        [(1, 'Loss', 0.5)]
    """

    FETCHED_RECORD: ClassVar[tuple[str, ...]] = (_METRICS, _ENVIRONMENT, _TRAINED, _REPORT, _SUMMARY)
    """The files that `RecordingBackend.fetch_record` brings back to this machine."""

    path: Path

    @property
    def run_id(self) -> str:
        """The id of the run: the folder's name."""
        return self.path.name

    def command(self, *words: str) -> str:
        """Returns a command about this run, for a message: `command("runs", "show")`."""
        return command_line(*words, self.run_id, runs_dir=self.path.parent)

    @property
    def log(self) -> Path:
        """The file with the output of the run, stdout and stderr."""
        return self.path / "log.txt"

    @property
    def lock(self) -> Path:
        """The lock file, which the process that trains holds for as long as it lives.

        Whoever starts that process takes the lock first (`locks.lock`) and hands the open file on (`pass_fds`).
        """
        return self.path / ".lock"

    @property
    def outputs(self) -> Path:
        """The folder of what the run made for the user."""
        return self.path / "outputs"

    @property
    def model(self) -> Path:
        """The folder of the finished model."""
        return self.outputs / "model"

    @property
    def plots(self) -> Path:
        """The folder of the pictures."""
        return self.outputs / "plots"

    @property
    def report(self) -> Path:
        """The page that describes the run."""
        return self.path / _REPORT

    @property
    def checkpoints(self) -> Path:
        """The folder of the checkpoints."""
        return self.path / "checkpoints"

    @classmethod
    def create(
        cls, root: Path, job: TrainJob, run_id: str | None = None, *, now_s: float | None = None
    ) -> RunDirectory:
        """Creates the folder of a new run below `root`, with its `job.json`.

        Args:
            root: Where runs are kept.
            job: What to train.
            run_id: The id of the run; None makes one that sorts after those of all runs below `root`, even if the
                clock went back since, and even within a second.
            now_s: What the clock says, in seconds since 1970; None asks it.

        Raises:
            StorageError: It can't be created; nothing is left of it.
        """
        fresh = not root.exists()
        files.make_folder(root)
        with files.storage_errors(root):
            moment_s = _after(root, time.time() if now_s is None else now_s)
        run = cls(root.resolve() / (run_id or new_run_id(job.title, moment_s)))
        with files.storage_errors(run.path):
            run.path.mkdir()
        try:
            with files.storage_errors(run.log):
                run.log.touch()
            files.write_json(run.path / "job.json", job.to_json())  # last: with it, the run is there for others
        except StokerError:
            run.remove()
            if fresh:
                root.rmdir()
            raise
        return run

    def write_notes(self, notes: Iterable[str]) -> None:
        """Writes `notes.json`: what the check of the data at the submission has to say to the user."""
        files.write_json(self.path / _NOTES, {"notes": list(notes)})

    def notes(self) -> list[str]:
        """Returns what `write_notes` wrote; [] if there was nothing to say."""
        return self._parsed(_NOTES, lambda value: [str(note) for note in list(value["notes"])]) or []

    def remove(self) -> None:
        """Removes the run and everything that it made."""
        files.remove_tree(self.path)

    def job(self) -> TrainJob:
        """Returns the job of this run, as its newest attempt has it.

        Raises:
            RunError: Its file is missing or unreadable.
        """
        return TrainJob.from_json(self._read(self._jobs()[-1]))

    def write_next_job(self, job: TrainJob) -> Path:
        """Writes the job of the next attempt, beside the earlier ones: `job-2.json`; returns the path of the file."""
        path = self.path / f"job-{len(self._jobs()) + 1}.json"
        files.write_json(path, job.to_json())
        return path

    def replace_job(self, job: TrainJob) -> None:
        """Replaces the job of the newest attempt, by the one that it really runs."""
        files.write_json(self.path / self._jobs()[-1], job.to_json())

    def write_backend_choice(self, choice: BackendChoice) -> None:
        """Writes `backend.json`: where the run is submitted, and with which options of that backend."""
        files.write_json(self.path / _CHOICE, choice.to_json())

    def backend_choice(self) -> BackendChoice | None:
        """Returns what `write_backend_choice` wrote; None if it was never written.

        Raises:
            RunError: The file is damaged.
        """
        return self._parsed(_CHOICE, BackendChoice.from_json)

    def write_handle(self, handle: Handle) -> None:
        """Writes `handle.json`; from now on any process can find the run again."""
        files.write_json(self.path / _HANDLE, {"handle": str(handle), "folder": str(self.path.resolve())})

    def handle(self) -> Handle:
        """Returns the handle of the run.

        Where that leads to the folder of the run, it leads to this one, which may have been moved or copied since.

        Raises:
            RunError: There is none: the submission did not come to its end; or the file is damaged.
        """
        if not self.has_handle():
            again = self.command("train", "--resume")
            hint = f"submit it again, which finds the run if there is one: {again}"
            raise RunError(f"it is not known whether the run {self.run_id} was submitted", hint=hint, path=self.path)
        try:
            handle = Handle.parse(str(self._read(_HANDLE).get("handle")))
        except InputError as error:
            path = self.path / _HANDLE
            raise RunError(
                f"{path} can't be read", received=error.received, expected=error.expected, path=path
            ) from error
        was = self._read(_HANDLE).get("folder")
        gone = not os.path.exists(handle.reference)  # noqa: PTH110 - Path.exists raises for a private folder, a long name
        if was is None and gone and handle.reference.rpartition("/")[2] == self.run_id:
            was = handle.reference
        return replace(handle, reference=str(self.path.resolve())) if handle.reference == was else handle

    def refuse_copy(self) -> None:
        """Refuses to change a run elsewhere from a copy of its folder, while the folder itself is there.

        Raises:
            RunError: This folder is such a copy.
        """
        own, original = str(self.path.resolve()), self._read(_HANDLE).get("folder")
        if own in {original, self.handle().reference}:  # the copy of a local run is a separate run
            return
        if isinstance(original, str) and os.path.isdir(original):  # noqa: PTH112 - as above
            what = f"{self.path} is a copy of the folder of the run, which only the original may change"
            raise RunError(what, hint=f"do it in {original}", path=self.path)

    def has_handle(self) -> bool:
        """Returns whether the run is known to be submitted."""
        return (self.path / _HANDLE).is_file()

    def write_status(
        self, status: RunStatus, *, durable: bool = True, process: ProcessIdentity | None = None, host: str = ""
    ) -> None:
        """Writes `status.json`.

        Args:
            status: The status.
            durable: False for the heartbeat, which is worth nothing after a power loss.
            process: The process that trains; None while there is none.
            host: The machine of that process; "" while there is none.
        """
        known = (process.to_json() if process else {}) | ({"host": host} if host else {})
        value = {**status.to_json(), "heartbeat_s": time.time(), **known}
        files.write_json(self.path / "status.json", value, durable=durable)

    def status_record(self) -> StatusRecord | None:
        """Returns what `write_status` wrote last; None before the first time."""
        try:
            value = self._read("status.json")
            return StatusRecord(
                status=RunStatus.from_json(value),
                process=ProcessIdentity.from_json(value),
                host=str(value.get("host", "")),
                heartbeat_s=float(value.get("heartbeat_s", 0.0)),
            )
        except (RunError, *_WRONG):
            return None

    def append_event(self, event: RunEvent) -> None:
        """Appends one event to `events.jsonl`."""
        files.append_line(self.path / "events.jsonl", strict_json.dumps(event.to_json()))

    def events(self) -> Iterator[RunEvent]:
        """Yields the events so far; leaves out a line that a crash has cut short."""
        for value in self._lines("events.jsonl"):
            with contextlib.suppress(*_WRONG):
                yield RunEvent.from_json(value)

    def end_by_events(self) -> RunStatus | None:
        """Returns how the run has ended, as its last event tells; None if that tells of no end."""
        events = list(self.events())
        state = events[-1].kind.end_state if events else None
        if state is None:
            return None
        attempt = max(1, sum(event.kind is EventKind.SUBMITTED for event in events))
        return RunStatus(state=state, attempt=attempt, message=str(events[-1].data.get("message", "")))

    def append_end(self, status: RunStatus) -> None:
        """Appends the event of an end that was seen of a run elsewhere, so that nobody has to ask for it again.

        Args:
            status: A status; nothing is appended if the run goes on, is lost, or has its end among its events.
        """
        kind = next((kind for kind in EventKind if kind.end_state is status.state), None)
        if kind and self.end_by_events() is None:
            self.append_event(RunEvent(kind=kind, run_id=self.run_id, data={"message": status.message}))

    def append_metrics(self, epoch: int, metrics: Mapping[str, float], time_s: float) -> None:
        """Appends figures to `metrics.jsonl`, one line each: {epoch, name, value, time_s}."""
        lines = [
            strict_json.dumps({"epoch": epoch, "name": name, "value": value, "time_s": round(time_s, 3)})
            for name, value in metrics.items()
        ]
        files.append_line(self.path / _METRICS, "\n".join(lines))

    def metrics(self) -> Iterator[dict[str, Any]]:
        """Yields the lines of `metrics.jsonl`: {epoch, name, value, time_s}, `time_s` from the start of the run.

        Raises:
            RunError: The file can't be read, or a field of a line is of another type.
        """
        for line in self._lines(_METRICS):
            if line.keys() >= _FIGURE:
                yield _figure(line, self.path / _METRICS)

    def metrics_after(self, offset: int) -> tuple[list[dict[str, Any]], int]:
        """Returns the lines of `metrics.jsonl` from a place on, and where the next ones will begin, in bytes.

        A file that has become shorter, because a resume has truncated it, is read from its beginning.

        Raises:
            RunError: As `metrics`.
        """
        path = self.path / _METRICS
        with contextlib.suppress(OSError):
            offset = 0 if path.stat().st_size < offset else offset
        content = self._content(_METRICS, offset)
        whole = content[: content.rfind(b"\n") + 1]
        return [_figure(line, path) for line in _values(whole) if line.keys() >= _FIGURE], offset + len(whole)

    def truncate_metrics(self, epochs: int) -> None:
        """Removes what a resumed run writes again: figures of epochs after `epochs`, the final ones, the summary."""
        from .metrics import is_final

        lines = (line for line in self.metrics() if line["epoch"] <= epochs and not is_final(line["name"]))
        kept = [strict_json.dumps(line) for line in lines]
        files.write_bytes(self.path / _METRICS, "".join(f"{line}\n" for line in kept).encode())
        (self.path / _SUMMARY).unlink(missing_ok=True)

    def write_environment(self, environment: Mapping[str, Any]) -> None:
        """Writes `environment.json`: versions, device, seed, threads, the state of the source."""
        files.write_json(self.path / _ENVIRONMENT, environment)

    def environment(self) -> Mapping[str, Any] | None:
        """Returns what `write_environment` wrote; None before the training has come that far."""
        return self._optional(_ENVIRONMENT)

    def write_model_facts(self, facts: Mapping[str, Any]) -> None:
        """Writes `trained.json`: the model as it is trained; see `engine.training.model_facts`."""
        files.write_json(self.path / _TRAINED, facts)

    def model_facts(self) -> Mapping[str, Any] | None:
        """Returns what `write_model_facts` wrote; None before the training has come that far.

        Raises:
            RunError: The file is damaged.
        """
        return self._parsed(_TRAINED, _model_facts)

    def write_summary(self, summary: RunSummary) -> None:
        """Writes `summary.json`: the final figures and where the model is."""
        files.write_json(self.path / _SUMMARY, summary.to_json())

    def summary(self) -> RunSummary | None:
        """Returns what `write_summary` wrote; None while the run has not finished, or if the file is damaged."""
        try:
            return RunSummary.from_json(self._read(_SUMMARY))
        except (RunError, *_WRONG):
            return None

    def take_record(self, folder: Path) -> RunSummary | None:
        """Copies what `RecordingBackend.fetch_record` has fetched into this folder, but for the summary.

        A summary marks a run as finished, so whoever collects the run writes it last.

        Args:
            folder: Where the record was fetched to.

        Returns:
            The summary in the record; None if there is none, or if it is damaged.

        Raises:
            StorageError: Something can't be written.
        """
        for name in self.FETCHED_RECORD:
            if name != _SUMMARY and (folder / name).is_file():
                files.write_bytes(self.path / name, (folder / name).read_bytes())
        return RunDirectory(folder).summary()

    def files_for_trackers(self) -> list[Path]:
        """Returns the files that a tracker such as MLflow keeps a copy of, as far as they exist.

        They say what was trained, in which environment, and how well.
        """
        paths = [self.path / name for name in (*self._jobs(), _TRAINED, _ENVIRONMENT, _SUMMARY)]
        return [path for path in paths if path.is_file()]

    def _jobs(self) -> list[str]:
        """The names of the job's files, oldest first."""
        numbers = (_NEXT_JOB.fullmatch(path.name) for path in self.path.glob("job-*.json"))
        return ["job.json", *(f"job-{number}.json" for number in sorted(int(match[1]) for match in numbers if match))]

    def _optional(self, name: str) -> dict[str, Any] | None:
        try:
            return self._read(name)
        except RunError:
            return None

    def _parsed(self, name: str, parse: Callable[[dict[str, Any]], _T]) -> _T | None:
        """Returns the value of a record; None if it was never written.

        Raises:
            RunError: The file is damaged.
        """
        path = self.path / name
        if not path.exists():
            return None
        try:
            return parse(self._read(name))
        except _WRONG as error:
            field = f"the field {error}" if isinstance(error, KeyError) else str(error)
            raise RunError(f"{path} can't be read", received=f"{type(error).__name__}: {field}", path=path) from error

    def _read(self, name: str) -> dict[str, Any]:
        path = self.path / name
        try:
            value = strict_json.loads(files.read_plain(path).decode())
        except FileNotFoundError as error:
            raise RunError(f"the run {self.run_id} has no {name}", hint="was it ever submitted?", path=path) from error
        except (OSError, ValueError, RecursionError) as error:
            raise RunError(f"{path} can't be read", received=str(error), path=path) from error
        if not isinstance(value, dict):
            raise RunError(f"{path} can't be read", received=type(value).__name__, expected="a JSON object", path=path)
        return value

    def _lines(self, name: str) -> Iterator[dict[str, Any]]:
        yield from _values(self._content(name))

    def _content(self, name: str, offset: int = 0) -> bytes:
        """Returns what a file holds from a place on; nothing if it is not there."""
        path = self.path / name
        try:
            return files.read_plain(path, offset)
        except FileNotFoundError:
            return b""
        except OSError as error:
            raise RunError(f"{path} can't be read", received=error.strerror, path=path) from error


def _values(content: bytes) -> Iterator[dict[str, Any]]:
    """Yields the JSON objects in some lines; what follows the last newline is being written, or was torn."""
    for line in content.decode(errors="replace").split("\n")[:-1]:
        with contextlib.suppress(ValueError, RecursionError):
            value = strict_json.loads(line)
            if isinstance(value, dict):
                yield value


def _model_facts(value: dict[str, Any]) -> dict[str, Any]:
    """Checks the fields of a model that are shown of it; see `engine.training.model_facts`."""
    own, count = dict(value["optimizers"]), dict(value["parameters"])
    optimizer = value["optimizer"] if value["optimizer"] is None else dict(value["optimizer"])
    counts = {name: int(count[name]) for name in ("trainable", "not_trainable")}
    return {**value, "loss": value["loss"], "optimizer": optimizer, "optimizers": own, "parameters": counts}


def _figure(line: dict[str, Any], path: Path) -> dict[str, Any]:
    """Checks the types of a figure's line."""
    types: dict[str, tuple[type, ...]] = {
        "epoch": (int,),
        "name": (str,),
        "value": (int, float),
        "time_s": (int, float),
    }
    for name, allowed in types.items():
        if type(line[name]) not in allowed:
            received = f"{name} is {json.dumps(line[name])[:80]}"
            raise RunError(f"{path} has a line that is no figure", received=received, path=path)
    return line


def _after(root: Path, now_s: float) -> float:
    """`now_s`, or the second after the newest run below `root` if that is later."""
    stamped = [(match[1], path) for path in root.iterdir() if (match := _STAMPED.fullmatch(path.name))]
    for stamp, path in sorted(stamped, reverse=True):
        if not os.path.isfile(path / "job.json"):  # noqa: PTH113 - Path.is_file raises for a private folder
            continue
        with contextlib.suppress(ValueError, OverflowError):  # 20261399-…: somebody's own folder
            return max(now_s, calendar.timegm(time.strptime(stamp, _STAMP)) + 1.0)
    return now_s

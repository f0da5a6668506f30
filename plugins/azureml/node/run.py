"""What the node starts: runs the package's job, with the data and the checkpoints where the service has mounted them.

It lies at the top of the package and needs nothing but Python. The job runs in a process of its own, as it does on any
machine; its outputs end up in `outputs`, where the service keeps them.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Any

ROOT = Path(__file__).resolve().parent
OUTPUTS = ROOT / "outputs"
RECORD = OUTPUTS / "run"
"""Where the record of the run ends up: its figures, events, environment and report."""

STATUS = "status.json"
FILES_FOR_NEXT_ATTEMPT = ("metrics.jsonl", "events.jsonl", "environment.json", STATUS)
"""From node to node: what the next attempt needs if this node is lost. After each epoch, `observer.py` puts these files
beside the checkpoints; the next attempt copies them into its run's folder when it starts."""

FILES_FOR_SERVICE = ("job.json", *FILES_FOR_NEXT_ATTEMPT, "trained.json", "summary.json", "report.html")
"""From the node to the service: when the training has ended, the node copies these files into `RECORD`, from where the
client fetches those of `RunDirectory.FETCHED_RECORD`. They are named by hand, because this file runs before stoker is
unpacked; a test holds them against a real run's folder."""

GATHERED_S = 0.2
"""How long what is written is gathered: each piece of the log costs the mount some requests."""

OBSERVER = "stoker.plugins.azureml.node.observer"
JOB_OPTIONS = "--job-options"
"""The word after which options of the job follow; the last value of each counts, so that a search may add some."""

KEPT = "STOKER_NODE_RECORD"
"""The environment variable that tells the observer where to put the record."""


def main(words: list[str]) -> int:
    """Runs the job; the exit code is the training process'."""
    options, job_options = _options(words)
    shutil.unpack_archive(ROOT / "stoker.zip", ROOT)
    run = ROOT / "runs" / options.run_id
    run.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(_module_path()), "PYTHONUNBUFFERED": "1"}
    record = None
    if options.checkpoints:
        record = _resume(run, Path(options.checkpoints).resolve())
        environment[KEPT] = str(record)
    (run / "job.json").write_text(json.dumps(_job(options), indent=2), encoding="utf-8")
    code = _train(run, job_options, environment, Log(record))
    _collect(run)
    return code


def _options(words: list[str]) -> tuple[argparse.Namespace, list[str]]:
    """The options of this script, and those of the job, which stoker checks.

    The first `--job-options` parts them, so that this script takes nothing of the job for its own: a plugin may have
    an option `--checkpoints`, or a value may be `--run-id`.
    """
    own = words[: words.index(JOB_OPTIONS)] if JOB_OPTIONS in words else words
    description = f"Runs the job of this package. After {JOB_OPTIONS} come options of the job, as --name value."
    parser = argparse.ArgumentParser(description=description, allow_abbrev=False)
    parser.add_argument("--run-id", required=True, help="the run; the same one for each attempt")
    parser.add_argument("--data-folder", default="", help="where the data are mounted")
    parser.add_argument("--checkpoints", default="", help="where checkpoints outlive this node")
    return parser.parse_args(own), _joined(words[len(own) + 1 :])


def _joined(words: list[str]) -> list[str]:
    """Joins names and values, `--name=value`: stoker would take a value like `-p` or `--debug` for its own option."""
    rest, joined = iter(words), []
    for word in rest:
        value = None if "=" in word else next(rest, None)
        joined.append(word if value is None else f"{word}={value}")
    return joined


def _job(options: argparse.Namespace) -> dict[str, Any]:
    """The job, with what only the node knows."""
    job: dict[str, Any] = json.loads((ROOT / "job.json").read_text(encoding="utf-8"))
    if options.data_folder:
        job["data_folder"] = str(Path(options.data_folder).resolve())
    job["plugins"] = [*job["plugins"], OBSERVER]
    return job


def _module_path() -> list[str]:
    """Where modules are found: the user's that came along, then where they were before."""
    own = ROOT / "user" / "lib"
    before = os.environ.get("PYTHONPATH", "")
    return [*([str(own)] if own.is_dir() else []), *filter(None, before.split(os.pathsep))]


def _resume(run: Path, mounted: Path) -> Path:
    """Links the run's checkpoints to the mounted folder, and takes up the record of an attempt before this one."""
    generations, record = mounted / "generations", mounted / "record"
    for folder in (generations, record):
        folder.mkdir(parents=True, exist_ok=True)
    (run / "checkpoints").symlink_to(generations, target_is_directory=True)
    for name in FILES_FOR_NEXT_ATTEMPT:
        with contextlib.suppress(OSError):
            shutil.copyfile(record / name, run / name)
    status = _next_attempt(run / STATUS)
    for folder in (run, record):  # at once, for the node may be lost before the first epoch is over
        _replace(folder / STATUS, json.dumps(status).encode())
    return record


def _next_attempt(path: Path) -> dict[str, Any]:
    """The status of the next attempt; one that a lost node has torn counts as none."""
    status: dict[str, Any] = {}
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, RecursionError, OverflowError):
        read = json.loads(path.read_text(encoding="utf-8"))
        status = {**read, "attempt": int(read["attempt"])}
    return {**status, "state": "preparing", "message": "", "attempt": status.get("attempt", 0) + 1}


class Log:
    """What the attempts of a run have written, kept in pieces: a mounted file is only there when it is closed.

    What was before comes first, for the service keeps only the log of the last attempt.

    Args:
        record: Where it outlives this node; None keeps nothing.
    """

    def __init__(self, record: Path | None) -> None:
        self._folder = record / "log" if record else None
        self._count = 0
        if self._folder:
            self._folder.mkdir(exist_ok=True)
            pieces = sorted(path for path in self._folder.iterdir() if path.name.isdigit())
            self._count = int(pieces[-1].name) if pieces else 0
            for path in pieces:
                self._show(path.read_bytes())

    def write(self, piece: bytes) -> None:
        """Keeps a piece, and then shows it: what somebody has seen is not lost."""
        if self._folder:
            self._count += 1
            _replace(self._folder / f"{self._count:06}", piece)
        self._show(piece)

    def _show(self, piece: bytes) -> None:
        sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()


def _replace(path: Path, content: bytes) -> None:
    """Writes a file that is there as a whole or not at all, which on a mount holds for a renamed one only."""
    beside = path.with_name(f"{path.name}.tmp")
    beside.write_bytes(content)
    beside.replace(path)


def _train(run: Path, job_options: list[str], environment: dict[str, str], log: Log) -> int:
    """The exit code of the training process, which is asked to end when this one is."""
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "stoker" / "cli.py"), "exec", str(run), "--", *job_options],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert process.stdout is not None

    def hand_on(number: int, frame: FrameType | None) -> None:
        process.send_signal(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, hand_on)
    while piece := os.read(process.stdout.fileno(), 2**20):
        log.write(piece)
        time.sleep(GATHERED_S)
    return process.wait()


def _collect(run: Path) -> None:
    """Copies what the run made to where the service keeps it."""
    if (run / "outputs").is_dir():
        shutil.copytree(run / "outputs", OUTPUTS, dirs_exist_ok=True, ignore=_links)
    RECORD.mkdir(parents=True, exist_ok=True)
    for name in FILES_FOR_SERVICE:
        with contextlib.suppress(FileNotFoundError):
            shutil.copyfile(run / name, RECORD / name)


def _links(folder: str, names: list[str]) -> list[str]:
    """The links in a folder: what they lead to is no output."""
    return [name for name in names if (Path(folder) / name).is_symlink()]


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

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
from pathlib import Path
from types import FrameType
from typing import Any

ROOT = Path(__file__).resolve().parent
OUTPUTS = ROOT / "outputs"
RECORD = OUTPUTS / "run"
"""Where the record of the run ends up: its figures, events, environment and report."""

RECORDED = ("metrics.jsonl", "events.jsonl", "environment.json", "status.json", "summary.json", "report.html")
CARRIED = RECORDED[:4]
"""What the next attempt needs if this node is lost; `observer.py` puts it beside the checkpoints after each epoch."""

OBSERVER = "stoker.plugins.azureml.node.observer"
KEPT = "STOKER_NODE_RECORD"
"""The environment variable that tells the observer where to put the record."""


def main(words: list[str]) -> int:
    """Runs the job; the exit code is the training process'."""
    options = _options(words)
    run = ROOT / "runs" / options.run_id
    run.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(_module_path()), "PYTHONUNBUFFERED": "1"}
    if options.checkpoints:
        environment[KEPT] = str(_resume(run, Path(options.checkpoints).resolve()))
    (run / "job.json").write_text(json.dumps(_job(options), indent=2), encoding="utf-8")
    code = _train(run, environment)
    _collect(run)
    return code


def _options(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Runs the job of this package.")
    parser.add_argument("--run-id", required=True, help="the run; the same one for each attempt")
    parser.add_argument("--data-folder", default="", help="where the data are mounted")
    parser.add_argument("--checkpoints", default="", help="where checkpoints outlive this node")
    parser.add_argument("--epochs", type=int, default=0, help="instead of the job's")
    return parser.parse_args(words)


def _job(options: argparse.Namespace) -> dict[str, Any]:
    """The job, with what only the node knows."""
    job: dict[str, Any] = json.loads((ROOT / "job.json").read_text(encoding="utf-8"))
    if options.data_folder:
        job["data_folder"] = str(Path(options.data_folder).resolve())
    if options.epochs:
        job["epochs"] = options.epochs
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
    for name in CARRIED:
        with contextlib.suppress(OSError):
            shutil.copyfile(record / name, run / name)
    _count_attempt(run / "status.json")
    return record


def _count_attempt(path: Path) -> None:
    """Makes the status that of the next attempt; one that a lost node has torn counts as none."""
    try:
        status = json.loads(path.read_text(encoding="utf-8"))
        status |= {"state": "preparing", "message": "", "attempt": int(status["attempt"]) + 1}
    except (OSError, ValueError, KeyError, TypeError):
        path.unlink(missing_ok=True)
        return
    path.write_text(json.dumps(status), encoding="utf-8")


def _train(run: Path, environment: dict[str, str]) -> int:
    """The exit code of the training process, which is asked to end when this one is."""
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "stoker" / "cli.py"), "exec", str(run)],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.STDOUT,
    )

    def hand_on(number: int, frame: FrameType | None) -> None:
        process.send_signal(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, hand_on)
    return process.wait()


def _collect(run: Path) -> None:
    """Copies what the run made to where the service keeps it."""
    if (run / "outputs").is_dir():
        shutil.copytree(run / "outputs", OUTPUTS, dirs_exist_ok=True)
    RECORD.mkdir(parents=True, exist_ok=True)
    for name in RECORDED:
        with contextlib.suppress(FileNotFoundError):
            shutil.copyfile(run / name, RECORD / name)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

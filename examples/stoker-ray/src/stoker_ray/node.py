"""Runs on a node of the cluster: trains with stoker as it would anywhere, and publishes what came of it."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from stoker.engine.files import make_folder
from stoker.engine.rundir import RunDirectory
from stoker.engine.status import RunState, RunStatus

from .storage import Storage

MARK = "stoker-ray: the log of the run begins here\n"
"""What Ray has written before it is not the run's."""


def main(storage: str, run_id: str) -> bool:
    """Trains the job of a run, from the storage and back to it; whether it did not complete."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # Ray sends it to the training too, which ends by it
    print(MARK, end="", flush=True)
    place = Storage(storage, run_id)
    job = place.read("job.json") or sys.exit(f"error: this node finds no {place.url}/job.json; is the storage there?")
    if place.read("cancelled.json"):
        sys.exit("cancelled before it began")
    with tempfile.TemporaryDirectory(prefix="stoker-") as folder:
        run = RunDirectory(make_folder(Path(folder, run_id)))
        (run.path / "job.json").write_text(json.dumps(job), encoding="utf-8")
        with run.log.open("ab", buffering=0) as log, _train(run) as training:
            for line in training.stdout or ():
                for stream in (log, sys.stdout.buffer):
                    stream.write(line.encode())
        record = run.status_record()
        status = record.status if record else RunStatus(state=RunState.PREPARING)
        if not status.state.ended:
            status = RunStatus(state=RunState.FAILED, message="the training process ended without reporting a status")
        place.publish(run.path, status=status.to_json())
    return status.state is not RunState.COMPLETED


def _train(run: RunDirectory) -> subprocess.Popen[str]:
    """A process that trains; its log is read as Ray can give it back: in UTF-8, with plain newlines."""
    command, pipe = [sys.executable, "-m", "stoker", "exec", str(run.path)], subprocess.PIPE
    modules = os.pathsep.join([str(Path("user/lib").absolute()), os.environ.get("PYTHONPATH", "")])
    env = {**os.environ, "PYTHONPATH": modules}  # where the package has what the job's files import
    return subprocess.Popen(
        command, stdout=pipe, stderr=subprocess.STDOUT, encoding="utf-8", errors="backslashreplace", env=env
    )


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

"""Whatever is in the files of a run, each command ends with an answer or an error, and no other run is hidden."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from stoker import cli
from stoker.engine.backend import BackendChoice
from stoker.engine.errors import StokerError
from stoker.engine.event import EventKind, RunEvent
from stoker.engine.job import TrainJob
from stoker.engine.rundir import RunDirectory
from stoker.engine.status import Handle, RunState, RunStatus
from stoker.engine.summary import RunSummary

RECORDS = (
    *("job.json", "backend.json", "handle.json", "status.json", "summary.json", "notes.json", "trained.json"),
    *("environment.json", "metrics.jsonl", "events.jsonl"),
)
ODD: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: path.write_text(""),
    "not JSON": lambda path: path.write_text('{"state": '),
    "not text": lambda path: path.write_bytes(b"\xff\xfe{}\n"),
    "another kind": lambda path: path.write_text("[1]\n"),
    "no fields": lambda path: path.write_text('{"a": 1}\n'),
    "null": lambda path: path.write_text("null\n"),
    "deep": lambda path: path.write_text('{"a":' + "[" * 10_000 + "]" * 10_000 + "}\n"),
    "a folder": lambda path: path.mkdir(),
    "a pipe": os.mkfifo,
    "a link to nothing": lambda path: path.symlink_to("nowhere"),
}
FIELDS = {
    "status.json": """
        {"state":"running","host":"elsewhere","heartbeat_s":"abc"}
        {"state":"running","heartbeat_s":1e400}
        {"state":["running"]}
        {"state":"completed","progress":7}
        {"state":"x"}
        {"state":"lost","attempt":[]}
    """,
    "summary.json": """
        {"epochs":"x"}
        {"metrics":[],"epochs":1,"model":"m"}
        {"metrics":{"a":"b"},"epochs":1,"model":""}
    """,
    "metrics.jsonl": """
        {"epoch":"x","name":"Loss","value":1,"time_s":1}
        {"epoch":3,"name":["Loss"],"value":1,"time_s":1}
        {"epoch":3,"name":"Loss","value":"x","time_s":1}
        {"epoch":true,"name":"Loss","value":1,"time_s":1}
        {"epoch":3,"name":"Loss","value":1,"time_s":{}}
        {"epoch":3,"name":"Loss","value":NaN,"time_s":1}
        {"epoch":3,"name":"Loss","value":1e400,"time_s":1}
    """,
    "backend.json": """
        {"backend":"local"}
        {"backend":["local"],"options":{}}
        {"backend":"local","options":[1]}
    """,
    "handle.json": """
        {"handle":7}
        {"handle":"nothing"}
        {"handle":"unknown://x"}
        {"handle":"local://"}
    """,
    "job.json": """
        {"schema":1,"epochs":"x"}
        {"schema":99}
        {"schema":1,"batch_size":1e400}
        {"schema":1,"options":[]}
    """,
    "trained.json": """
        {"optimizer":7,"layers":{},"loss":[]}
        {"optimizer":{"class":[]},"parameters":"x"}
    """,
    "notes.json": """
        {"notes":7}
        {"notes":[{}]}
    """,
    "environment.json": """
        {"packages":7,"execution_mode":"x"}
        {"dataset":[]}
    """,
    "events.jsonl": """
        {"kind":"x"}
        {"kind":"epoch","run_id":1,"time_s":"x","data":7}
    """,
}
CASES = [
    *((record, name, make) for record in RECORDS for name, make in ODD.items()),
    *(
        (record, text.strip(), lambda path, text=text: path.write_text(f"{text}\n"))
        for record, texts in FIELDS.items()
        for text in texts.strip().splitlines()
    ),
]


@pytest.fixture(scope="module")
def complete(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of runs, each with all its records."""
    root = tmp_path_factory.mktemp("records") / "runs"
    for name in ("good", "odd"):
        run = RunDirectory.create(root, TrainJob(name=name, offline=True), run_id=f"20260101-000000-{name}-000001")
        run.write_handle(Handle(backend="local", reference=str(run.path)))
        run.write_backend_choice(BackendChoice(name="local", options={}))
        run.write_status(RunStatus(state=RunState.COMPLETED))
        run.write_notes(["a note"])
        run.write_environment({"execution_mode": "graph"})
        count = {"trainable": 1, "not_trainable": 0}
        run.write_model_facts({"optimizer": None, "optimizers": {}, "loss": None, "parameters": count})
        run.append_metrics(1, {"Loss": 0.5}, 1.0)
        run.append_event(RunEvent(kind=EventKind.FINISHED, run_id=run.run_id, data={}))
        run.write_summary(RunSummary(metrics={"Final test loss": 0.5}, epochs=1, model="outputs/model"))
    return root


@pytest.fixture
def runs(complete: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, as the working folder has it."""
    monkeypatch.chdir(tmp_path)
    return shutil.copytree(complete, tmp_path / "runs")


@pytest.mark.parametrize(("record", "name", "make"), CASES, ids=[f"{record}-{name[:60]}" for record, name, _ in CASES])
def test_an_odd_record_stops_no_command_and_hides_no_run(
    runs: Path, capsys: pytest.CaptureFixture[str], record: str, name: str, make: Callable[[Path], object]
):
    odd = runs / "20260101-000000-odd-000001"
    (odd / record).unlink()
    make(odd / record)
    for words in (["runs", "list"], ["runs", "list", "--json"]):
        assert cli.main(words) == 0
        assert "20260101-000000-good-000001" in capsys.readouterr().out
    for words in (
        ["runs", "show", "odd-000001"],
        ["runs", "show", "odd-000001", "--json"],
        ["runs", "logs", "odd-000001"],
        ["runs", "attach", "odd-000001"],
        ["runs", "cancel", "odd-000001"],
        ["plan", "--resume", "odd-000001", "--epochs", "3"],
        ["models"],
    ):
        assert cli.main(words) in {0, 1, 2}
    said = capsys.readouterr().err
    assert "Traceback" not in said
    run = RunDirectory(odd)
    for read in (run.job, run.handle, run.backend_choice, run.status_record, run.summary, run.notes, run.environment):
        with contextlib.suppress(StokerError):
            read()
    for read in (run.metrics, run.events):
        with contextlib.suppress(StokerError):
            list(read())

"""What runs on the node: the entry script across a lost node, and what is sent to the run of the service."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stoker.engine.event import EventKind, RunEvent
from stoker.engine.job import Option, TrainJob
from stoker.engine.rundir import RunDirectory
from stoker.plugins.azureml.node import observer
from stoker.plugins.azureml.node import run as node_run
from stoker.plugins.azureml.submit.hyperparameters import hyperparameters
from stoker.plugins.azureml.submit.prepare import ENTRY, package_of

from .. import tiny
from ..patience import PATIENCE_S

RUN_ID = "20261125-000000-tiny-dnn-abcdef"


PLUGIN = """
from stoker.engine.hookspecs import hookimpl

@hookimpl
def stoker_add_options(parser, command):
    if command == "train":
        for name in ("run-id", "checkpoints", "job-options", "note", "text", "none"):
            parser.add_argument(f"--{name}", default="")
        parser.add_argument("--model-version", dest="version", default="")
        parser.add_argument("--depth-first", dest="depth-first", default="")
"""
OPTIONS: dict[str, Option] = {
    **{"run_id": "mine", "checkpoints": "/nowhere", "job_options": "--run-id", "version": "-p", "depth-first": "--"},
    **{"note": "--help", "text": " a=b\n--debug c\t", "none": ""},
}


def node(folder: Path, mount: Path, data: Path, *, epochs: int, job: TrainJob | None = None, **more: str) -> Path:
    """Runs a job on a new node, which has nothing but the package and the mounts; its outputs."""
    job = replace(job or TrainJob(), dataset="", data_folder=str(data), batch_size=20)
    top = package_of(job).write(folder)
    options = {**hyperparameters(job), "epochs": str(epochs), **more}
    words = ENTRY.arguments(run_id=RUN_ID, data_folder=data, checkpoints=mount, job_options=options)
    done = subprocess.run(
        [sys.executable, "run.py", *map(str, words)],
        cwd=top,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (folder / "log.txt").write_text(done.stdout)
    return top / "outputs"


@pytest.fixture(scope="module")
def attempts(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """The folders of a node that is lost while it writes, of one that continues, and of one that is not interrupted."""
    place = tmp_path_factory.mktemp("nodes")
    data, mount = tiny.write(place / "data"), place / "mount"
    node(place / "first", mount, data, epochs=3)
    newest = mount / "generations" / "000003"
    for path in newest.iterdir():
        path.write_bytes(b"")  # what a mounted blob is when the node is lost while it is open
    node(place / "second", mount, data, epochs=4)
    node(place / "whole", place / "other mount", data, epochs=4)
    return place / "first", place / "second", place / "whole"


def metrics(folder: Path) -> dict[tuple[str, int], float]:
    lines = (folder / "outputs" / "run" / "metrics.jsonl").read_text().splitlines()
    return {(line["name"], line["epoch"]): line["value"] for line in map(json.loads, lines)}


def test_a_lost_node_costs_no_more_than_the_epoch_that_it_was_writing(attempts: tuple[Path, Path, Path]):
    _, second, _ = attempts
    log = (second / "log.txt").read_text()
    assert "the checkpoint before it is used" in log
    assert "resumed after epoch 2" in log


def test_a_job_that_continued_elsewhere_ends_with_the_figures_of_an_uninterrupted_one(
    attempts: tuple[Path, Path, Path],
):
    _, second, whole = attempts
    assert metrics(second) == metrics(whole)
    assert {epoch for _, epoch in metrics(second)} == {1, 2, 3, 4}


def test_each_attempt_keeps_the_job_that_it_ran(attempts: tuple[Path, Path, Path]):
    jobs = [json.loads((folder / "outputs/run/job.json").read_text()) for folder in attempts]
    assert [job["epochs"] for job in jobs] == [3, 4, 4]


def test_no_option_of_a_plugin_and_no_value_is_taken_for_a_word_of_the_script(tmp_path: Path):
    (tmp_path / "odd.py").write_text(PLUGIN)
    job = TrainJob(plugins=(str(tmp_path / "odd.py"),), options=OPTIONS)
    data, mount = tiny.write(tmp_path / "data"), tmp_path / "mount"
    made = node(tmp_path / "node", mount, data, epochs=1, job=job, note="--version")
    ran = json.loads((made / "run" / "job.json").read_text())
    assert ran["options"] == {**OPTIONS, "note": "--version"}
    assert [path.name for path in (tmp_path / "node" / "runs").iterdir()] == [RUN_ID]
    assert [path.name for path in (mount / "generations").iterdir()] == ["000001"]


def test_a_word_that_the_script_does_not_know_is_refused_in_front_of_the_options_of_the_job(
    capsys: pytest.CaptureFixture[str],
):
    with pytest.raises(SystemExit):
        node_run.main(["--run-id", RUN_ID, "--epochs", "1"])
    assert "unrecognized arguments: --epochs 1" in capsys.readouterr().err


def test_each_attempt_is_counted(attempts: tuple[Path, Path, Path]):
    counted = [json.loads((folder / "outputs/run/status.json").read_text())["attempt"] for folder in attempts]
    assert counted == [1, 2, 1]


def test_the_log_of_an_attempt_begins_with_those_before_it(attempts: tuple[Path, Path, Path]):
    first, second = ((folder / "log.txt").read_text() for folder in attempts[:2])
    assert "epoch 3/3" in first
    assert second.startswith(first)
    assert "resumed after" in second.removeprefix(first)


def test_the_model_and_the_picture_are_where_the_service_keeps_them(attempts: tuple[Path, Path, Path]):
    for folder in attempts:
        assert (folder / "outputs" / "model" / "model.keras").stat().st_size > 1000
        assert (folder / "outputs" / "plots" / "Accuracy vs Loss.png").stat().st_size > 1000


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunDirectory]:
    """A run that has trained, in a process that the service didn't start."""
    monkeypatch.delenv("AZUREML_RUN_ID", raising=False)
    monkeypatch.chdir(tmp_path)
    made = RunDirectory.create(tmp_path / "runs", TrainJob(), "run-1")
    made.append_metrics(1, {"Loss": 0.5, "Training loss": 0.6}, 1.0)
    made.append_metrics(1, {"Final test loss": 0.25, "Final test accuracy": 0.75}, 1.0)
    observer._sender.cache_clear()
    yield made
    observer._sender.cache_clear()


def event(kind: EventKind, **data: Any) -> RunEvent:
    return RunEvent(kind=kind, run_id="run-1", data=data)


def test_outside_of_the_service_nothing_is_sent_or_written(run: RunDirectory, capfd: pytest.CaptureFixture[str]):
    before = sorted(run.path.parent.parent.rglob("*"))
    observer.stoker_run_event(event(EventKind.EPOCH, epoch=1, metrics={"val_loss": 0.5}), run.path)
    observer.stoker_run_event(event(EventKind.FINISHED), run.path)
    assert sorted(run.path.parent.parent.rglob("*")) == before
    assert capfd.readouterr() == ("", "")


class Recorded:
    """Writes down what would be called of the SDK's run, and takes only what that takes."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    def __getattr__(self, method: str) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the SDK warns of itself
            from azureml.core import Run

        def call(*words: Any, **named: Any) -> None:
            inspect.signature(getattr(Run, method)).bind(self, *words, **named)
            self.calls.append((method, *words, *named.values()))

        return call


def test_the_run_of_the_service_gets_the_tutorials_four_figures_the_learning_rate_and_the_picture(
    run: RunDirectory, tmp_path: Path
):
    run.plots.mkdir(parents=True)
    (run.plots / "Accuracy vs Loss.png").write_bytes(b"png")
    recorded = Recorded()
    sender = observer.Sender(recorded)
    sender.epoch(1, {"loss": 0.6, "accuracy": 0.7, "val_loss": 0.5, "val_accuracy": 0.8, "learning_rate": 0.001})
    sender.end(run, finished=True)
    assert recorded.calls == [
        ("log", "Loss", 0.5, 1),
        ("log", "Accuracy", 0.8, 1),
        ("log", "Learning rate", 0.001, 1),
        ("flush",),
        ("log", "Final test loss", 0.25, None),
        ("log", "Final test accuracy", 0.75, None),
        ("flush",),
        ("log_image", "Accuracy vs Loss", "accuracy-vs-loss.png"),
        ("flush",),
    ]
    assert (tmp_path / "accuracy-vs-loss.png").is_file()  # where log_image, which takes a relative path, finds it


def test_a_run_that_failed_sends_no_final_figures(run: RunDirectory):
    recorded = Recorded()
    observer.Sender(recorded).end(run, finished=False)
    assert recorded.calls == [("flush",)]


def test_what_the_sdk_raises_does_not_end_the_training(run: RunDirectory, capsys: pytest.CaptureFixture[str]):
    sender = observer.Sender(object())
    sender.epoch(1, {"val_loss": 0.5})
    sender.end(run, finished=True)
    assert "note: Azure ML did not get a figure: AttributeError" in capsys.readouterr().err


def test_a_reason_for_which_figures_are_refused_is_said_once(run: RunDirectory, capsys: pytest.CaptureFixture[str]):
    class Refused:
        """A run of the service that takes no figures, for one reason, and then for another."""

        reasons = iter(["the run is archived", "the run is archived", "the token has expired"])

        def log(self, *words: Any, **named: Any) -> None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the SDK warns of itself
                from azureml.exceptions import UserErrorException
            raise UserErrorException(next(self.reasons))

        def flush(self) -> None:
            """Has nothing to send."""

    sender = observer.Sender(Refused())
    for epoch in (1, 2, 3):
        sender.epoch(epoch, {"val_loss": 0.5})
    sender.end(run, finished=False)
    assert capsys.readouterr().err.splitlines() == [
        "note: Azure ML did not get a figure: UserErrorException: the run is archived",
        "note: Azure ML did not get a figure: UserErrorException: the token has expired",
    ]


def test_the_record_is_kept_beside_the_checkpoints(run: RunDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "record").mkdir()
    monkeypatch.setenv("STOKER_NODE_RECORD", str(tmp_path / "record"))
    observer.stoker_run_event(event(EventKind.EPOCH, epoch=1, metrics={}), run.path)
    assert (tmp_path / "record" / "metrics.jsonl").read_bytes() == (run.path / "metrics.jsonl").read_bytes()
    assert [path.name for path in (tmp_path / "record").iterdir()] == ["metrics.jsonl"]


def test_the_record_of_a_job_has_the_names_that_the_run_folder_gives_them(attempts: tuple[Path, Path, Path]):
    assert set(RunDirectory.FETCHED_RECORD) <= set(node_run.FILES_FOR_SERVICE)
    for folder in attempts:
        assert {path.name for path in (folder / "outputs" / "run").iterdir()} == set(node_run.FILES_FOR_SERVICE)

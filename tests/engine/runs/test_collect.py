"""A run that was trained elsewhere ends with a folder like that of a run on this machine."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stoker.engine.backend import Manifest, ModelVersion
from stoker.engine.errors import BackendError, RunError
from stoker.engine.fetch import list_files
from stoker.engine.files import make_folder, sha256_file, write_bytes, write_json
from stoker.engine.job import TrainJob
from stoker.engine.registry import Registry
from stoker.engine.rundir import RunDirectory
from stoker.engine.runs.collect import collect_results
from stoker.engine.runs.find import list_runs
from stoker.engine.status import Handle
from stoker.engine.summary import RunSummary

from ... import tiny
from ...stoker_process import stoker

JOB = ("--data-folder", "data", "--epochs", 2, "--batch-size", 20, "--first-layer-neurons", 12)
AWAY = """
from dataclasses import replace
from pathlib import Path

from stoker.engine import files
from stoker.engine.backend import Plan
from stoker.engine.hookspecs import hookimpl
from stoker.engine.status import Handle
from stoker.plugins.local.backend import LocalBackend

AWAY = Path(__file__).with_name("away")


@hookimpl
def stoker_backends():
    return {"away": "another folder"}


@hookimpl
def stoker_get_backend(name, options):
    return Away(**options) if name == "away" else None


@hookimpl
def stoker_add_options(parser, command):
    if command == "train":
        parser.add_argument("--away-speed", default="slow")


def there(handle):
    return Handle(backend="local", reference=handle.reference)


class Away:
    poll_s, runs_here, limits = 0.05, False, {}

    def __init__(self, speed):
        self.speed = speed

    def plan(self, job):
        return Plan(backend="away", steps=("train there",), warnings=(f"it is far away, and {self.speed}",))

    def submit(self, job, run_dir):
        folder = AWAY / run_dir.name
        folder.mkdir(parents=True, exist_ok=True)
        files.write_json(folder / "job.json", replace(job, register="").to_json())
        return Handle(backend="away", reference=LocalBackend().submit(job, folder).reference)

    def status(self, handle):
        return LocalBackend().status(there(handle))

    def logs(self, handle, offset=0, *, follow=False):
        return LocalBackend().logs(there(handle), offset, follow=follow)

    def cancel(self, handle):
        LocalBackend().cancel(there(handle))

    def fetch(self, handle, target):
        return LocalBackend().fetch(there(handle), target)

    def register(self, handle, model, name):
        return LocalBackend().register(there(handle), model, name)
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data and the plugin of a backend that trains in another folder."""
    folder = tmp_path_factory.mktemp("place")
    tiny.write(folder / "data")
    (folder / "away.py").write_text(AWAY)
    return folder


@pytest.fixture(scope="module")
def output(place: Path) -> str:
    """What a whole run elsewhere prints."""
    done = stoker("-p", "away.py", "train", "--backend", "away", *JOB, "--register", "far", cwd=place)
    assert (done.returncode, done.stderr) == (0, "warning: it is far away, and slow\n")
    return done.stdout


@pytest.fixture(scope="module")
def run(place: Path, output: str) -> RunDirectory:
    """That run, in its folder on this machine."""
    (found,) = list_runs(place / "runs")
    return found


def test_outputs_log_and_figures_are_collected(run: RunDirectory, output: str, place: Path):
    there = RunDirectory(place / "away" / run.run_id)
    assert run.log.read_bytes() == there.log.read_bytes()
    assert (run.model / "model.keras").read_bytes() == (there.model / "model.keras").read_bytes()
    assert f"fetched: {run.outputs}" in output
    ours, theirs = ({(line["epoch"], line["name"]): line["value"] for line in one.metrics()} for one in (run, there))
    assert ours == pytest.approx(theirs, rel=1e-3, abs=1e-4)
    summary = run.summary()
    assert summary is not None
    assert (summary.epochs, summary.model) == (2, "outputs/model")
    assert summary.registered == {"name": "far", "version": 1}


def test_the_model_is_registered_once_the_run_is_collected(place: Path, output: str, run: RunDirectory):
    assert "registered: far version 1" in output
    (there,) = Registry.of_runs(place / "away").versions("far")
    (here,) = Registry.of_runs(place / "runs").versions("far")
    assert (here.version, here.digest) == (there.version, there.digest) == (1, sha256_file(run.model / "model.keras"))
    assert output.count("registered: far version 1") == 2


def test_runs_show_has_the_figures(place: Path, run: RunDirectory):
    done = stoker("-p", "away.py", "runs", "show", run.run_id, cwd=place)
    assert done.returncode == 0, done.stderr
    assert "accuracy" in done.stdout
    assert "model.keras" in done.stdout


def test_a_run_that_is_watched_later_is_collected_then(place: Path):
    words = ("-p", "away.py", "train", "--backend", "away", *JOB, "--detach", "--runs-dir", "later")
    assert stoker(*words, cwd=place).returncode == 0
    (found,) = list_runs(place / "later")
    assert not found.outputs.exists()
    for _ in range(2):
        done = stoker("-p", "away.py", "runs", "attach", "latest", "--runs-dir", "later", cwd=place)
        assert done.returncode == 0, done.stderr
        assert (found.model / "model.keras").is_file()
    assert [line["epoch"] for line in found.metrics() if line["name"] == "Loss"] == [1, 2]


def test_a_resume_goes_where_the_run_is(place: Path):
    words = ("-p", "away.py", "train", "--backend", "away", *JOB, "--runs-dir", "resumed")
    assert stoker(*words, cwd=place).returncode == 0
    (found,) = list_runs(place / "resumed")
    go_on = ("train", "--resume", "latest", "--epochs", 4, "--runs-dir", "resumed")
    elsewhere = stoker(*go_on, "--backend", "local", cwd=place)
    assert elsewhere.returncode == 2
    assert "--backend can't be changed when resuming" in elsewhere.stderr
    unknown = stoker(*go_on, cwd=place)
    assert "unknown backend: 'away'" in unknown.stderr
    job = json.loads((place / "away" / found.run_id / "job.json").read_text())
    assert job["epochs"] == 2
    again = stoker("-p", "away.py", *go_on, cwd=place)
    assert again.returncode == 0, again.stderr
    assert "resumed after epoch 2" in again.stdout
    assert [line["epoch"] for line in found.metrics() if line["name"] == "Loss"] == [1, 2, 3, 4]


def test_a_resume_takes_the_options_that_the_run_was_submitted_with_unless_others_are_given(place: Path):
    fast = ("--away-speed", "fast", "--runs-dir", "fast")
    done = stoker("-p", "away.py", "train", "--backend", "away", *JOB, *fast, cwd=place)
    assert done.stderr == "warning: it is far away, and fast\n"
    go_on = ("-p", "away.py", "train", "--resume", "latest", "--runs-dir", "fast")
    assert "and fast" in stoker(*go_on, "--epochs", 3, cwd=place).stderr
    assert "and faster" in stoker(*go_on, "--epochs", 4, "--away-speed", "faster", cwd=place).stderr


def test_a_run_whose_submission_was_interrupted_is_submitted_to_its_first_backend(place: Path):
    words = ("-p", "away.py", "train", "--backend", "away", *JOB, "--runs-dir", "unsure")
    assert stoker(*words, cwd=place).returncode == 0
    (found,) = list_runs(place / "unsure")
    for name in ("handle.json", "summary.json"):
        (found.path / name).unlink()
    shown = stoker("-p", "away.py", "runs", "show", "--runs-dir", "unsure", cwd=place)
    assert "it is not known whether the run" in shown.stderr
    done = stoker("-p", "away.py", "train", "--resume", "latest", "--runs-dir", "unsure", cwd=place)
    assert done.returncode == 0, done.stderr
    assert found.handle().backend == "away"


def test_a_model_whose_final_loss_is_nan_is_collected_and_registered_nowhere(tmp_path: Path):
    class Away:
        def logs(self, handle: Handle, offset: int = 0, *, follow: bool = False) -> Iterator[bytes]:
            yield b"epoch 1/1  loss nan  val_loss nan  1.00 s\nFinal test loss: nan\n"

        def fetch(self, handle: Handle, target: Path) -> Manifest:
            write_bytes(make_folder(target / "model") / "model.keras", b"a model")
            return list_files(target)

        def register(self, handle: Handle, model: str, name: str) -> None:
            pytest.fail("it was registered there")

    run = RunDirectory.create(tmp_path / "runs", TrainJob(register="broken"))
    run.write_handle(Handle(backend="away", reference="1"))
    backend: Any = Away()
    with pytest.raises(RunError, match="not registered as 'broken': its final test loss is nan"):
        collect_results(run, backend)
    summary = run.summary()
    assert summary is not None
    assert math.isnan(summary.metrics["Final test loss"])
    assert summary.registered == {}
    assert Registry.beside(run).names() == []


class Recording:
    """A backend that fetches the record of a run too.

    Args:
        summary: The run's `summary.json`; None if it has none.
    """

    def __init__(self, summary: Any) -> None:
        self.summary = summary
        self.refuses = False
        self.unverified: tuple[str, ...] = ()

    def logs(self, handle: Handle, offset: int = 0, *, follow: bool = False) -> Iterator[bytes]:
        yield b"epoch 1/1  loss 0.3  val_loss 0.2  1.00 s\nFinal test loss: 0.2\n"

    def fetch(self, handle: Handle, target: Path) -> Manifest:
        write_bytes(make_folder(target / "model") / "model.keras", b"a model")
        return replace(list_files(target), unverified=self.unverified)

    def fetch_record(self, handle: Handle, folder: Path) -> None:
        line = json.dumps({"epoch": 3, "name": "Final test loss", "value": 0.123456789, "time_s": 1.0})
        write_bytes(folder / "metrics.jsonl", f"{line}\n".encode())
        write_json(folder / "trained.json", TRAINED)
        if self.summary is not None:
            write_json(folder / "summary.json", self.summary)

    def register(self, handle: Handle, model: str, name: str) -> ModelVersion:
        if self.refuses:
            raise BackendError("the service is away")
        return ModelVersion(name=name, version=7, digest="0", location="there")


def elsewhere(tmp_path: Path, **job: Any) -> RunDirectory:
    """A run that was submitted to a backend elsewhere."""
    run = RunDirectory.create(tmp_path / "runs", TrainJob(**job))
    run.write_handle(Handle(backend="away", reference="1"))
    return run


THERE = {
    "metrics": {"Final test loss": 0.123456789, "Final gain": 2.5},
    "epochs": 4,
    "model": "/mnt/node/outputs/model",
    "registered": {"name": "theirs", "version": 7},
}
"""The summary of a run elsewhere: with a figure that no other file has, and with what holds there only."""

TRAINED = {
    "optimizer": {"class": "Adam"},
    "optimizers": {},
    "loss": "mse",
    "parameters": {"trainable": 8, "not_trainable": 2},
}
"""What such a run has trained."""


def test_the_summary_that_the_run_has_written_is_that_of_the_run_here(tmp_path: Path):
    run, backend = elsewhere(tmp_path), Recording(THERE)
    collect_results(run, backend)  # type: ignore[arg-type]
    assert run.summary() == RunSummary(metrics=THERE["metrics"], epochs=4)  # type: ignore[arg-type]
    assert (run.path / run.summary().model / "model.keras").is_file()  # type: ignore[union-attr]
    assert run.model_facts() == TRAINED
    assert [line["value"] for line in run.metrics()] == [0.123456789]


def test_a_summary_from_elsewhere_names_the_version_in_the_registry_on_this_machine(tmp_path: Path):
    run, backend = elsewhere(tmp_path, register="ours"), Recording(THERE)
    collect_results(run, backend)  # type: ignore[arg-type]
    assert run.summary().registered == {"name": "ours", "version": 1}  # type: ignore[union-attr]


@pytest.mark.parametrize("summary", [None, {}, {"metrics": 1, "epochs": 4, "model": ""}])
def test_without_a_good_summary_in_the_record_the_figures_are_summed_up(tmp_path: Path, summary: Any):
    run, backend = elsewhere(tmp_path), Recording(summary)
    collect_results(run, backend)  # type: ignore[arg-type]
    assert run.summary() == RunSummary(metrics={"Final test loss": 0.123456789}, epochs=3)


def test_a_run_whose_registration_failed_there_is_collected_again(tmp_path: Path):
    run, backend = elsewhere(tmp_path, register="ours"), Recording(THERE)
    backend.refuses = True
    with pytest.raises(BackendError):
        collect_results(run, backend)  # type: ignore[arg-type]
    assert run.summary() is None, "a run with a summary counts as collected"
    backend.refuses = False
    here, there = collect_results(run, backend)  # type: ignore[arg-type]
    assert (here.version, there.version) == (1, 7)


def test_a_model_that_may_have_arrived_changed_is_collected_and_registered_nowhere(tmp_path: Path):
    run, backend = elsewhere(tmp_path, register="ours"), Recording(THERE)
    backend.unverified = ("model/model.keras",)
    with pytest.raises(RunError, match="not registered as 'ours': nothing shows"):
        collect_results(run, backend)  # type: ignore[arg-type]
    assert run.summary() == RunSummary(metrics=THERE["metrics"], epochs=4)  # type: ignore[arg-type]
    assert Registry.beside(run).names() == []


def test_a_run_elsewhere_is_registered_later_as_if_its_job_had_asked_for_it(tmp_path: Path):
    run, backend = elsewhere(tmp_path), Recording(THERE)
    assert collect_results(run, backend) == []  # type: ignore[arg-type]
    here, there = collect_results(run, backend, TrainJob(register="ours"))  # type: ignore[arg-type]
    assert (here.name, here.version, there.version) == ("ours", 1, 7)
    assert run.summary().registered == {"name": "ours", "version": 1}  # type: ignore[union-attr]
    assert run.job().register == "", "the job is what was asked for then"

"""The trackers TensorBoard and MLflow, with the real libraries and local stores, read back by their own clients."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stoker.engine.errors import OptionError, StokerError
from stoker.engine.event import EventKind, RunEvent
from stoker.engine.job import TrainJob
from stoker.engine.plugin.extras import install_command
from stoker.engine.registry import Registry
from stoker.engine.rundir import RunDirectory
from stoker.engine.runs.find import list_runs
from stoker.plugins.trackers.mlflow import plugin
from stoker.plugins.trackers.mlflow.run import MlflowRun
from stoker.plugins.trackers.mlflow.sync import MlflowSync
from stoker.plugins.trackers.mlflow.uri import address, bare, has_secret, hidden
from stoker.plugins.trackers.mlflow.worker import BackgroundWorker

from .. import tiny
from ..patience import PATIENCE_S
from ..stoker_process import stoker

# SQLAlchemy 2.1 about MLflow's tables, and nothing of ours.
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated")

JOB = ("--epochs", 3, "--batch-size", 20, "--first-layer-neurons", 12, "--second-layer-neurons", 8)
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Makes a folder with an unfriendly name, and the data in `data`."""
    folder = tmp_path_factory.mktemp("it's a; folder ü")
    tiny.write(folder / "data")
    return folder


@pytest.fixture(scope="module")
def output(place: Path) -> str:
    """Returns what a run with both trackers prints, at MLflow's own default address."""
    job = ("train", "--data-folder", "data", *JOB, "--tensorboard", "--mlflow", "--register", "tiny")
    done = stoker(*job, cwd=place)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.fixture(scope="module")
def run(place: Path, output: str) -> RunDirectory:
    """Returns the run that printed `output`."""
    (found,) = list_runs(place / "runs")
    return found


@pytest.fixture(scope="module")
def client(place: Path) -> Any:
    """Returns MLflow's client of the database in `place`."""
    return open_client(place)


def open_client(folder: Path) -> Any:
    from mlflow import MlflowClient

    return MlflowClient(address(f"sqlite:///{folder}/mlflow.db"))


def mlflow_id(run: RunDirectory) -> str:
    return str(json.loads((run.path / "mlflow.json").read_text())["run_id"])


def logged(client: Any, run_id: str) -> list[tuple[str, int, float]]:
    """Returns every figure that MLflow has of a run, in order."""
    names = client.get_run(run_id).data.metrics
    return sorted((one.key, one.step, one.value) for name in names for one in client.get_metric_history(run_id, name))


def figures(run: RunDirectory) -> list[tuple[str, int, float]]:
    """Returns every figure of a run's folder, in order."""
    return sorted((line["name"], line["epoch"], line["value"]) for line in run.metrics())


def artifacts(client: Any, run_id: str, folder: str | None = None) -> set[str]:
    found: set[str] = set()
    for entry in client.list_artifacts(run_id, folder):
        found |= artifacts(client, run_id, entry.path) if entry.is_dir else {entry.path}
    return found


def shown(folder: Path, name: str) -> dict[int, float]:
    """Returns what TensorBoard shows of one curve: {step: value}."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.util.tensor_util import make_ndarray

    reader = EventAccumulator(str(folder), size_guidance={"tensors": 0}).Reload()
    return {event.step: float(make_ndarray(event.tensor_proto)) for event in reader.Tensors(name)}


@pytest.mark.parametrize(
    ("name", "folder", "curve"),
    [
        ("Training loss", "train", "epoch_loss"),
        ("Training accuracy", "train", "epoch_accuracy"),
        ("Learning rate", "train", "epoch_learning_rate"),
        ("Loss", "validation", "epoch_loss"),
        ("Accuracy", "validation", "epoch_accuracy"),
    ],
)
def test_tensorboard_shows_the_figures_of_the_run(run: RunDirectory, name: str, folder: str, curve: str):
    expected = {line["epoch"] - 1: line["value"] for line in run.metrics() if line["name"] == name}
    assert shown(run.outputs / "tensorboard" / folder, curve) == pytest.approx(expected, abs=1e-6)


def test_the_log_says_how_to_look_at_the_curves_and_where_the_mlflow_run_is(output: str, run: RunDirectory):
    assert f"tensorboard --logdir '{run.path}/outputs/tensorboard'".replace("it's", "it'\"'\"'s") in output
    assert f"MLflow: run {mlflow_id(run)} of experiment 0 at sqlite:////" in output


def test_mlflow_has_each_figure_of_the_run_once(run: RunDirectory, client: Any):
    assert logged(client, mlflow_id(run)) == figures(run)
    assert {name for name, _, _ in figures(run)} >= {"Loss", "Training accuracy", "Final test loss"}


def test_mlflow_has_the_moment_of_each_epoch(run: RunDirectory, client: Any):
    ends = [event.time_s for event in run.events() if event.kind is EventKind.EPOCH]
    moments = [one.timestamp / 1000 for one in client.get_metric_history(mlflow_id(run), "Loss")]
    assert moments == pytest.approx(ends, abs=0.001)


def test_mlflow_has_the_job_as_parameters(run: RunDirectory, client: Any):
    parameters = client.get_run(mlflow_id(run)).data.params
    assert parameters["epochs"] == "3"
    assert parameters["learning_rate"] == "0.001"
    assert parameters["first_layer_neurons"] == "12"
    assert parameters["register"] == "tiny"
    assert [name for name in parameters if name.startswith(("mlflow", "tensorboard"))] == []


def test_mlflow_has_what_identifies_the_run_and_its_source(run: RunDirectory, client: Any):
    found = client.get_run(mlflow_id(run))
    assert found.info.run_name == run.run_id
    assert found.data.tags["stoker.run_id"] == run.run_id
    assert found.data.tags["stoker.job_sha256"] == run.job().digest()
    environment = run.environment() or {}
    assert found.data.tags.get("mlflow.source.git.commit", "") == environment["source"].get("commit", "")


def test_mlflow_says_that_the_run_has_finished_and_when(run: RunDirectory, client: Any):
    info = client.get_run(mlflow_id(run)).info
    events = list(run.events())
    assert info.status == "FINISHED"
    assert (info.start_time, info.end_time) == (round(events[0].time_s * 1000), round(events[-1].time_s * 1000))


def test_mlflow_has_the_files_that_record_a_run(run: RunDirectory, client: Any, tmp_path: Path):
    names = artifacts(client, mlflow_id(run))
    model = {f"model/{path.name}" for path in run.model.iterdir()} | {"model/MLmodel", "model/requirements.txt"}
    others = {"job.json", "trained.json", "environment.json", "summary.json", "plots/Accuracy vs Loss.png"}
    assert {name for name in names if not name.startswith("registered/")} == others | model
    copy = Path(client.download_artifacts(mlflow_id(run), "", str(tmp_path)))
    for name in ("job.json", "environment.json", "summary.json"):
        assert (copy / name).read_bytes() == (run.path / name).read_bytes()
    assert (copy / "model/model.keras").read_bytes() == (run.model / "model.keras").read_bytes()


_REGISTRY = """
import sys
import keras, mlflow, numpy as np
images = np.load(sys.argv[1])
expected = keras.models.load_model(sys.argv[2]).predict(images, verbose=0)
np.testing.assert_array_equal(mlflow.keras.load_model("models:/tiny/1").predict(images, verbose=0), expected)
np.testing.assert_allclose(mlflow.pyfunc.load_model("models:/tiny/1").predict(images), expected, atol=1e-6)
assert not any(name.startswith("stoker") for name in sys.modules)
"""


def test_a_model_from_mlflows_registry_answers_as_that_of_the_run(run: RunDirectory, place: Path, tmp_path: Path):
    np.save(tmp_path / "images.npy", tiny.arrays(60, 2)[0])
    done = subprocess.run(
        [sys.executable, "-c", _REGISTRY, tmp_path / "images.npy", run.model / "model.keras"],
        cwd=place,
        env={**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_a_registered_version_knows_its_run_and_its_bits(run: RunDirectory, client: Any):
    version = client.get_model_version("tiny", "1")
    assert version.run_id == mlflow_id(run)
    assert version.tags["stoker.model_sha256"] == Registry.beside(run).latest("tiny").digest


def test_the_same_model_registered_again_is_the_same_version(run: RunDirectory, client: Any):
    assert MlflowRun(run.job(), run).register("tiny") == "1"
    assert len(client.search_model_versions("name='tiny'")) == 1
    client.set_terminated(mlflow_id(run), "FINISHED")


def test_another_model_is_another_version_and_the_first_stays_as_it_was(run: RunDirectory, client: Any, tmp_path: Path):
    resumed = RunDirectory(Path(shutil.copytree(run.path, tmp_path / run.run_id)))
    (resumed.model / "model.keras").write_bytes(b"more epochs")
    assert [MlflowRun(run.job(), each).register("twice") for each in (run, resumed)] == ["1", "2"]
    client.set_terminated(mlflow_id(run), "FINISHED")
    first = Path(client.get_model_version("twice", "1").source) / "model.keras"
    assert first.read_bytes() == (run.model / "model.keras").read_bytes()


def test_a_cancelled_run_is_killed_in_mlflow_and_a_resume_continues_it(place: Path):
    job = ("train", "--data-folder", "data", *JOB[2:], "--runs-dir", "cut", "--mlflow", "--tensorboard-folder", "tb")
    assert stoker(*job, "--epochs", 100_000, "--mlflow-experiment", "cut", "--detach", cwd=place).returncode == 0
    (found,) = list_runs(place / "cut")
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline and not ((found.path / "mlflow.json").exists() and any(found.metrics())):
        time.sleep(0.05)
    assert stoker("runs", "cancel", "--runs-dir", "cut", cwd=place).returncode == 0
    client = open_client(place)
    run_id = mlflow_id(found)
    assert client.get_run(run_id).info.status == "KILLED"
    assert "job.json" in artifacts(client, run_id)
    epochs = max(line["epoch"] for line in found.metrics()) + 2
    elsewhere = place / "elsewhere"
    elsewhere.mkdir()
    again = ("train", "--resume", found.path, "--epochs", epochs)
    done = stoker(*again, cwd=elsewhere)
    assert (done.returncode, done.stderr) == (0, "")
    resumed = client.get_run(run_id)
    assert (resumed.info.status, mlflow_id(found)) == ("FINISHED", run_id)
    assert client.get_experiment(resumed.info.experiment_id).name == "cut"
    assert logged(client, run_id) == figures(found)
    assert {"job-2.json", "model/MLmodel"} <= artifacts(client, run_id)
    curve = shown(place / "tb" / found.run_id / "train", "epoch_loss")
    assert set(curve) == set(range(epochs))


def test_a_run_that_fails_before_its_first_epoch_is_failed_in_mlflow_asked_for_by_the_settings_file(place: Path):
    (place / "bad.py").write_text("def build(config):\n    raise RuntimeError('no such layer')\n")
    (place / "stoker.toml").write_text('mlflow = true\nmlflow-experiment = "bad"\n')
    done = stoker("train", "--data-folder", "data", "--runs-dir", "bad", "--model", "bad.py", cwd=place)
    (place / "stoker.toml").unlink()
    assert done.returncode == 1
    (found,) = list_runs(place / "bad")
    client = open_client(place)
    entry = client.get_run(mlflow_id(found))
    assert (entry.info.status, entry.info.run_name) == ("FAILED", found.run_id)
    assert artifacts(client, entry.info.run_id) == {"job.json", "environment.json"}


@pytest.fixture
def closed() -> Iterator[int]:
    """Yields a port of this machine on which nobody listens."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        yield reserved.getsockname()[1]


@pytest.fixture
def silent() -> Iterator[int]:
    """Yields a port on which connections are accepted and nothing is ever answered."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(100)
        yield server.getsockname()[1]


def warnings_of(text: str) -> list[str]:
    """Returns what went wrong, without the warning that the end waited."""
    lines = [line for line in text.splitlines() if line.startswith("warning: plugin mlflow")]
    return [line for line in lines if " took " not in line]


def test_a_server_that_is_gone_costs_one_warning_and_its_password_stays_secret(place: Path, closed: int):
    where = f"http://me:hunter2@127.0.0.1:{closed}"
    job = ("train", "--data-folder", "data", *JOB, "--runs-dir", "gone", "--mlflow")
    done = stoker(*job, cwd=place, MLFLOW_TRACKING_URI=where)
    assert done.returncode == 0, done.stderr
    (warning,) = warnings_of(done.stdout)
    assert f"MLflow at http://127.0.0.1:{closed}: ConnectionRefusedError" in warning
    (found,) = list_runs(place / "gone")
    written = [path.read_bytes() for path in found.path.rglob("*") if path.is_file()]
    assert [data for data in written if b"hunter2" in data] == []
    assert "hunter2" not in done.stdout + done.stderr


def test_a_server_that_never_answers_does_not_keep_the_run_from_ending(place: Path, silent: int):
    job = ("train", "--data-folder", "data", *JOB, "--runs-dir", "silent", "--mlflow-uri", f"http://127.0.0.1:{silent}")
    done = stoker(*job, cwd=place, MLFLOW_HTTP_REQUEST_TIMEOUT="2")
    assert done.returncode == 0, done.stderr
    (warning,) = warnings_of(done.stdout)
    assert f"MLflow at http://127.0.0.1:{silent}: TimeoutError" in warning
    (found,) = list_runs(place / "silent")
    *_, finished = found.events()
    assert finished.kind is EventKind.FINISHED
    assert (found.path / "status.json").stat().st_mtime - finished.time_s < 2 * 2 + 3


def test_what_a_database_could_not_store_is_sent_when_it_can(tmp_path: Path):
    run = RunDirectory.create(tmp_path / "runs", TrainJob())
    run.append_metrics(1, {"Loss": 0.5, "f1@best": 0.25}, 1.0)
    later = tmp_path / "later"
    target = MlflowRun(TrainJob(options={"mlflow_uri": f"sqlite:///{later}/mlflow.db"}), run)
    (tmp_path / "later").write_text("in the way")
    with pytest.raises(Exception, match=r"unable to open|Not a directory|File exists"):
        target.bring()
    later.unlink()
    later.mkdir()
    run.append_metrics(2, {"Loss": 0.4}, 2.0)
    target.bring()
    target.bring()
    assert logged(open_client(later), mlflow_id(run)) == [("Loss", 1, 0.5), ("Loss", 2, 0.4), ("f1_best", 1, 0.25)]


def test_an_mlflow_run_whose_record_was_lost_is_found_by_its_tag(tmp_path: Path):
    run = RunDirectory.create(tmp_path / "runs", TrainJob())
    job = TrainJob(options={"mlflow_uri": f"sqlite:///{tmp_path}/mlflow.db"})
    MlflowRun(job, run).bring()
    before = mlflow_id(run)
    (run.path / "mlflow.json").unlink()
    MlflowRun(job, run).bring()
    assert mlflow_id(run) == before


def test_a_deleted_mlflow_run_is_made_again(tmp_path: Path):
    run = RunDirectory.create(tmp_path / "runs", TrainJob())
    job = TrainJob(options={"mlflow_uri": f"sqlite:///{tmp_path}/mlflow.db"})
    MlflowRun(job, run).bring()
    before = mlflow_id(run)
    open_client(tmp_path).delete_run(before)
    MlflowRun(job, run).bring()
    assert mlflow_id(run) != before


def test_without_an_option_nothing_is_sent_even_where_a_server_is_set_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    for kind in EventKind:
        plugin.stoker_run_event(RunEvent(kind=kind, run_id="run"), TrainJob(), tmp_path)
    assert plugin.stoker_register_model(tmp_path, "tiny", {}) is None
    assert list(tmp_path.iterdir()) == []


_TELEMETRY = """
import sys
sys.argv = ["cli.py", "--version"]
import runpy
try:
    runpy.run_path({cli!r}, run_name="__main__")
except SystemExit:
    pass
from stoker.engine.job import TrainJob
from stoker.engine.rundir import RunDirectory
from stoker.plugins.trackers.mlflow.run import MlflowRun
from pathlib import Path
run = RunDirectory.create(Path("runs"), TrainJob())
MlflowRun(TrainJob(), run).bring()
from mlflow.telemetry.client import get_telemetry_client
from mlflow.environment_variables import MLFLOW_DISABLE_TELEMETRY
print("disabled", MLFLOW_DISABLE_TELEMETRY.get(), get_telemetry_client())
"""


def test_mlflow_does_not_report_its_use(tmp_path: Path):
    kept = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG"}}
    code = _TELEMETRY.format(cli=str(ROOT / "cli.py"))
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=kept,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.stdout.splitlines()[-1] == "disabled True None", done.stderr


@pytest.fixture
def without_packages(tmp_path: Path) -> dict[str, str]:
    """Returns an environment in which neither tracker's package can be imported."""
    folder = tmp_path / "blocker"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text("import sys\nsys.modules['mlflow'] = sys.modules['tensorboard'] = None\n")
    return {"PYTHONPATH": str(folder)}


@pytest.mark.parametrize("name", ["mlflow", "tensorboard"])
def test_a_missing_package_is_reported_before_anything_is_trained(
    place: Path, tmp_path: Path, without_packages: dict[str, str], name: str
):
    done = stoker("train", "--data-folder", place / "data", f"--{name}", cwd=tmp_path, **without_packages)
    assert done.returncode == 2
    assert done.stderr == (
        f"error: --{name} needs the package '{name}', which is not installed here\nhint: {install_command(name)}\n"
    )
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("name", ["mlflow", "tensorboard"])
def test_a_missing_package_is_reported_when_the_settings_file_turns_the_tracker_on(
    tmp_path: Path, without_packages: dict[str, str], name: str
):
    (tmp_path / "stoker.toml").write_text(f"{name} = true\n")
    done = stoker("train", "--dry-run", cwd=tmp_path, **without_packages)
    assert done.returncode == 2
    assert f"hint: {install_command(name)}" in done.stderr


SECRETS = [
    "http://me:hunter2@127.0.0.1:5000",
    "https://hunter2@tracking.example.org/",
    "postgresql://me:hunter2@127.0.0.1/mlflow",
    "postgresql://127.0.0.1/mlflow?user=me&password=hunter2",
    "https://tracking.example.org/?access_token=hunter2",
]


@pytest.mark.parametrize("uri", SECRETS)
def test_an_address_with_a_secret_is_refused_without_repeating_it(uri: str):
    with pytest.raises(OptionError) as caught:
        address(uri)
    assert "hunter2" not in str(caught.value) + caught.value.hint
    assert "MLFLOW_TRACKING_TOKEN" in caught.value.hint


def test_an_address_with_a_secret_is_refused_on_the_command_line(tmp_path: Path):
    done = stoker("train", "--mlflow-uri", SECRETS[0], cwd=tmp_path)
    assert done.returncode == 2
    assert "hunter2" not in done.stdout + done.stderr
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("uri", SECRETS)
def test_an_address_is_shown_and_quoted_without_its_secret(uri: str):
    assert has_secret(uri)
    assert "hunter2" not in bare(uri)
    assert "hunter2" not in hidden(f"no answer from {uri} with hunter2".replace(" with hunter2", ""), uri)


@pytest.mark.parametrize(
    "uri", ["http://127.0.0.1:5000", "databricks://profile", "postgresql://me@127.0.0.1/mlflow", "sqlite:////a/b.db"]
)
def test_an_address_without_a_secret_is_taken_as_it_is(uri: str):
    assert address(uri) == bare(uri) == uri


def test_the_path_of_a_database_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "a b").mkdir()
    monkeypatch.chdir(tmp_path / "a b")
    assert address("sqlite:///runs.db") == f"sqlite:///{tmp_path}/a%20b/runs.db"


def test_a_token_in_the_environment_does_not_get_into_a_message(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "hunter2")
    assert hidden("Bearer hunter2 was refused", "http://127.0.0.1:5000") == "Bearer *** was refused"


def test_background_work_keeps_nothing_waiting():
    aside, go, done = BackgroundWorker(), threading.Event(), []
    for _ in range(2):
        aside.start(lambda: done.append(go.wait(PATIENCE_S)))
    assert done == []
    with pytest.raises(TimeoutError, match="not done after"):
        aside.finish(go.wait, 0.05)
    go.set()


def test_background_work_is_done_one_piece_after_another():
    aside, go, done = BackgroundWorker(), threading.Event(), []
    aside.start(lambda: (go.wait(), done.append("first")))
    threading.Timer(0.05, go.set).start()
    aside.finish(lambda: done.append("last"), PATIENCE_S)
    assert done == ["first", "last"]


def test_what_background_work_raises_is_kept_until_it_succeeds():
    aside = BackgroundWorker()

    def fail() -> None:
        raise SystemExit("enough")

    with pytest.raises(SystemExit):
        aside.finish(fail, PATIENCE_S)
    assert isinstance(aside.failure, SystemExit)
    aside.finish(list, PATIENCE_S)
    assert aside.failure is None


def test_a_failure_is_reported_once_however_many_epochs_follow(tmp_path: Path):
    run = RunDirectory.create(tmp_path / "runs", TrainJob())
    mirror = MlflowSync(TrainJob(options={"mlflow_uri": f"sqlite:///{tmp_path}/nowhere/\0/mlflow.db"}), run.path)
    reported = []
    for _ in range(4):
        try:
            mirror.sync()
        except StokerError as error:
            reported.append(error.what)
        mirror._worker._wait(time.monotonic() + PATIENCE_S, 30)
    mirror.end("FINISHED", time.time())
    assert len(reported) == 1
    assert "the training continues" in reported[0]

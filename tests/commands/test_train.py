"""`stoker train` from the command line to a trained model, on a tiny data set in IDX files."""

from __future__ import annotations

import hashlib
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stoker.engine.backend import BackendChoice
from stoker.engine.job import TrainJob
from stoker.engine.registry import Registry
from stoker.engine.rundir import RunDirectory
from stoker.engine.runs.find import list_runs
from stoker.engine.status import Handle, RunState, RunStatus

from .. import tiny
from ..stoker_process import CLI, stoker

JOB = ("--epochs", 3, "--batch-size", 20, "--first-layer-neurons", 12, "--second-layer-neurons", 8)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Makes a folder with an unfriendly name, and the data in `data`."""
    folder = tmp_path_factory.mktemp("it's a; folder ü\n")
    tiny.write(folder / "data" / "deep down")
    return folder


@pytest.fixture(scope="module")
def output(place: Path) -> str:
    """Returns what a whole run prints."""
    done = stoker("train", "--data-folder", "data", *JOB, "--register", "tiny", cwd=place)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.fixture(scope="module")
def run(place: Path, output: str) -> RunDirectory:
    """Returns the run that printed `output`."""
    (found,) = list_runs(place / "runs")
    return found


def test_output_that_is_no_terminal_gets_one_plain_line_an_epoch(output: str):
    epochs = [line for line in output.splitlines() if line.startswith("epoch")]
    assert [line.split()[1] for line in epochs] == ["1/3", "2/3", "3/3"]
    assert "\x1b" not in output


def test_the_end_shows_final_figures_where_the_model_is_and_what_comes_next(output: str, run: RunDirectory):
    assert re.search(r"^Final test loss: 0\.\d+$", output, re.M)
    assert re.search(r"^Final test accuracy: [01]\.\d+$", output, re.M)
    assert f"model: runs/{run.run_id}/outputs/model/model.keras" in output
    assert f"next: {shlex.join([sys.executable, str(CLI)])} runs show {run.run_id}\n" in output
    assert "the test set served as validation" in output


def test_tensorflow_prints_nothing(output: str, run: RunDirectory):
    for text in (output, run.log.read_text()):
        assert not re.search(r"tensorflow|cuda|absl|oneDNN|WARNING", text, re.I)


def test_the_log_is_what_was_shown(output: str, run: RunDirectory):
    assert output.removeprefix("preparing\n").startswith(run.log.read_text())


def test_metrics_have_the_tutorials_names_beside_those_of_the_training(run: RunDirectory):
    names = {line["name"] for line in run.metrics()}
    assert names == {
        "Loss",
        "Accuracy",
        "Training loss",
        "Training accuracy",
        "Learning rate",
        "Final test loss",
        "Final test accuracy",
    }
    assert [line["epoch"] for line in run.metrics() if line["name"] == "Accuracy"] == [1, 2, 3]


def test_the_folder_of_the_run_holds_what_it_should(run: RunDirectory):
    names = {path.relative_to(run.path).as_posix() for path in run.path.rglob("*") if path.is_file()}
    assert names == {
        ".lock",
        "job.json",
        "handle.json",
        "backend.json",
        "status.json",
        "summary.json",
        "environment.json",
        "events.jsonl",
        "metrics.jsonl",
        "log.txt",
        "report.html",
        "trained.json",
        *(f"checkpoints/00000{n}/{name}" for n in (2, 3) for name in ("variables.npz", "state.json", "COMMIT")),
        *(f"outputs/model/{name}" for name in ("model.keras", "model.json", "model.weights.h5")),
        "outputs/model/README.txt",
        "outputs/model/MANIFEST.json",
        "outputs/plots/Accuracy vs Loss.png",
    }


def test_events_record_the_run_in_order(run: RunDirectory):
    kinds = [event.kind for event in run.events()]
    assert [kind for kind in kinds if kind != "checkpointed"] == ["submitted", "started", *["epoch"] * 3, "finished"]
    assert [event.data["epoch"] for event in run.events() if event.kind == "checkpointed"] == [1, 2, 3]


def test_the_environment_is_recorded(run: RunDirectory):
    environment = run.environment()
    assert environment["packages"]["keras"]
    assert environment["seed"] == 0
    assert environment["threads"] >= 1
    assert environment["execution_mode"] == "graph"
    assert environment["execution_mode_reason"] == "XLA would take longer to compile than it saves in 51 steps"
    assert environment["dataset"]["sources"]


def test_the_picture_is_a_png(run: RunDirectory):
    assert (run.plots / "Accuracy vs Loss.png").read_bytes().startswith(b"\x89PNG\r\n")


def test_the_manifest_has_the_digest_of_each_file_of_the_model(run: RunDirectory):
    manifest = json.loads((run.model / "MANIFEST.json").read_text())["files"]
    for name, digest in manifest.items():
        assert digest == f"sha256:{hashlib.sha256((run.model / name).read_bytes()).hexdigest()}"
    assert set(manifest) == {"model.keras", "model.json", "model.weights.h5", "README.txt"}


_PLAIN_KERAS = """
import sys
import keras, numpy as np
images = np.load("images.npy")
whole = keras.models.load_model("model.keras").predict(images, verbose=0)
pair = keras.models.model_from_json(open("model.json").read())
pair.load_weights("model.weights.h5")
scaled = pair.predict(images.reshape(len(images), -1).astype("float32") / 255, verbose=0)
assert not any(name.startswith("stoker") for name in sys.modules)
np.testing.assert_allclose(whole, scaled, atol=1e-6)
np.save("digits.npy", whole.argmax(axis=1))
"""


def test_the_model_and_the_tutorials_pair_load_in_plain_keras_and_agree(run: RunDirectory, tmp_path: Path):
    images, labels = tiny.arrays(60, 2)
    for name in ("model.keras", "model.json", "model.weights.h5"):
        (tmp_path / name).write_bytes((run.model / name).read_bytes())
    np.save(tmp_path / "images.npy", images)
    subprocess.run([sys.executable, "-c", _PLAIN_KERAS], cwd=tmp_path, check=True, capture_output=True)
    accuracy = float((np.load(tmp_path / "digits.npy") == labels).mean())
    (summary,) = [run.summary()]
    assert summary is not None
    assert accuracy == pytest.approx(summary.metrics["Final test accuracy"])


def test_the_model_is_registered_with_where_it_came_from(run: RunDirectory):
    version = Registry.beside(run).latest("tiny")
    assert version.version == 1
    assert version.digest == hashlib.sha256((run.model / "model.keras").read_bytes()).hexdigest()
    assert Registry.beside(run).record(Path(version.location))["run"] == run.run_id


def test_runs_list_and_show_say_how_the_run_ended(place: Path, run: RunDirectory):
    listed = stoker("runs", "list", cwd=place).stdout
    assert run.run_id in listed
    assert "completed" in listed
    shown = stoker("runs", "show", cwd=place).stdout
    assert "model.keras" in shown
    value = json.loads(stoker("runs", "show", "--json", run.run_id[-6:], cwd=place).stdout)
    assert value["state"] == "completed"
    assert value["job"]["batch_size"] == 20


def test_what_a_run_was_asked_for_besides_the_usual_is_shown(tmp_path: Path):
    asked = {"validation_fraction": 0.25, "class_weight": "balanced", "keep": "best", "plugins": (str(tmp_path),)}
    job = TrainJob(epochs=20, options={"neurons": 0, "wide": True, "off": False, "nothing": ""}, **asked)
    run = RunDirectory.create(tmp_path / "runs", job)
    run.write_handle(Handle(backend="local", reference=str(run.path)))
    run.write_backend_choice(BackendChoice(name="local", options={}))
    run.write_status(RunStatus(state=RunState.CANCELLED))
    run.append_metrics(3, {"Loss": 0.5}, 1.0)
    shown = stoker("runs", "show", cwd=tmp_path).stdout
    rows = dict(line.split("  ", 1) for line in shown.splitlines())
    assert {name: value.strip() for name, value in rows.items()}.items() >= {
        "epochs": "3 of 20",
        "validation fraction": "0.25",
        "class weight": "balanced",
        "keep": "best",
        "plugins": str(tmp_path),
        "neurons": "0",
        "wide": "yes",
    }.items()
    assert not rows.keys() & {"off", "nothing", "threads"}


def test_logs_and_attach_of_a_finished_run_show_it_whole(place: Path, run: RunDirectory):
    assert stoker("runs", "logs", cwd=place).stdout == run.log.read_text()
    assert stoker("runs", "attach", cwd=place).stdout.startswith(run.log.read_text())


def test_fetching_copies_the_outputs(place: Path, run: RunDirectory, tmp_path: Path):
    done = stoker("runs", "fetch", "--output", tmp_path / "out", cwd=place)
    assert done.returncode == 0
    assert (tmp_path / "out/model/model.keras").read_bytes() == (run.model / "model.keras").read_bytes()


def test_the_same_seed_ends_with_the_same_weights_and_another_seed_with_others(place: Path, run: RunDirectory):
    def weights(path: Path) -> dict[str, Any]:
        with np.load(path / "checkpoints/000003/variables.npz") as arrays:
            return {name: arrays[name].tobytes() for name in arrays}

    again = stoker("train", "--data-folder", "data", *JOB, "--runs-dir", "again", cwd=place)
    other = stoker("train", "--data-folder", "data", *JOB, "--runs-dir", "other", "--seed", 1, cwd=place)
    assert (again.returncode, other.returncode) == (0, 0)
    (same,), (different,) = list_runs(place / "again"), list_runs(place / "other")
    assert weights(same.path) == weights(run.path)
    assert weights(different.path) != weights(run.path)


def test_a_held_out_part_serves_as_validation_and_the_test_set_once_at_the_end(place: Path):
    done = stoker("train", "--data-folder", "data", *JOB, "--validation-fraction", 0.2, "--runs-dir", "held", cwd=place)
    assert done.returncode == 0
    assert "served as validation" not in done.stdout
    (found,) = list_runs(place / "held")
    last = {line["name"]: line["value"] for line in found.metrics()}
    assert last["Final test loss"] != last["Loss"]


def test_notes_about_the_data_are_in_the_log_once(place: Path, tmp_path: Path):
    (tmp_path / "cache").write_text("in the way")
    job = ("train", "--dataset", "mnist", "--epochs", 1, "--batch-size", 5000, "--runs-dir", "noted")
    done = stoker(*job, cwd=place, STOKER_CACHE_DIR=str(tmp_path / "cache"))
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("the copy of mnist that comes with stoker is used") == 1


def test_mnist_trains_at_once_without_a_word_about_mirrors(place: Path, tmp_path: Path):
    nowhere = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), "http://127.0.0.1:9")
    job = ("train", "--dataset", "mnist", "--epochs", 1, "--batch-size", 5000, "--runs-dir", "at once")
    done = stoker(*job, cwd=place, STOKER_CACHE_DIR=str(tmp_path / "cache"), NO_PROXY="", no_proxy="", **nowhere)
    assert done.returncode == 0, done.stderr
    assert "mirror" not in done.stdout + done.stderr
    assert "note: " not in done.stdout


def test_a_tensorflow_of_another_distribution_trains(place: Path, tmp_path: Path):
    """As tensorflow-cpu, tf-nightly or a system's package: pip knows no distribution of the module's name."""
    hidden = ("tensorflow", "keras", "numpy")
    (tmp_path / "sitecustomize.py").write_text(
        "from importlib import metadata\n"
        "ALL = metadata.MetadataPathFinder.find_distributions\n"
        "def find(*context):\n"
        f"    return [each for each in ALL(*context) if (each.name or '').lower() not in {hidden}]\n"
        "metadata.MetadataPathFinder.find_distributions = staticmethod(find)\n"
    )
    job = ("train", "--data-folder", "data", *JOB, "--runs-dir", "other name")
    done = stoker(*job, cwd=place, PYTHONPATH=str(tmp_path))
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    (found,) = list_runs(place / "other name")
    recorded = found.environment()
    assert recorded
    assert recorded["packages"]["numpy"] == np.__version__
    assert set(recorded["packages"]) == {"stoker", *hidden}


def test_json_output_is_one_object_a_line(place: Path):
    done = stoker("train", "--data-folder", "data", *JOB, "--json", "--runs-dir", "json", cwd=place)
    values = [json.loads(line) for line in done.stdout.splitlines()]
    assert [value["epoch"] for value in values if value["kind"] == "epoch"] == [1, 2, 3]


def test_quiet_prints_nothing(place: Path):
    done = stoker("train", "--data-folder", "data", *JOB, "--quiet", "--runs-dir", "quiet", cwd=place)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_dry_run_shows_what_would_happen_and_does_nothing(place: Path):
    done = stoker("train", "--data-folder", "data", "--dry-run", "--runs-dir", "dry", cwd=place)
    assert done.returncode == 0
    assert "20 epochs of batches of 50" in done.stdout
    assert not (place / "dry").exists()


def test_a_dry_run_writes_the_plan_and_the_job_into_the_given_folder(place: Path):
    done = stoker("train", "--data-folder", "data", *JOB, "--dry-run", "a plan", "--runs-dir", "dry", cwd=place)
    assert done.stdout.endswith("written to a plan\n")
    assert (place / "a plan" / "plan.txt").read_text() in done.stdout
    assert TrainJob.from_json(json.loads((place / "a plan" / "job.json").read_text())).epochs == 3
    assert not (place / "dry").exists()


def test_a_dry_run_writes_over_nothing(place: Path):
    done = stoker("train", "--data-folder", "data", "--dry-run", "data", cwd=place)
    assert (done.returncode, done.stdout.count("written")) == (2, 0)
    assert done.stderr == "error: data exists\n  expected: a new or empty folder\nhint: choose another folder\n"


def test_a_model_of_the_users_own_trains(place: Path):
    (place / "my model.py").write_text(
        "import keras\n"
        "def small(config):\n"
        "    model = keras.Sequential([keras.Input(config.input_shape, dtype=config.input_dtype),\n"
        "        keras.layers.Rescaling(1 / 255), keras.layers.Flatten(), keras.layers.Dropout(0.1),\n"
        "        keras.layers.Dense(config.classes, activation='softmax')])\n"
        "    model.compile('adam', 'sparse_categorical_crossentropy', metrics=['accuracy'])\n"
        "    return model\n"
    )
    done = stoker(
        *("train", "--data-folder", "data", "--epochs", 2, "--runs-dir", "own", "--model", "my model.py:small"),
        cwd=place,
    )
    assert (done.returncode, done.stderr) == (0, "")
    (found,) = list_runs(place / "own")
    assert "no model.json" in (found.model / "README.txt").read_text()


def test_a_model_that_raises_fails_the_run_with_its_traceback_in_the_log(place: Path):
    (place / "bad.py").write_text("def build(config):\n    raise RuntimeError('no such layer')\n")
    done = stoker("train", "--data-folder", "data", "--runs-dir", "bad", "--model", "bad.py", cwd=place)
    assert done.returncode == 1
    assert (done.stdout.count("no such layer\n"), done.stderr.count("no such layer")) == (1, 0)
    (name,) = (path.name for path in (place / "bad").iterdir())
    logs = f"{shlex.join([sys.executable, str(CLI)])} runs logs {name} --runs-dir bad"
    assert done.stderr == f"error: the run {name} has failed\nhint: {logs}\n"  # without a resume, which would fail too
    (found,) = list_runs(place / "bad")
    assert "Traceback" in found.log.read_text()
    assert stoker("runs", "list", "--runs-dir", "bad", cwd=place).stdout.count("failed") == 1


def test_the_best_epoch_is_kept_and_exported_when_asked(place: Path):
    done = stoker(
        *("train", "--data-folder", "data", "--epochs", 12, "--learning-rate", 0.05, "--keep", "best"),
        *("--runs-dir", "best"),
        cwd=place,
    )
    assert done.returncode == 0, done.stderr
    (found,) = list_runs(place / "best")
    losses = [line["value"] for line in found.metrics() if line["name"] == "Loss"]
    best = 1 + losses.index(min(losses))
    assert f"best epoch: {best}" in done.stdout
    assert (found.checkpoints / f"{best:06}" / "COMMIT").is_file()
    said = [event.data["epoch"] for event in found.events() if event.kind == "checkpointed"]
    assert said == list(range(1, 13))
    (final,) = [line["value"] for line in found.metrics() if line["name"] == "Final test loss"]
    assert final == pytest.approx(min(losses), abs=1e-6)


def test_a_run_without_a_checkpoint_starts_from_scratch_with_its_figures_too(place: Path):
    job = ("train", "--data-folder", "data", "--epochs", 2, "--runs-dir", "scratch")
    assert stoker(*job, cwd=place).returncode == 0
    (found,) = list_runs(place / "scratch")
    for state in found.checkpoints.glob("*/COMMIT"):
        state.write_text("damaged")
    resumed = stoker("train", "--resume", "latest", "--epochs", 3, "--runs-dir", "scratch", cwd=place)
    assert resumed.returncode == 0, resumed.stderr
    assert "training starts from the beginning" in resumed.stdout
    assert [line["epoch"] for line in found.metrics() if line["name"] == "Loss"] == [1, 2, 3]


def test_a_resume_with_other_threads_is_refused_unless_drift_is_allowed(place: Path):
    job = ("train", "--data-folder", "data", "--epochs", 1, "--runs-dir", "drift")
    assert stoker(*job, cwd=place).returncode == 0
    (found,) = list_runs(place / "drift")
    environment = found.environment()
    assert environment is not None
    found.write_environment({**environment, "threads": 77})
    again = ("train", "--resume", "latest", "--epochs", 2, "--runs-dir", "drift")
    refused = stoker(*again, cwd=place)
    assert refused.returncode == 1
    assert "threads: 77" in refused.stdout
    assert "--allow-drift" in refused.stdout
    allowed = stoker(*again, "--allow-drift", cwd=place)
    assert allowed.returncode == 0, allowed.stderr
    assert "the result may differ" in allowed.stdout


def test_a_missing_gpu_is_reported_clearly(place: Path):
    done = stoker(
        "train", "--data-folder", "data", "--device", "gpu", "--runs-dir", "gpu", cwd=place, CUDA_VISIBLE_DEVICES=""
    )
    assert done.returncode == 1
    assert (done.stdout.count("no GPU"), done.stderr.count("no GPU"), done.stderr.count("--resume")) == (1, 0, 0)
    assert "--device cpu" in done.stdout


REFUSED = {
    "is None": ("    pass", "can't be trained", "NoneType"),
    "is not compiled": (
        "    import keras\n    return keras.Sequential([keras.Input(config.input_shape), keras.layers.Flatten()])",
        "is not compiled",
        "model.compile(",
    ),
    "can't be saved": (
        "    import keras\n"
        "    class Odd(keras.layers.Layer):\n"
        "        def __init__(self, units, other):\n"
        "            super().__init__()\n"
        "        def call(self, inputs):\n"
        "            return inputs\n"
        "    model = keras.Sequential([keras.Input(config.input_shape), keras.layers.Flatten(), Odd(1, object())])\n"
        "    model.compile('sgd', 'mse')\n"
        "    return model",
        "could not be saved",
        "get_config",
    ),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_a_model_that_could_not_be_trained_or_saved_is_refused_before_the_training(place: Path, kind: str):
    body, what, words = REFUSED[kind]
    (place / "refused.py").write_text(f"def build(config):\n{body}\n")
    done = stoker("train", "--data-folder", "data", "--runs-dir", "refused", "--model", "refused.py", cwd=place)
    assert done.returncode == 1
    assert what in done.stdout
    assert what not in done.stderr
    assert words in done.stdout
    assert "epoch" not in done.stdout


def test_a_run_that_a_callback_ended_continues_when_it_is_given_more_epochs(place: Path):
    (place / "stopper.py").write_text(
        "from stoker.engine.hookspecs import hookimpl\n"
        "@hookimpl\n"
        "def stoker_callbacks():\n"
        "    import keras\n"
        "    return [keras.callbacks.EarlyStopping(monitor='loss', mode='max', patience=1)]\n"
    )
    first = stoker(
        *("-p", "stopper.py", "train", "--data-folder", "data", "--epochs", 30, "--runs-dir", "stopped"), cwd=place
    )
    assert first.returncode == 0, first.stderr
    (found,) = list_runs(place / "stopped")
    summary = found.summary()
    assert summary is not None
    assert summary.epochs == 2
    again = stoker("train", "--resume", "latest", "--epochs", 31, "--runs-dir", "stopped", cwd=place)
    assert again.returncode == 0, again.stderr
    assert "epoch  3/31" in again.stdout

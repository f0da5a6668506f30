"""What is special about this backend: its options, its errors, what it uploads, and collecting a training's results."""

from __future__ import annotations

import ast
import io
import logging
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import time
import tokenize
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from ray.job_submission import JobSubmissionClient
from stoker.engine.errors import BackendError, InputError
from stoker.engine.job import TrainJob
from stoker.engine.rundir import RunDirectory
from stoker.engine.status import Handle, RunState
from stoker.engine.testing.backend import payloads

import stoker_ray
from stoker_ray.backend import RayBackend
from stoker_ray.storage import Storage

from .conftest import KEEPER, Head, Stoker

MODEL = """
import keras
from layers import last


def build(config):
    layers = [keras.Input(config.input_shape, dtype=config.input_dtype), keras.layers.Flatten(),
              keras.layers.Rescaling(1 / 255), last(config.classes)]
    model = keras.Sequential(layers, name="of_my_own")
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model
"""
LAYERS = """
import keras


def last(classes):
    return keras.layers.Dense(classes, activation="softmax")
"""
PLUGIN = """
from stoker.engine.hookspecs import hookimpl


@hookimpl
def stoker_run_event(event):
    print("the plugin saw:", event.kind, flush=True)
"""
NOWHERE = ("--ray-address", "http://127.0.0.1:1", "--ray-storage", "shared")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny data set, a model and a plugin."""
    folder = tmp_path_factory.mktemp("it's mine")
    (folder / "data").mkdir()
    for prefix, count, seed in (("train", 120, 1), ("t10k", 30, 2)):
        random = np.random.default_rng(seed)
        labels = np.arange(count, dtype=np.uint8) % 3
        images = random.integers(0, 80, (count, 6, 5), dtype=np.uint8)
        images[np.arange(count), labels * 2] += 150
        for name, array in ((f"{prefix}-images-idx3-ubyte", images), (f"{prefix}-labels-idx1-ubyte", labels)):
            head = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
            (folder / "data" / name).write_bytes(head + array.tobytes())
    (folder / "model.py").write_text(MODEL)
    (folder / "layers.py").write_text(LAYERS)
    (folder / "watcher.py").write_text(PLUGIN)
    return folder


@pytest.fixture(scope="module")
def trained(folder: Path, cluster: tuple[str, ...], stoker: Stoker) -> tuple[RunDirectory, str]:
    """A run that was trained on the cluster by the command line, and what that printed."""
    words = ("-p", "watcher.py", "train", "--backend", "ray", *cluster, "--model", "model.py:build")
    words += ("--data-folder", "data", "--epochs", 2, "--batch-size", 30, "--register", "tiny")
    done = stoker(*words, cwd=folder)
    warning = f"warning: each node must find the data folder {folder / 'data'}\n"
    assert (done.returncode, done.stderr) == (0, f"{warning}the plugin saw: submitted\n"), done.stdout
    return latest(folder / "runs"), done.stdout


@pytest.fixture
def backend(cluster: tuple[str, ...]) -> RayBackend:
    """The backend of the cluster."""
    return RayBackend(cluster[1], cluster[3])


def latest(runs: Path) -> RunDirectory:
    """The newest run of a folder: the names of runs sort by time."""
    return RunDirectory(sorted(path for path in runs.iterdir() if (path / "job.json").is_file())[-1])


def submitted(backend: RayBackend, root: Path, payload: str) -> tuple[RunDirectory, Handle]:
    """A run that trains nothing."""
    job = TrainJob(name=payload, plugins=(payloads.PLUGIN,), options={payloads.OPTION: payload})
    run = RunDirectory.create(root, job)
    return run, backend.submit(job, run.path)


def wait(backend: RayBackend, handle: Handle, *states: RunState) -> None:
    """Waits for one of these states."""
    deadline = time.monotonic() + 90
    while backend.status(handle).state not in states:
        assert time.monotonic() < deadline, backend.status(handle)
        time.sleep(0.2)


def test_the_package_has_at_most_250_lines_of_code():
    code = 0
    for path in Path(stoker_ray.__file__).parent.glob("*.py"):
        text = path.read_text()
        nodes = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Expr)]
        docs = {line for node in nodes if _is_text(node) for line in range(node.lineno, (node.end_lineno or 0) + 1)}
        tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
        words = [token for token in tokens if token.string.strip() and token.type != tokenize.COMMENT]
        code += len({line for token in words for line in range(token.start[0], token.end[0] + 1)} - docs)
    assert 200 < code <= 250


def _is_text(node: ast.Expr) -> bool:
    return isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def test_the_options_are_those_of_train(stoker: Stoker, tmp_path: Path):
    assert all(name in stoker("train", "--help", cwd=tmp_path).stdout for name in ("-address", "-storage", "-gpus"))
    assert "--ray" not in stoker("runs", "--help", cwd=tmp_path).stdout


def test_a_start_of_stoker_imports_neither_ray_nor_fsspec(stoker: Stoker, tmp_path: Path):
    code = "import atexit, sys; atexit.register(lambda: print({'ray', 'fsspec'} & set(sys.modules)))"
    assert stoker("plugins", cwd=tmp_path, code=code).stdout.endswith("set()\n")


@pytest.mark.parametrize(
    ("address", "storage"),
    [
        ("", "/tmp/x"),
        ("127.0.0.1:8265", "/tmp/x"),
        ("http://me:s3cr3t@127.0.0.1:8265", "/tmp/x"),
        ("http://127.0.0.1:8265", ""),
        ("http://127.0.0.1:8265", "ftp://me:s3cr3t@127.0.0.1/x"),
    ],
)
def test_an_address_that_is_none_or_has_a_password_in_it_is_refused(address: str, storage: str, tmp_path: Path):
    backend, job = RayBackend(address, storage), TrainJob()
    for call in (lambda: backend.plan(job), lambda: backend.submit(job, tmp_path)):
        with pytest.raises(InputError, match="can't be on Ray") as caught:
            call()
        assert "s3cr3t" not in f"{caught.value} {caught.value.hint}"


def test_no_gpus_are_what_no_option_means(stoker: Stoker, tmp_path: Path):
    words = ("train", "--backend", "ray", *NOWHERE, "--dry-run")
    assert "0 GPUs" in stoker(*words, cwd=tmp_path).stdout
    refused = stoker(*words, "--ray-gpus", -1, cwd=tmp_path)
    assert (refused.returncode, "--ray-gpus" in refused.stderr) == (2, True)


def test_a_dry_run_sends_no_request_and_says_what_each_node_must_have(stoker: Stoker, tmp_path: Path):
    words = (*NOWHERE, "--data-folder", "mine", "--dry-run")
    done = stoker("train", "--backend", "ray", *words, cwd=tmp_path)
    assert done.returncode == 0
    assert f"warning: each node must find the data folder {tmp_path / 'mine'}" in done.stdout
    assert f"write into {tmp_path / 'shared'}" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_names_what_the_code_of_the_job_imports_and_refuses_a_secret_in_it(
    folder: Path, stoker: Stoker, tmp_path: Path
):
    words = ("train", "--backend", "ray", *NOWHERE, "--model", f"{folder}/model.py:build", "--dry-run")
    planned = stoker(*words, cwd=tmp_path).stdout
    assert "send stoker and 3 files of the job" in planned
    assert re.search(r"import keras \S+ on each node", planned)
    token = "ghp_" + "z" * 36
    (tmp_path / "layers.py").write_text(LAYERS + f"TOKEN = '{token}'\n")
    (tmp_path / "model.py").write_text(MODEL)
    refused = stoker(*words[:-3], "--model", "model.py:build", "--dry-run", cwd=tmp_path)
    assert refused.returncode == 2
    assert "layers.py may not leave this machine: it holds a token of GitHub" in refused.stderr
    assert token not in refused.stderr


def test_without_a_cluster_at_the_address_the_error_says_so_and_how_to_fix_it(stoker: Stoker, tmp_path: Path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    words = ("--ray-address", address, "--ray-storage", tmp_path / "storage")
    done = stoker("train", "--backend", "ray", *words, cwd=tmp_path)
    assert done.returncode == 1
    assert f"error: no good answer from Ray at {address}" in done.stderr
    assert "hint: see --ray-address" in done.stderr


def test_a_storage_that_can_not_be_written_stops_the_run_before_it_is_sent(
    cluster: tuple[str, ...], stoker: Stoker, tmp_path: Path
):
    (tmp_path / "file").touch()
    done = stoker("train", "--backend", "ray", *cluster[:2], "--ray-storage", "file/below", cwd=tmp_path)
    assert done.returncode == 1
    assert "error: the storage can't be used" in done.stderr
    assert str(tmp_path / "file") in done.stderr
    run = latest(tmp_path / "runs")
    assert run.run_id not in [job.submission_id for job in JobSubmissionClient(cluster[1]).list_jobs()]


@pytest.mark.parametrize("storage", ["nosuch://bucket/x", "s3://bucket/x"])
def test_a_storage_whose_protocol_is_not_there_says_what_is_missing(storage: str, tmp_path: Path):
    run = RunDirectory.create(tmp_path, TrainJob())
    with pytest.raises(BackendError, match="the storage can't be used") as caught:
        RayBackend("http://127.0.0.1:1", storage).submit(TrainJob(), run.path)
    assert "s3fs" in caught.value.received or "nosuch" in caught.value.received


def test_without_ray_it_says_what_to_install(stoker: Stoker, tmp_path: Path):
    words = ("train", "--backend", "ray", *NOWHERE)
    done = stoker(*words, cwd=tmp_path, code="import sys; sys.modules['ray'] = None")
    assert done.returncode == 2
    assert done.stderr == "error: ray.job_submission can't be imported\nhint: pip install stoker-ray\n"


def test_a_training_with_a_model_a_plugin_and_data_of_ones_own_is_collected(
    trained: tuple[RunDirectory, str], folder: Path, stoker: Stoker, backend: RayBackend
):
    run, said = trained
    assert [line.split()[1] for line in said.splitlines() if line.startswith("epoch")] == ["1/2", "2/2"]
    assert "of_my_own" in said
    assert "the plugin saw: epoch" in said
    done = stoker("runs", "fetch", "--output", "mine", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert (folder / "mine" / "model" / "model.keras").is_file()
    assert (folder / "mine" / "plots" / "Accuracy vs Loss.png").is_file()
    assert "registered: tiny version 1" in said
    version = backend.register(run.handle(), "model", "tiny")
    assert (version.name, version.version) == ("tiny", 1)
    assert f"tiny  version 1  sha256 {version.digest[:12]}" in stoker("models", cwd=folder).stdout
    (listed,) = [line for line in stoker("runs", "list", cwd=folder).stdout.splitlines() if run.run_id in line]
    assert re.search(r"completed +2 +0\.\d+", listed)


def test_what_a_run_made_outlives_the_cluster(trained: tuple[RunDirectory, str], tmp_path: Path, backend: RayBackend):
    run, _ = trained
    handle = run.handle()
    before = b"".join(backend.logs(handle))
    client = JobSubmissionClient(os.environ["STOKER_RAY_TEST_ADDRESS"])
    while not client.get_job_status(run.run_id).is_terminal():
        time.sleep(0.1)
    client.delete_job(run.run_id)
    assert backend.status(handle).state is RunState.COMPLETED
    assert b"".join(backend.logs(handle)) == before
    assert "model/model.keras" in backend.fetch(handle, tmp_path / "target").files


def test_the_log_is_ray_s_without_what_ray_wrote(tmp_path: Path, backend: RayBackend):
    run, handle = submitted(backend, tmp_path, "succeed")
    wait(backend, handle, RunState.COMPLETED)
    whole = JobSubmissionClient(os.environ["STOKER_RAY_TEST_ADDRESS"]).get_job_logs(run.run_id).encode()
    log = b"".join(backend.logs(handle))
    assert log.startswith(payloads.STARTED.encode())
    assert whole.endswith(log)
    assert whole != log


def test_what_is_there_already_is_not_sent_again(tmp_path: Path, backend: RayBackend, caplog: pytest.LogCaptureFixture):
    submitted(backend, tmp_path, "succeed")
    caplog.set_level(logging.INFO, logger="ray.dashboard.modules.dashboard_sdk")
    submitted(backend, tmp_path, "succeed")
    said = [record.message for record in caplog.records if "Package" in record.message or "package" in record.message]
    assert len(said) == 3
    assert all("already exists" in line for line in said)


def test_the_address_of_the_run_counts_not_that_of_the_environment(
    tmp_path: Path, backend: RayBackend, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("RAY_ADDRESS", "http://127.0.0.1:1")
    _, handle = submitted(backend, tmp_path, "succeed")
    wait(backend, handle, RunState.COMPLETED)


def test_a_run_that_ended_is_not_resumed(trained: tuple[RunDirectory, str], backend: RayBackend):
    run, _ = trained
    with pytest.raises(BackendError, match="can't be resumed"):
        backend.submit(run.job(), run.path)


def test_a_job_that_waits_for_gpus_that_no_node_has_is_queued_and_can_be_cancelled(
    cluster: tuple[str, ...], tmp_path: Path
):
    backend = RayBackend(cluster[1], cluster[3], gpus=1)
    _, handle = submitted(backend, tmp_path, "succeed")
    time.sleep(2)
    assert backend.status(handle).state is RunState.QUEUED
    assert b"".join(backend.logs(handle)) == b""
    backend.cancel(handle)
    assert backend.status(handle).state is RunState.CANCELLED


def test_a_job_that_was_cancelled_while_it_waited_does_not_begin(tmp_path: Path):
    for name in ("job.json", "cancelled.json"):
        Storage(str(tmp_path), "20261124-run").write({"some": "thing"}, name)
    command = [sys.executable, "-m", "stoker_ray.node", str(tmp_path), "20261124-run"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (1, "cancelled before it began\n")


def test_a_node_that_does_not_see_the_storage_says_so_before_it_trains(tmp_path: Path):
    command = [sys.executable, "-m", "stoker_ray.node", str(tmp_path), "20261124-run"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr == f"error: this node finds no {tmp_path}/20261124-run/job.json; is the storage there?\n"


def test_a_training_that_dies_without_a_word_has_failed(tmp_path: Path, backend: RayBackend, head: Head):
    _, handle = submitted(backend, tmp_path, "wait")
    wait(backend, handle, RunState.RUNNING)
    deadline = time.monotonic() + 30
    while not (found := _processes(b"\0exec\0", handle.reference.rpartition("/")[2].encode())):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    os.kill(found[0], signal.SIGKILL)
    wait(backend, handle, RunState.FAILED)
    assert backend.status(handle).message == "the training process ended without reporting a status"


def _processes(*words: bytes) -> list[int]:
    """The processes whose command line has all these words."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes()
        except OSError:
            continue
        if all(word in line for word in words):
            found.append(int(path.parent.name))
    return found


def _group(leader: int) -> list[int]:
    """The processes of a group that are no zombies."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, group = path.read_text().rpartition(")")[2].split()[:3]
        except OSError:
            continue
        if int(group) == leader and state != "Z":
            found.append(int(path.parent.name))
    return found


def test_every_listener_of_the_cluster_is_on_this_machine_alone(trained: tuple[RunDirectory, str], head: Head):
    sockets = set()
    for process in _group(head.group):
        for link in Path(f"/proc/{process}/fd").glob("*"):
            try:
                sockets.add(link.readlink().name)
            except OSError:
                continue
    lines = [
        line.split() for name in ("tcp", "tcp6") for line in Path("/proc/self/net", name).read_text().splitlines()[1:]
    ]
    listening = {line[1] for line in lines if line[3] == "0A" and f"socket:[{line[9]}]" in sockets}
    assert len(listening) > 3
    here = {"0100007F", "0000000000000000FFFF00000100007F"}  # 127.0.0.1, and the same as the kernel writes it in IPv6
    assert {address.partition(":")[0] for address in listening} <= here


def test_ray_does_not_report_how_it_is_used(head: Head):
    with urllib.request.urlopen(f"{head.address}/usage_stats_enabled", timeout=10) as response:
        assert b'"usageStatsEnabled": false' in response.read()


def test_the_cluster_ends_with_a_test_run_that_is_killed():
    code = f"""
import subprocess, sys, time
keeper = subprocess.Popen([sys.executable, {str(KEEPER)!r}], stdin=-1, stdout=-1, text=True)
print(keeper.stdout.readline().strip() and keeper.pid, flush=True)
time.sleep(600)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout
        group = int(run.stdout.readline())
        assert _group(group)
        run.kill()
    deadline = time.monotonic() + 30
    while left := _group(group):
        assert time.monotonic() < deadline, left
        time.sleep(0.2)

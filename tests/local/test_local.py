"""The life of a local run: detached, watched, cancelled, killed, resumed."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import importlib.util
import os
import pty
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stoker.engine import files, locks
from stoker.engine.errors import BackendError, InputError, StorageError
from stoker.engine.event import EventKind, RunEvent
from stoker.engine.job import TrainJob
from stoker.engine.process import ProcessIdentity
from stoker.engine.rundir import RunDirectory
from stoker.engine.runs import launch
from stoker.engine.runs.find import find_run, list_runs
from stoker.engine.status import Handle, RunState, RunStatus
from stoker.engine.summary import RunSummary
from stoker.plugins.commands import verify_resume
from stoker.plugins.local import backend, process
from stoker.plugins.local.backend import LocalBackend

from .. import tiny
from ..patience import PATIENCE_S
from ..stoker_process import start, stoker

JOB = ("train", "--data-folder", "data", "--batch-size", 20, "--first-layer-neurons", 12, "--second-layer-neurons", 8)
LONG = (*JOB, "--epochs", 100_000)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Makes a folder with the data in `data`."""
    folder = tmp_path_factory.mktemp("place")
    tiny.write(folder / "data")
    return folder


def wait_until(true: Callable[[], bool]) -> None:
    """Returns as soon as something is true; fails after a while."""
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def detached(place: Path, name: str, *more: object) -> RunDirectory:
    """Returns a run that would train forever, past its second epoch."""
    done = stoker(*LONG, "--detach", "--name", name, *more, cwd=place)
    assert done.returncode == 0, done.stderr
    run = find_run(place / "runs", done.stdout.split()[1])
    wait_until(lambda: run.log.read_text().count("\nepoch") >= 2)
    return run


def state(run: RunDirectory) -> RunState:
    """Returns what the backend says of the run."""
    return LocalBackend().status(run.handle()).state


def pid(run: RunDirectory) -> int:
    """Returns the process of the run."""
    found = run.status_record()
    assert found is not None
    assert found.process is not None
    return found.process.pid


def epochs(text: str) -> list[int]:
    """Returns the numbers of the epochs in a log, in its order."""
    return [int(line.split()[1].partition("/")[0]) for line in text.splitlines() if line.startswith("epoch")]


def test_a_detached_run_continues_and_is_watched_from_elsewhere_without_a_gap(place: Path):
    run = detached(place, "watched")
    watchers = [start("runs", "attach", run.run_id, cwd=place, stdout=subprocess.PIPE) for _ in range(2)]
    wait_until(lambda: run.log.read_text().count("\nepoch") >= 60)
    assert stoker("runs", "cancel", run.run_id, cwd=place).returncode == 0
    for watcher in watchers:
        text, _ = watcher.communicate(timeout=PATIENCE_S)
        assert watcher.returncode == 1
        assert epochs(text) == list(range(1, len(epochs(text)) + 1))
        assert text == run.log.read_text()


def test_cancelling_is_graceful_may_be_repeated_and_leaves_no_process(place: Path):
    run = detached(place, "cancelled")
    process = pid(run)
    assert stoker("runs", "cancel", run.run_id, cwd=place).returncode == 0
    assert state(run) is RunState.CANCELLED
    assert "killed" not in LocalBackend().status(run.handle()).message
    again = stoker("runs", "cancel", run.run_id, cwd=place)
    assert (again.returncode, "ended already" in again.stdout) == (0, True)
    wait_until(lambda: not Path(f"/proc/{process}").exists())


GRAPH = """
from stoker.models.dnn import build as dnn

def build(config):
    model = dnn(config)  # in one mode, whatever the number of epochs
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"], jit_compile=False)
    return model
"""


def test_a_killed_run_is_lost_and_resumes_to_the_same_weights_as_one_that_was_not(place: Path):
    (place / "graph.py").write_text(GRAPH)
    run = detached(place, "killed", "--model", "graph.py")
    os.kill(pid(run), signal.SIGKILL)
    wait_until(lambda: state(run) is RunState.LOST)
    done = sorted(int(folder.name) for folder in run.checkpoints.iterdir() if folder.name.isdigit())
    goal = done[-1] + 3
    listed = stoker("runs", "list", cwd=place).stdout
    assert "lost" in listed
    straight_job = (*JOB, "--model", "graph.py", "--epochs", goal, "--runs-dir", "straight")
    assert stoker(*straight_job, cwd=place).returncode == 0
    resumed = stoker("train", "--resume", run.run_id, "--epochs", goal, cwd=place)
    assert resumed.returncode == 0, resumed.stderr
    assert f"resumed after epoch {done[-1]}" in resumed.stdout
    assert epochs(resumed.stdout) == [done[-1] + 1, done[-1] + 2, done[-1] + 3]
    (straight,) = list_runs(place / "straight")
    last = f"{goal:06}/variables.npz"
    assert (run.checkpoints / last).read_bytes() == (straight.checkpoints / last).read_bytes()

    def figures(one: RunDirectory) -> list[tuple[int, str, float]]:
        return [(line["epoch"], line["name"], line["value"]) for line in one.metrics()]

    assert figures(run) == figures(straight)


def test_a_finished_run_with_nothing_left_says_so(place: Path):
    assert stoker(*JOB, "--epochs", 1, "--runs-dir", "short", cwd=place).returncode == 0
    again = stoker("train", "--resume", "latest", "--runs-dir", "short", cwd=place)
    assert again.returncode == 2
    assert "has finished, after 1 epochs" in again.stderr
    assert "--epochs" in again.stderr


def test_other_options_than_epochs_are_refused_at_a_resume(place: Path):
    done = stoker("train", "--resume", "latest", "--runs-dir", "short", "--batch-size", 3, cwd=place)
    assert done.returncode == 2
    assert "--batch-size can't be changed when resuming" in done.stderr


def test_a_running_run_is_not_resumed_a_second_time(place: Path):
    run = detached(place, "running")
    again = stoker("train", "--resume", run.run_id, cwd=place)
    assert again.returncode == 1
    assert "is running" in again.stderr
    stoker("runs", "cancel", run.run_id, cwd=place)


def test_submitting_twice_gives_one_process_and_the_same_handle(place: Path):
    run = detached(place, "twice")
    before = pid(run)
    backend = LocalBackend()
    assert backend.submit(run.job(), run.path) == run.handle()
    assert pid(run) == before
    assert state(run) is RunState.RUNNING
    backend.cancel(run.handle())


def test_the_run_outlives_a_terminal_that_was_closed(place: Path):
    master, slave = pty.openpty()
    watcher = start(
        *LONG, "--name", "closed", cwd=place, stdin=slave, stdout=slave, stderr=slave, start_new_session=True
    )
    wait_until(lambda: any("closed" in run.run_id for run in list_runs(place / "runs")))
    run = next(run for run in list_runs(place / "runs") if "closed" in run.run_id)
    wait_until(lambda: run.log.read_text().count("\nepoch") >= 1)
    os.killpg(watcher.pid, signal.SIGHUP)
    os.close(slave)
    os.close(master)
    watcher.wait(timeout=PATIENCE_S)
    seen = run.log.read_text().count("\nepoch")
    wait_until(lambda: run.log.read_text().count("\nepoch") > seen + 5)
    assert state(run) is RunState.RUNNING
    LocalBackend().cancel(run.handle())


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupt_without_a_terminal_cancels_the_run(place: Path, number: signal.Signals, code: int):
    name = f"interrupted-{number}"
    watcher = start(
        *LONG, "--name", name, cwd=place, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL
    )
    wait_until(lambda: any(name in run.run_id for run in list_runs(place / "runs")))
    run = next(run for run in list_runs(place / "runs") if name in run.run_id)
    wait_until(lambda: run.log.read_text().count("\nepoch") >= 1)
    watcher.send_signal(number)
    _, text = watcher.communicate(timeout=PATIENCE_S)
    assert watcher.returncode == code
    assert f" train --resume {run.run_id}\n" in text
    assert state(run) is RunState.CANCELLED


@pytest.mark.parametrize(("answer", "expected"), [(b"d\n", RunState.RUNNING), (b"c\n", RunState.CANCELLED)])
def test_ctrl_c_in_a_terminal_asks_whether_to_detach_or_to_cancel(place: Path, answer: bytes, expected: RunState):
    master, slave = pty.openpty()
    name = f"asked-{expected}"
    watcher = start(*LONG, "--name", name, cwd=place, stdin=slave, stdout=slave, stderr=slave)
    wait_until(lambda: any(name in run.run_id for run in list_runs(place / "runs")))
    run = next(run for run in list_runs(place / "runs") if name in run.run_id)
    wait_until(lambda: run.log.read_text().count("\nepoch") >= 1)
    os.set_blocking(master, False)
    shown = _read_until(master, b"")
    watcher.send_signal(signal.SIGINT)
    shown = _read_until(master, b"ancel it?")
    assert b"[d]etach" in shown
    os.write(master, answer)
    wait_until(lambda: watcher.poll() is not None or not _read_until(master, b""))
    assert watcher.wait(timeout=PATIENCE_S) == (0 if expected is RunState.RUNNING else 130)
    assert state(run) is expected
    LocalBackend().cancel(run.handle())
    os.close(slave)
    os.close(master)


def _read_until(master: int, wanted: bytes) -> bytes:
    """Returns what a terminal shows, up to the wanted text."""
    seen = b""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        try:
            seen += os.read(master, 1 << 16)
        except BlockingIOError:
            if not wanted or wanted in seen:
                return seen
            time.sleep(0.02)
    return seen


def test_a_run_that_is_not_there_is_lost_not_an_error(tmp_path: Path):
    status = LocalBackend().status(Handle(backend="local", reference=str(tmp_path / "nothing")))
    assert status.state is RunState.LOST
    assert "no run" in status.message


def test_a_run_whose_process_never_came_up_is_lost(tmp_path: Path):
    run = RunDirectory(tmp_path)
    run.write_status(RunStatus(state=RunState.PREPARING))
    assert LocalBackend().status(Handle(backend="local", reference=str(tmp_path))).state is RunState.LOST


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        ([EventKind.SUBMITTED, EventKind.STARTED, EventKind.FINISHED], RunState.COMPLETED),
        ([EventKind.SUBMITTED, EventKind.FAILED], RunState.FAILED),
        ([EventKind.SUBMITTED, EventKind.CANCELLED], RunState.CANCELLED),
        ([EventKind.SUBMITTED, EventKind.FINISHED, EventKind.SUBMITTED, EventKind.STARTED], RunState.LOST),
        ([], RunState.LOST),
    ],
)
def test_a_run_whose_status_is_damaged_has_the_state_that_its_last_event_tells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kinds: list[EventKind], expected: RunState
):
    monkeypatch.setattr(backend, "_PATIENCE_S", 0.1)
    run = RunDirectory(tmp_path)
    for kind in kinds:
        run.append_event(RunEvent(kind=kind, run_id=run.run_id))
    (tmp_path / "status.json").write_text("{")
    handle = Handle(backend="local", reference=str(tmp_path))
    status = LocalBackend().status(handle)
    assert (status.state, status.message) == (expected, f"{tmp_path / 'status.json'} can't be read")
    with locks.lock(run.lock):
        assert LocalBackend().status(handle).state is RunState.RUNNING


@pytest.fixture
def foreign() -> Iterator[subprocess.Popen[bytes]]:
    """A process that has nothing to do with any run, and must live on."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process
        assert process.poll() is None
        process.communicate(b"\n")
        assert process.returncode == 0


FORGED: dict[str, dict[str, object]] = {
    "the number alone": {"started": "", "boot": "", "namespace": ""},
    "another start": {"started": "1"},
    "another boot": {"boot": "another"},
    "another container": {"namespace": "pid:[1]"},
    "all processes": {"pid": -1},
    "its group": {"pid": 0},
    "process 1": {"pid": 1},
    "text": {"pid": "all"},
}


@pytest.mark.parametrize("locked", [False, True], ids=["dead", "locked"])
@pytest.mark.parametrize("forged", FORGED)
def test_a_process_that_is_not_the_runs_is_never_signalled(
    tmp_path: Path, foreign: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch, forged: str, *, locked: bool
):
    monkeypatch.setattr(process, "GRACE_S", 0.2)
    identity = ProcessIdentity.of(foreign.pid)
    assert identity
    value = identity.to_json() | FORGED[forged] | {"state": "running", "heartbeat_s": time.time() - 999}
    files.write_json(tmp_path / "status.json", value)
    handle = Handle(backend="local", reference=str(tmp_path))
    with locks.lock(tmp_path / ".lock") if locked else contextlib.nullcontext():
        if locked:
            with pytest.raises(BackendError, match="none was signalled") as caught:
                LocalBackend().cancel(handle)
            assert "fuser" in caught.value.hint
        else:
            LocalBackend().cancel(handle)
    assert LocalBackend().status(handle).state is RunState.LOST


@pytest.mark.parametrize("clock_s", [0.0, -86_400.0, 86_400.0], ids=["right", "a day behind", "a day ahead"])
def test_a_run_of_another_machine_is_alive_if_its_heartbeat_is_recent_or_changes(tmp_path: Path, clock_s: float):
    run, beats = RunDirectory(tmp_path), threading.Event()
    handle, elsewhere = Handle(backend="local", reference=str(tmp_path)), {"state": "running", "host": "elsewhere"}

    def beat() -> None:
        while not beats.wait(0.05):
            files.write_json(run.path / "status.json", elsewhere | {"heartbeat_s": time.time() + clock_s})

    thread = threading.Thread(target=beat)
    thread.start()
    wait_until((run.path / "status.json").exists)
    assert LocalBackend().status(handle).state is RunState.RUNNING
    with pytest.raises(BackendError, match="on the machine elsewhere"):
        LocalBackend().cancel(handle)
    beats.set()
    thread.join()
    files.write_json(run.path / "status.json", elsewhere | {"heartbeat_s": time.time() - 120 + clock_s})
    assert LocalBackend().status(handle).state is RunState.LOST


def test_a_run_of_another_container_with_this_name_is_left_to_that_container(tmp_path: Path):
    mine = ProcessIdentity.of(os.getpid())
    assert mine
    run = RunDirectory(tmp_path)
    inside = dataclasses.replace(mine, namespace="pid:[1]")
    run.write_status(RunStatus(state=RunState.RUNNING), process=inside, host=socket.gethostname())
    with pytest.raises(BackendError, match="in another container, or on another machine called"):
        LocalBackend().cancel(Handle(backend="local", reference=str(tmp_path)))


@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_a_lock_that_is_no_plain_file_is_refused_and_never_waited_for(tmp_path: Path, kind: str):
    run = RunDirectory.create(tmp_path / "runs", TrainJob(offline=True))
    run.write_status(RunStatus(state=RunState.RUNNING))
    (tmp_path / "target").touch()
    make = {"link": lambda: run.lock.symlink_to(tmp_path / "target"), "pipe": lambda: os.mkfifo(run.lock)}
    make.get(kind, run.lock.mkdir)()
    handle = Handle(backend="local", reference=str(run.path))
    assert LocalBackend().status(handle).state is RunState.LOST
    with pytest.raises(StorageError, match="lock"):
        LocalBackend().submit(run.job(), run.path)
    LocalBackend().cancel(handle)


def test_looking_creates_no_lock_and_disturbs_no_other_look(tmp_path: Path):
    run = RunDirectory(tmp_path)
    run.write_status(RunStatus(state=RunState.RUNNING))
    handle, states = Handle(backend="local", reference=str(tmp_path)), []

    def look() -> None:
        states.extend(LocalBackend().status(handle).state for _ in range(200))

    lookers = [threading.Thread(target=look) for _ in range(4)]
    for looker in lookers:
        looker.start()
    for looker in lookers:
        looker.join()
    assert (set(states), run.lock.exists()) == ({RunState.LOST}, False)


def wait_for_followers(run: RunDirectory) -> list[ProcessIdentity]:
    """Returns the worker of a run, and not the process of its picture."""
    found: list[ProcessIdentity] = []

    def there() -> bool:
        record = run.status_record()
        followers = record.process.followers(run.run_id) if record and record.process else []
        found[:] = [each for each in followers if b"plot.py" not in Path(f"/proc/{each.pid}/cmdline").read_bytes()]
        return bool(found)

    wait_until(there)
    return found


FORKS = """
import multiprocessing, time
from stoker.models.dnn import build as dnn

def build(config):
    multiprocessing.get_context("fork").Process(target=time.sleep, args=(600,), daemon=True).start()
    return dnn(config)
"""


def test_a_worker_that_outlives_the_trainer_keeps_no_run_alive_and_is_ended(place: Path, tmp_path: Path):
    (tmp_path / "forks.py").write_text(FORKS)
    words = [str(word) for word in LONG]
    words[words.index("data")] = str(place / "data")
    done = stoker(*words[:-1], 4000, "--model", tmp_path / "forks.py", "--detach", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    run = find_run(tmp_path / "runs", "latest")
    wait_until(lambda: run.log.read_text().count("\nepoch") >= 1)
    record = run.status_record()
    assert record
    assert record.process
    (worker,) = wait_for_followers(run)
    record.process.send(signal.SIGKILL)
    wait_until(lambda: state(run) is RunState.LOST)
    assert worker.is_alive
    LocalBackend().submit(run.job(), run.path)
    assert not worker.is_alive
    (note,) = [line for line in run.log.read_text().splitlines() if "the attempt before had left running" in line]
    assert str(worker.pid) in note
    (worker,) = wait_for_followers(run)
    LocalBackend().cancel(run.handle())
    assert not worker.is_alive


class Told:
    """Plugins that record which events observers receive."""

    def __init__(self) -> None:
        self.kinds: list[str] = []

    def notify(self, event: RunEvent, job: TrainJob, run_dir: Path) -> None:
        assert (job.offline, run_dir.name) == (True, event.run_id)
        self.kinds.append(str(event.kind))


@pytest.mark.parametrize("written", ["nothing", "summary", "event"])
def test_a_run_that_was_killed_at_its_end_has_completed_when_all_is_written(tmp_path: Path, written: str):
    """Observers hear of it once, and a later look changes nothing."""
    run, told = RunDirectory.create(tmp_path / "runs", TrainJob(offline=True)), Told()
    run.write_handle(Handle(backend="local", reference=str(run.path)))
    run.append_event(RunEvent(kind=EventKind.STARTED, run_id=run.run_id, data={}))
    run.write_status(RunStatus(state=RunState.FINALIZING))
    if written != "nothing":
        run.write_summary(RunSummary(metrics={"Final test loss": 0.5}, epochs=1, model="outputs/model"))
    if written == "event":
        run.append_event(RunEvent(kind=EventKind.FINISHED, run_id=run.run_id, data={}))
    assert state(run) is (RunState.LOST if written == "nothing" else RunState.COMPLETED)
    with locks.lock(run.lock):
        assert state(run) is RunState.FINALIZING
        launch.settle(run, told)  # type: ignore[arg-type]
    assert told.kinds == []
    for _ in range(2):
        launch.settle(run, told)  # type: ignore[arg-type]
    assert told.kinds == (["finished"] if written == "summary" else [])
    record = run.status_record()
    assert record
    assert record.status.state is (RunState.FINALIZING if written == "nothing" else RunState.COMPLETED)


def test_a_moved_run_is_found_and_a_copy_never_acts_on_the_original(tmp_path: Path):
    run = RunDirectory.create(tmp_path / "runs", TrainJob(offline=True))
    run.write_handle(Handle(backend="local", reference=str(run.path)))
    run.write_status(RunStatus(state=RunState.COMPLETED))
    files.write_bytes(files.make_folder(run.outputs) / "model", b"weights")
    moved = RunDirectory(run.path.rename(files.make_folder(tmp_path / "elsewhere") / run.run_id))
    assert state(moved) is RunState.COMPLETED
    assert list(LocalBackend().fetch(moved.handle(), tmp_path / "fetched").files) == ["model"]
    copy = RunDirectory(shutil.copytree(moved.path, tmp_path / "copies" / run.run_id))
    assert copy.handle().reference == str(copy.path)
    other = Handle(backend="local", reference="/home/me/runs/another")
    copy.write_handle(other)
    assert copy.handle() == other


def test_logs_in_pieces_are_the_whole_log(tmp_path: Path):
    run = RunDirectory(tmp_path)
    run.log.write_bytes("epoch 1/2  loss 0.5\nnäxt\n".encode())
    handle, backend = Handle(backend="local", reference=str(tmp_path)), LocalBackend()
    whole = run.log.read_bytes()
    for offset in range(len(whole) + 1):
        assert whole[:offset] + b"".join(backend.logs(handle, offset)) == whole


def test_a_second_signal_ends_the_training_process_at_once(place: Path):
    run = detached(place, "signalled")
    process = pid(run)
    os.kill(process, signal.SIGSTOP)  # so that both signals are there before it can act on the first
    os.kill(process, signal.SIGTERM)
    os.kill(process, signal.SIGINT)
    os.kill(process, signal.SIGCONT)
    wait_until(lambda: state(run).ended)


def test_a_machine_without_tensorflow_gets_a_hint_about_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    run, find = RunDirectory.create(tmp_path, TrainJob()), importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "tensorflow" else find(name))
    with pytest.raises(InputError, match="the package 'tensorflow' is not installed for") as caught:
        LocalBackend().submit(run.job(), run.path)
    assert caught.value.hint.endswith("-m pip install tensorflow")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_check_of_resuming_that_is_ended_leaves_no_folder_and_no_training(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    job = TrainJob(name="tried", data_folder=str(place / "data"), dataset="", batch_size=20)
    run = RunDirectory.create(tmp_path / "runs", job)
    words = ("verify-resume", run.path, "--epochs", 100_000)
    with start(*words, cwd=place, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        wait_until(lambda: any(one.log.exists() for one in tried(tmp_path)))
        (one,) = tried(tmp_path)
        wait_until(lambda: one.log.read_text().count("\nepoch") >= 1)
        record = one.status_record()
        assert record
        trainer = record.process
        assert trainer
        process.send_signal(number)
        assert process.wait(PATIENCE_S) == 130
    assert list(tmp_path.glob("stoker-*")) == []
    wait_until(lambda: not trainer.is_alive)


@pytest.mark.parametrize(("count", "text"), [(0, "0 kills"), (1, "1 kill"), (3, "3 kills")])
def test_one_kill_is_counted_in_the_singular(count: int, text: str):
    assert verify_resume._counted(count, "kill") == text


def tried(folder: Path) -> list[RunDirectory]:
    """Returns the runs of `verify-resume`, whose temporary folder is below this one."""
    return [run for place in folder.glob("stoker-verify-*") for run in list_runs(place)]


def test_a_system_that_starts_no_process_is_named_as_the_cause(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    run = RunDirectory.create(tmp_path, TrainJob(offline=True))
    with pytest.raises(BackendError, match="the training process can't be started") as caught:
        LocalBackend().submit(run.job(), run.path)
    assert "temporarily unavailable" in caught.value.received
    record = run.status_record()
    assert record
    assert record.status.state is RunState.FAILED


NO_PROCESS = """
import errno, subprocess
from stoker.engine.hookspecs import hookimpl

@hookimpl
def stoker_callbacks(job, run_dir):
    return ()

class Refuses:
    def __init__(self, *arguments, **more):
        raise OSError(errno.EAGAIN, "Resource temporarily unavailable")

import stoker.engine.training.plot as plot
plot.subprocess = type("subprocess", (), {"Popen": Refuses, "PIPE": 0, "DEVNULL": 0})
"""


def test_a_run_that_can_start_no_process_for_its_picture_completes_without_one(place: Path, tmp_path: Path):
    (tmp_path / "no_process.py").write_text(NO_PROCESS)
    words = ("--epochs", 1, "--runs-dir", tmp_path / "runs")
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    done = stoker("-p", tmp_path / "no_process.py", *JOB, *words, cwd=place, TMPDIR=str(temporary))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "the picture could not be drawn: [Errno 11] Resource temporarily unavailable" in done.stdout
    assert list(temporary.iterdir()) == []  # TensorFlow's generated code is gone too


FULL = """
import errno, os, sys
import keras
from stoker.engine.hookspecs import hookimpl

def full(*arguments):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

class Fills(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        os.fsync = full
        if {log}:
            sys.stdout.write = sys.stderr.write = full

@hookimpl
def stoker_callbacks(job, run_dir):
    return [Fills()]
"""


@pytest.mark.parametrize("log", [True, False])
def test_a_disk_that_stays_full_is_the_reason_that_is_said(place: Path, tmp_path: Path, log: bool):
    """Also where not even the log takes another line."""
    (tmp_path / "full.py").write_text(FULL.format(log=log))
    done = stoker("-p", tmp_path / "full.py", *JOB, "--epochs", 3, "--runs-dir", tmp_path / "runs", cwd=place)
    assert done.returncode == 1
    assert "its process could not write into the folder of the run: is the disk full?" in done.stderr
    assert log or "no space is left on the device" in done.stdout


def test_a_folder_whose_name_is_not_text_is_trained_on(tmp_path: Path):
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
    try:
        tiny.write(folder)
    except OSError:  # the file systems of macOS take no such name
        return
    done = stoker(*JOB[:1], "--data-folder", folder, *JOB[3:], "--epochs", 1, "--quiet", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    (run,) = (tmp_path / "runs").glob("2*")
    assert b"caf\\udce9" in (run / "report.html").read_bytes()

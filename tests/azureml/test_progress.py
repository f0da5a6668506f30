"""What the user sees while a job is submitted and waits: each step that takes time says how far it is."""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import os
import re
import shlex
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stoker.engine.errors import BackendError, InputError
from stoker.engine.job import TrainJob
from stoker.engine.rundir import RunDirectory
from stoker.engine.status import Handle, RunState, RunStatus
from stoker.engine.testing.backend import payloads
from stoker.plugins.azureml import progress
from stoker.plugins.azureml.backend import AzureBackend
from stoker.plugins.azureml.cluster import provision
from stoker.plugins.azureml.rest.client import Patience
from stoker.plugins.azureml.rest.paths import Route
from stoker.plugins.azureml.runs import outputs
from stoker.plugins.azureml.runs.queue import BUILD_LOG, Waiting
from stoker.plugins.azureml.runs.status import STATES, status_of
from stoker.plugins.azureml.sdk import sdk
from stoker.plugins.azureml.sdk.sign_in import sign_in
from stoker.plugins.azureml.settings import AzureSettings
from stoker.plugins.azureml.submit import upload
from stoker.plugins.azureml_emulator import Emulator, FaultKind

from ..patience import PATIENCE_S

MB = 10**6
WAITING = {RunState.QUEUED, RunState.FINALIZING}
SLOW = {"create_s": 0.5, "prepare_s": 0.8, "scale_up_s": 0.6}


class Terminal(io.StringIO):
    """A stderr that is a terminal."""

    def isatty(self) -> bool:
        return True


class Cloud:
    """An emulator, and backends that remember what they said."""

    def __init__(self, emulator: Emulator, folder: Path) -> None:
        self.emulator = emulator
        self.folder = folder
        self.config = str(emulator.write_config(folder))
        self.said: list[str] = []

    def backend(self, patience: Patience | None = None, **settings: Any) -> AzureBackend:
        patience = patience or Patience(request_s=5.0, total_s=5.0, pause_s=0.05)
        clock = itertools.count(0.0, 60.0).__next__  # so that each look at what a run waits for is due
        made = AzureSettings(**{"config": self.config, **settings})
        return AzureBackend(made, patience=patience, poll_s=0.05, report=self.said.append, clock=clock)

    def new_run(self, data: Path | None = None, payload: str = "succeed") -> tuple[TrainJob, RunDirectory]:
        options = {payloads.OPTION: payload}
        job = TrainJob(name="reported", data_folder=str(data or ""), plugins=(payloads.PLUGIN,), options=options)
        return job, RunDirectory.create(self.folder / "runs", job)

    def submit(self, backend: AzureBackend, data: Path | None = None, payload: str = "succeed") -> Handle:
        job, run = self.new_run(data, payload)
        return backend.submit(job, run.path)

    def runs_of(self, run: RunDirectory) -> list[str]:
        """The runs of the server that are of a folder."""
        everything = [str(one["runId"]) for one in self.emulator.service.runs.all()]
        return [name for name in everything if name.startswith(run.run_id)]

    def statuses(self, backend: AzureBackend, handle: Handle) -> Iterator[RunStatus]:
        deadline = time.monotonic() + PATIENCE_S
        while True:
            status = backend.status(handle)
            yield status
            if status.state.ended:
                return
            assert time.monotonic() < deadline, status
            time.sleep(0.02)


@contextlib.contextmanager
def clouded(folder: Path, **settings: float) -> Iterator[Cloud]:
    """A new emulator, which this process finds."""
    with Emulator(folder / "azure", **settings) as emulator, pytest.MonkeyPatch.context() as patch:
        for name, value in emulator.client_environment().items():
            patch.setenv(name, value)
        yield Cloud(emulator, folder)


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with clouded(tmp_path_factory.mktemp("quick"), scale_up_s=0.02, prepare_s=0.0) as made:
        yield made


@pytest.fixture
def cloud(quick: Cloud) -> Cloud:
    quick.said.clear()
    return quick


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[Cloud]:
    with clouded(tmp_path, **SLOW) as made:
        yield made


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two small files and one of several pieces."""
    folder = tmp_path / "data"
    folder.mkdir()
    for name, size in (("a", 3), ("empty", 0), ("large", 11 * MB)):
        (folder / name).write_bytes(os.urandom(size))
    return folder


def test_a_submission_says_what_goes_up_that_it_is_done_and_where_its_page_is(cloud: Cloud, data: Path):
    backend = cloud.backend()
    job, run = cloud.new_run(data)
    backend.submit(job, run.path)
    said = "\n".join(cloud.said)
    assert "uploading 3 of 3 files, 11.0 MB" in said
    assert f"submitting {run.run_id}: " in said
    assert "submitted in " in said
    assert cloud.said[-1].startswith(f"https://ml.azure.com/runs/{run.run_id}?wsid=/subscriptions/")
    assert json.loads((run.path / "azureml.json").read_text())["page"] == cloud.said[-1]
    assert len(cloud.said) < 12


def test_the_page_is_the_one_that_the_sdk_knows(cloud: Cloud):
    handle = cloud.submit(cloud.backend())
    from azureml.core import Run, Workspace

    workspace = Workspace.from_config(cloud.config, auth=sign_in("service-principal"))
    found = Run.get(workspace, handle.reference.rpartition("/")[2])
    assert cloud.said[-1] == found.get_portal_url()


def test_an_upload_is_reported_by_bytes_within_a_large_file_too(
    cloud: Cloud, data: Path, monkeypatch: pytest.MonkeyPatch
):
    reported: list[tuple[str, int, int]] = []

    @contextlib.contextmanager
    def recorded(report: object) -> Iterator[Any]:
        yield lambda *progress: reported.append(progress)

    monkeypatch.setattr(upload, "bytes_reported", recorded)
    cloud.submit(cloud.backend(), data)
    done = [one for _, one, _ in reported]
    assert done == sorted(done)
    assert len(set(done)) >= 4
    assert {what for what, _, _ in reported} == {"uploading"}
    assert (done[-1], reported[-1][2]) == (11 * MB + 3, 11 * MB + 3)


def test_what_was_uploaded_is_what_is_here(cloud: Cloud, data: Path):
    cloud.submit(cloud.backend(), data)
    registered = next(line for line in cloud.said if line.startswith("registering the data set stoker-"))
    for path in data.iterdir():
        name = f"stoker/data/{registered.rpartition('-')[2]}/{path.name}"
        record = cloud.emulator.service.storage.get("azureml-blobstore", name)
        assert record
        assert Path(record["file"]).read_bytes() == path.read_bytes()


def test_after_a_broken_upload_only_what_is_missing_goes_up(cloud: Cloud, data: Path):
    job, run = cloud.new_run(data)
    fault = cloud.emulator.fault("PUT .*/large", FaultKind.FORBIDDEN, times=None)
    with pytest.raises(BackendError, match="the data can't be uploaded"):
        cloud.backend().submit(job, run.path)
    fault.clear()
    cloud.backend().submit(job, run.path)
    assert "uploading 1 of 3 files, 11.0 MB" in cloud.said


def test_a_registered_data_set_of_other_files_is_not_taken_for_the_folder(cloud: Cloud, data: Path):
    backend = cloud.backend(dataset="mine")
    cloud.submit(backend, data)
    (data / "a").write_bytes(b"changed")
    with pytest.raises(InputError, match="'mine' is not made of the files in") as caught:
        cloud.submit(backend, data)
    assert "--azureml-new-dataset-version" in caught.value.hint
    cloud.submit(cloud.backend(dataset="mine", new_dataset_version=True), data)


def test_a_cluster_that_is_being_made_is_reported_by_its_state_and_nodes(slow: Cloud):
    slow.submit(slow.backend())
    assert "the cluster gpu-cluster is creating; nodes: 0 of at most 4 (0 s of at most 20 minutes)" in slow.said
    assert "the cluster gpu-cluster is ready; nodes: 0 of at most 4" in slow.said


def test_a_cluster_that_does_not_come_ends_the_waiting(tmp_path: Path):
    with clouded(tmp_path, create_s=60.0) as cloud:
        with pytest.raises(BackendError, match=r"the cluster gpu-cluster is not ready after 0[.]01 minutes") as caught:
            cloud.submit(cloud.backend(Patience(cluster_s=0.6)))
        assert caught.value.received == "Creating"


def test_a_cluster_that_may_not_be_made_says_why(tmp_path: Path):
    with clouded(tmp_path, quotas={}) as cloud:  # type: ignore[arg-type]
        with pytest.raises(BackendError, match="the cluster gpu-cluster could not be made") as caught:
            cloud.submit(cloud.backend())
        assert "quota" in caught.value.received


def test_nodes_are_described_in_words_with_the_reason_why_there_are_no_more():
    inner = {"nodeStateCounts": {"preparingNodeCount": 1, "idleNodeCount": 0, "runningNodeCount": 2}}
    inner["scaleSettings"] = {"maxNodeCount": 4}
    assert provision.nodes({"properties": inner}) == "1 preparing, 2 running of at most 4"
    inner["errors"] = [{"error": {"message": "the quota is used up"}}]
    assert provision.nodes({"properties": inner}).endswith("; Azure says: the quota is used up")
    assert provision.nodes({}) == "0 of at most ?"


WAITS: dict[str, tuple[dict[str, float], str]] = {
    "an image": ({"prepare_s": 4 * PATIENCE_S}, "preparing the environment: Step 1/4 : FROM the base image"),
    "a node": (
        {"prepare_s": 0, "scale_up_s": PATIENCE_S},
        "waiting for a node of the cluster: 1 preparing of at most 4",
    ),
}
"""What a run waits for: how the service never gets to it, and the message that the run then has."""


@pytest.fixture(params=WAITS)
def waiting(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[tuple[Cloud, Iterator[RunStatus], str]]:
    """A run that never gets to what it waits for: where it is, its statuses, and the message that they come to."""
    settings, message = WAITS[request.param]
    with clouded(tmp_path, **settings) as cloud:
        backend = cloud.backend()
        handle = cloud.submit(backend)
        yield cloud, cloud.statuses(backend, handle), message
        backend.cancel(handle)


def test_a_run_that_waits_says_for_what(waiting: tuple[Cloud, Iterator[RunStatus], str]):
    _, statuses, message = waiting
    assert next(each for each in statuses if each.message == message).state in WAITING


def test_a_status_is_reported_even_if_what_the_run_waits_for_is_unknown(
    waiting: tuple[Cloud, Iterator[RunStatus], str],
):
    cloud, statuses, message = waiting
    fault = cloud.emulator.fault("GET .*/details|GET .*/computes/", FaultKind.FORBIDDEN, times=None)
    assert any(each.message == message.partition(":")[0] and fault.hits for each in statuses)
    next(statuses)
    assert fault.hits == 1, "it is asked once, not at each look"


def test_a_run_that_has_ended_waits_for_nothing(slow: Cloud):
    backend = slow.backend()
    *_, last = slow.statuses(backend, slow.submit(backend))
    assert (last.state, last.message) == (RunState.COMPLETED, "")


class BuildLogs:
    """A service that knows the logs of images."""

    def __init__(self, **logs: bytes) -> None:
        self.logs = logs

    def get(self, route: Route) -> dict[str, Any]:
        return {"logFiles": {BUILD_LOG: route.path.split("/")[-2]}}

    def read_rest(self, url: str, offset: int) -> bytes:
        return self.logs[url][offset:]


def test_the_last_line_of_an_image_build_log_is_reported_shortened_and_without_colours():
    service = BuildLogs(one=b"Step 1\n\x1b[91mWARNING: " + b"x" * 200 + b"\x1b[0m\n \n", two=b"Step 2\rStep 3")
    waiting = Waiting(service, "e")  # type: ignore[arg-type]
    assert waiting.reason({"runId": "one", "status": "Preparing"}) == "WARNING: " + "x" * 91 + "…"
    assert waiting.reason({"runId": "two", "status": "Preparing"}) == "Step 3"
    assert waiting.reason({"runId": "two", "status": "Starting"}) == ""


@pytest.mark.parametrize("word", ["Running", "NotResponding"])
def test_a_run_without_a_heartbeat_for_a_while_is_still_running(word: str):
    assert status_of({"status": word}, 1).state is RunState.RUNNING


def test_an_unknown_state_is_reported_in_the_services_word():
    assert status_of({"status": "Unapproved"}, 1).message == "Azure ML calls it Unapproved"
    assert status_of({"status": "Unheard"}, 1) == RunStatus(state=RunState.QUEUED, message="Azure ML calls it Unheard")


def test_each_state_that_the_sdk_lists_is_in_the_table_and_a_state_of_ours_is_missed_only_if_azure_ml_lacks_it():
    from azureml._restclient.constants import RunStatus as States

    assert set(STATES) == set(States.list())
    lacking = set(RunState) - {status_of({"status": word}, 1).state for word in STATES}
    assert lacking == {RunState.PREPARING, RunState.LOST}


def test_each_state_that_the_documentation_shows_has_the_phase_and_the_message_of_the_table():
    page = (Path(__file__).parents[2] / "docs" / "azureml.md").read_text()
    rows = re.findall(r"^\| (`[A-Z]\w+`(?:, `\w+`)*) \| (\w+) \| (.*?) ?\|$", page, re.M)
    shown = {word: (phase, said) for words, phase, said in rows for word in re.findall(r"\w+", words)}
    assert set(shown) == {word for word, (state, _) in STATES.items() if not state.ended}
    for word, (phase, said) in shown.items():
        state, message = STATES[word]
        assert phase == state
        assert said.startswith(message) or message.endswith(word), word


@pytest.mark.parametrize("moment", ["uploading", "the cluster", "submitting", "submitted"])
def test_an_interrupted_submission_says_how_to_continue_and_is_one_run_in_the_end(
    cloud: Cloud, data: Path, moment: str
):
    def interrupt(line: str) -> None:
        cloud.said.append(line)
        if line.startswith(moment):
            raise KeyboardInterrupt

    job, run = cloud.new_run(data)
    backend = AzureBackend(AzureSettings(config=cloud.config), report=interrupt)
    with pytest.raises(KeyboardInterrupt):
        backend.submit(job, run.path)
    words = f"stoker train --resume {run.run_id} --backend azureml --runs-dir {shlex.quote(str(run.path.parent))}"
    assert cloud.said[-1] == f"interrupted; continue with: {words}"
    handle = cloud.backend().submit(job, run.path)
    assert handle.reference.endswith(run.run_id)
    assert cloud.runs_of(run) == [run.run_id]


def test_a_fetch_is_reported_by_the_bytes_of_all_files_once_each_has_begun_to_arrive(
    cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    reported: list[tuple[str, int, int]] = []
    monkeypatch.setattr(outputs, "bytes_reported", lambda _: contextlib.nullcontext(lambda *of: reported.append(of)))
    backend = cloud.backend()
    handle = cloud.submit(backend)
    *_, _ended = cloud.statuses(backend, handle)
    backend.fetch(handle, tmp_path / "target")
    sizes = [len(content) for content in payloads.outputs().values()]
    done = [one for _, one, _ in reported]
    assert done == sorted(done)
    assert {what for what, _, _ in reported} == {"fetching"}
    assert (done[-1], {total for _, _, total in reported}) == (sum(sizes), {0, sum(sizes)})


def test_without_a_terminal_bytes_are_reported_twice_a_minute():
    said: list[str] = []
    now = 0.0
    report = progress.in_lines(said.append, clock=lambda: now)
    for now in range(0, 100, 2):
        report("uploading", now * MB, 100 * MB)
    assert said == [
        "uploading: 30.0 MB of 100.0 MB",
        "uploading: 60.0 MB of 100.0 MB",
        "uploading: 90.0 MB of 100.0 MB",
    ]
    now = 200
    report("fetching", MB, 0)
    assert said[-1] == "fetching: 1.0 MB", "their total is not known yet"


def test_on_a_terminal_bytes_are_a_bar_even_while_the_sdk_is_silenced(monkeypatch: pytest.MonkeyPatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with progress.bytes_reported(progress.StderrReporter()) as report, sdk.quiet():
        print("what the SDK says")
        report("uploading", 5 * MB, 10 * MB)
        time.sleep(0.3)
        drawn = terminal.getvalue()
    assert "5.0/10.0 MB" in drawn
    assert "what the SDK says" not in terminal.getvalue()
    assert sys.stderr is terminal


def test_who_wants_no_lines_gets_no_bar(monkeypatch: pytest.MonkeyPatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with progress.bytes_reported(progress.ignore) as report:
        report("fetching", 5 * MB, 10 * MB)
    assert terminal.getvalue() == ""


def test_reports_are_shown_while_the_sdk_is_silenced(capsys: pytest.CaptureFixture[str]):
    report = progress.StderrReporter()
    with sdk.quiet():
        print("what the SDK says")
        report("hello")
    assert capsys.readouterr() == ("", "azureml: hello\n")


def test_output_comes_back_when_the_last_of_several_threads_is_done_with_the_sdk(
    capsys: pytest.CaptureFixture[str],
):
    first, second = sdk.quiet(), sdk.quiet()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    print("what the SDK says to the second")
    second.__exit__(None, None, None)
    print("hello")
    assert capsys.readouterr().out == "hello\n"

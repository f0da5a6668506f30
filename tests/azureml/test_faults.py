"""Whatever goes wrong on the way: success or one error for people, in a known time, and one job on the server."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stoker.engine.errors import BackendError, InputError
from stoker.engine.job import TrainJob
from stoker.engine.plugin.plugins import Plugins
from stoker.engine.rundir import RunDirectory
from stoker.engine.runs import launch
from stoker.engine.runs.collect import collect_results
from stoker.engine.runs.find import list_runs
from stoker.engine.status import Handle, RunState
from stoker.engine.testing.backend import payloads
from stoker.plugins.azureml.backend import AzureBackend
from stoker.plugins.azureml.progress import ignore
from stoker.plugins.azureml.rest.client import Patience
from stoker.plugins.azureml.sdk import sdk
from stoker.plugins.azureml.settings import AzureSettings
from stoker.plugins.azureml_emulator import Emulator, FaultKind
from stoker.plugins.azureml_emulator.network.faults import ALTER
from stoker.plugins.azureml_emulator.state.settings import ARTIFACTS

from ..patience import PATIENCE_S

PATIENCE = Patience(total_s=0.8, pause_s=0.05, submit_s=20.0, cancel_s=10.0)
TIMES_OUT = replace(PATIENCE, request_s=3.0, submit_s=3.0)
"""For a fault that only a time-out ends; a sound answer may take longer on a busy machine, and needs the other."""
LONGEST_S = Patience().total_s
"""What a user waits for one request; with that patience, a whole call is done by then."""

SURVIVED = {FaultKind.SLOW}
DONE_ALL_THE_SAME = {FaultKind.RESET_AFTER}
EVERY_KIND = pytest.mark.parametrize("kind", [kind for kind in FaultKind if kind not in ALTER])
CONTENT = "GET .*/outputs/[^?]*[?].*sig="
TRANSIENT = pytest.mark.parametrize("kind", [FaultKind.SERVER_ERROR, FaultKind.RESET_BEFORE, FaultKind.RESET_AFTER])


class Cloud:
    """An emulator, and a run that has completed there."""

    def __init__(self, emulator: Emulator, folder: Path) -> None:
        self.emulator = emulator
        self.config = str(emulator.write_config(folder))
        self.runs = folder / "runs"
        self.patience = Patience()
        self.done = self.submit("succeed")
        self.until(self.done, RunState.COMPLETED)

    def backend(self) -> AzureBackend:
        settings = AzureSettings(config=self.config, max_nodes=16)
        return AzureBackend(settings, patience=self.patience, poll_s=0.05, report=ignore)

    def new_run(self, payload: str, **job_fields: Any) -> tuple[TrainJob, RunDirectory]:
        job = TrainJob(name=payload, plugins=(payloads.PLUGIN,), options={payloads.OPTION: payload}, **job_fields)
        return job, RunDirectory.create(self.runs, job)

    def submit(self, payload: str) -> Handle:
        job, run = self.new_run(payload)
        return self.backend().submit(job, run.path)

    def until(self, handle: Handle, state: RunState) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while (status := self.backend().status(handle)).state is not state:
            assert time.monotonic() < deadline, status
            time.sleep(0.05)

    def count(self, run: RunDirectory) -> int:
        """How many runs of the server are of this folder."""
        return sum(one["runId"].startswith(run.run_id) for one in self.emulator.service.runs.all())


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    folder = tmp_path_factory.mktemp("faults")
    settings = {"scale_up_s": 0.02, "prepare_s": 0.0, "grace_s": 2.0}
    with Emulator(folder / "azure", **settings) as emulator, pytest.MonkeyPatch.context() as patch:
        for name, value in emulator.client_environment().items():
            patch.setenv(name, value)
        yield Cloud(emulator, folder)


class Call:
    """What a call came to while a fault was there."""

    def __init__(self, cloud: Cloud, pattern: str, kind: FaultKind, times: int | None) -> None:
        self._cloud = cloud
        self._fault = cloud.emulator.fault(pattern, kind, times=times, slow_s=0.1)
        self._began = time.monotonic()
        self.error: BackendError | None = None

    def __enter__(self) -> Call:
        self._cloud.patience = TIMES_OUT if self._fault.kind is FaultKind.TIME_OUT else PATIENCE
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        self._fault.clear()
        self._cloud.patience = Patience()
        assert self._fault.hits > 0, "the fault never happened"
        assert time.monotonic() - self._began < LONGEST_S
        if isinstance(error, BackendError):
            assert error.what
            assert error.hint
            assert "sig=" not in f"{error} {error.hint}"
            self.error = error
            return True
        return False


def test_certificates_that_are_gone_are_named_at_once(cloud: Cloud, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "gone.pem"))
    began = time.monotonic()
    with pytest.raises(BackendError, match=r"gone\.pem"):
        cloud.backend().status(cloud.done)
    assert time.monotonic() - began < LONGEST_S / 2


@EVERY_KIND
def test_a_submission_is_one_job_whatever_happens(cloud: Cloud, kind: FaultKind):
    job, run = cloud.new_run("succeed")
    with Call(cloud, "POST .*/snapshotrun", kind, None) as call:
        cloud.backend().submit(job, run.path)
    assert (call.error is None) == (kind in SURVIVED | DONE_ALL_THE_SAME)
    assert cloud.count(run) == (call.error is None)
    handle = cloud.backend().submit(job, run.path)
    assert cloud.count(run) == 1
    cloud.until(handle, RunState.COMPLETED)


@EVERY_KIND
def test_a_status_is_right_or_an_error(cloud: Cloud, kind: FaultKind):
    state = None
    with Call(cloud, "GET .*/history/.*/runs/", kind, None) as call:
        state = cloud.backend().status(cloud.done).state
    if kind is FaultKind.NOT_FOUND:
        assert state is RunState.LOST
    else:
        assert state is (None if call.error else RunState.COMPLETED)
        assert (call.error is None) == (kind in SURVIVED)


@EVERY_KIND
def test_a_log_is_whole_or_an_error(cloud: Cloud, kind: FaultKind):
    whole, log = b"".join(cloud.backend().logs(cloud.done)), b""
    with Call(cloud, "GET .*std_log", kind, None) as call:
        log = b"".join(cloud.backend().logs(cloud.done))
    if kind is FaultKind.NOT_FOUND:
        assert log == b""  # as that of a run that has not begun to write
    else:
        assert log == (b"" if call.error else whole)
        assert (call.error is None) == (kind in SURVIVED)


@EVERY_KIND
def test_a_run_is_cancelled_or_an_error_says_that_it_is_not(cloud: Cloud, kind: FaultKind):
    handle = cloud.submit("wait")
    cloud.until(handle, RunState.RUNNING)
    with Call(cloud, "POST .*/cancel", kind, None) as call:
        cloud.backend().cancel(handle)
    if not call.error:
        assert cloud.backend().status(handle).state is RunState.CANCELLED
    cloud.backend().cancel(handle)
    assert cloud.backend().status(handle).state is RunState.CANCELLED
    assert (call.error is None) == (kind in SURVIVED)


@EVERY_KIND
def test_the_outputs_are_fetched_whole_or_not_at_all(cloud: Cloud, kind: FaultKind, tmp_path: Path):
    with Call(cloud, "GET .*/prefix/contentinfo|GET .*/outputs/", kind, None) as call:
        cloud.backend().fetch(cloud.done, tmp_path / "target")
    assert (tmp_path / "target").exists() == (call.error is None)
    assert (call.error is None) == (kind in SURVIVED)
    assert len(cloud.backend().fetch(cloud.done, tmp_path / "target").files) == len(payloads.outputs())


def test_what_comes_in_short_ranges_is_read_to_its_end(cloud: Cloud, tmp_path: Path):
    whole = b"".join(cloud.backend().logs(cloud.done))
    with Call(cloud, "GET .*blob.core", FaultKind.SHORT_RANGE, None) as call:
        manifest = cloud.backend().fetch(cloud.done, tmp_path / "target")
        assert b"".join(cloud.backend().logs(cloud.done)) == whole
        version = cloud.backend().register(cloud.done, "model", "short")
    assert call.error is None
    wrote = {name: hashlib.sha256(content).hexdigest() for name, content in payloads.outputs().items()}
    assert dict(manifest.files) == {name: f"sha256:{digest}" for name, digest in wrote.items()}
    assert (manifest.unverified, version.digest) == ((), wrote[payloads.OUTPUT])


@pytest.mark.parametrize(
    ("kind", "said"), [(FaultKind.CUT, "no usable answer"), (FaultKind.DAMAGED, "arrived changed")]
)
def test_what_arrives_otherwise_than_it_was_sent_is_neither_kept_nor_registered(
    cloud: Cloud, tmp_path: Path, kind: FaultKind, said: str
):
    with Call(cloud, CONTENT, kind, None) as call:
        cloud.backend().fetch(cloud.done, tmp_path / "target")
    assert said in str(call.error)
    assert not (tmp_path / "target").exists()
    with Call(cloud, CONTENT, kind, None) as call:
        cloud.backend().register(cloud.done, "model", f"model-{kind.name.lower()}")
    assert said in str(call.error)
    assert not cloud.emulator.service.store.all("models", lambda one: one["name"] == f"model-{kind.name.lower()}")


def test_a_body_that_was_cut_is_asked_for_again(cloud: Cloud, tmp_path: Path):
    fault = cloud.emulator.fault(CONTENT, FaultKind.CUT, times=3)
    assert not cloud.backend().fetch(cloud.done, tmp_path / "target").unverified
    assert fault.hits == 3


def test_a_signature_that_expires_while_a_file_is_fetched_is_renewed(cloud: Cloud, tmp_path: Path):
    fault = cloud.emulator.fault(CONTENT, FaultKind.FORBIDDEN, times=3)
    assert not cloud.backend().fetch(cloud.done, tmp_path / "target").unverified
    assert fault.hits == 3


def test_a_model_that_was_fetched_is_registered_without_a_second_download(cloud: Cloud, tmp_path: Path):
    backend = cloud.backend()
    fetched = backend.fetch(cloud.done, tmp_path / "target")
    before = len(cloud.emulator.requests)
    version = backend.register(cloud.done, "model", "fetched")
    assert f"sha256:{version.digest}" == fetched.files[payloads.OUTPUT]
    assert not [one for one in cloud.emulator.requests[before:] if payloads.OUTPUT in one.path]


def test_a_model_that_was_fetched_without_being_verified_is_not_registered(cloud: Cloud, tmp_path: Path):
    backend = cloud.backend()
    with Call(cloud, CONTENT, FaultKind.NO_DIGEST, None) as call:
        backend.fetch(cloud.done, tmp_path / "target")
        backend.register(cloud.done, "model", "unsure")
    assert "nothing shows" in str(call.error)


def test_what_nothing_shows_to_be_whole_is_called_unverified_and_not_registered(cloud: Cloud, tmp_path: Path):
    with Call(cloud, CONTENT, FaultKind.NO_DIGEST, None):
        manifest = cloud.backend().fetch(cloud.done, tmp_path / "target")
    assert manifest.unverified == tuple(sorted(payloads.outputs()))
    with Call(cloud, CONTENT, FaultKind.NO_DIGEST, None) as call:
        cloud.backend().register(cloud.done, "model", "unverified")
    assert "nothing shows" in str(call.error)


@pytest.mark.parametrize("right", [True, False])
def test_the_manifest_of_a_model_vouches_for_its_files_and_for_no_others(cloud: Cloud, tmp_path: Path, *, right: bool):
    handle = cloud.submit("succeed")
    cloud.until(handle, RunState.COMPLETED)
    model = hashlib.sha256(payloads.outputs()[payloads.OUTPUT]).hexdigest() if right else "0" * 64
    storage = cloud.emulator.service.storage
    (name,) = (
        name
        for name in storage.names(ARTIFACTS)
        if name.endswith("/outputs/model/MANIFEST.json") and handle.reference.split("/")[-1] in name
    )
    record = {"files": {Path(payloads.OUTPUT).name: f"sha256:{model}"}}
    storage.put(ARTIFACTS, name, json.dumps(record).encode())
    with Call(cloud, CONTENT, FaultKind.NO_DIGEST, None) as call:
        manifest = cloud.backend().fetch(handle, tmp_path / "target")
        assert set(payloads.outputs()) - set(manifest.unverified) == {payloads.OUTPUT}
        assert cloud.backend().register(handle, "model", "vouched").digest == model
    if not right:
        assert "is not the one that its MANIFEST.json describes" in str(call.error)
        with Call(cloud, CONTENT, FaultKind.NO_DIGEST, None) as call:
            cloud.backend().register(handle, "model", "not-vouched")
        assert "is not the one that its MANIFEST.json describes" in str(call.error)


def test_an_output_with_an_impossible_name_is_left_out_and_the_others_come_home(cloud: Cloud, tmp_path: Path):
    handle = cloud.submit("succeed")
    cloud.until(handle, RunState.COMPLETED)
    odd = ["../escape", "a/../../b", "nul\0", "l" * 300, "notes.txt/below", "/absolute"]
    run_id = handle.reference.split("/")[-1]
    for name in odd:
        cloud.emulator.service.storage.put(ARTIFACTS, f"ExperimentRun/dcid.{run_id}/outputs/{name}", b"odd")
    manifest = cloud.backend().fetch(handle, tmp_path / "in" / "target")
    assert sorted(manifest.left_out) == sorted(odd)
    assert all(manifest.left_out.values())
    assert set(manifest.files) == set(payloads.outputs())
    assert [path.name for path in tmp_path.iterdir()] == ["in"]
    assert [path.name for path in (tmp_path / "in").iterdir()] == ["target"]


@EVERY_KIND
def test_a_model_is_registered_once_or_an_error_says_that_it_is_not(cloud: Cloud, kind: FaultKind):
    name = f"model-{kind.name.lower()}"
    with Call(cloud, "POST .*/models", kind, None) as call:
        cloud.backend().register(cloud.done, "model", name)
    assert (call.error is None) == (kind in SURVIVED | DONE_ALL_THE_SAME)
    assert cloud.backend().register(cloud.done, "model", name).version == 1
    versions = cloud.emulator.service.store.all("models", lambda one: one["name"] == name)
    assert [one["version"] for one in versions] == [1]


def test_a_header_that_is_refused_once_is_renewed(cloud: Cloud):
    backend = cloud.backend()
    backend.status(cloud.done)
    signed = len(cloud.emulator.requests)
    fault = cloud.emulator.fault("GET .*/history/.*/runs/", FaultKind.UNAUTHORIZED, times=1)
    assert backend.status(cloud.done).state is RunState.COMPLETED
    assert fault.hits == 1
    assert len([one for one in cloud.emulator.requests[signed:] if "/history/" in one.path]) == 2


@TRANSIENT
def test_a_single_failure_is_not_noticed(cloud: Cloud, kind: FaultKind, tmp_path: Path):
    job, run = cloud.new_run("succeed")
    faults = []
    for pattern in (
        "management.azure.com",
        "/discovery",
        "/datastores|/default",
        "/computes/",
        "/history/",
    ):
        faults.append(cloud.emulator.fault(pattern, kind, times=1))
    handle = cloud.backend().submit(job, run.path)
    assert [fault.hits for fault in faults] == [1] * len(faults)
    assert cloud.count(run) == 1
    cloud.until(handle, RunState.COMPLETED)
    cloud.backend().fetch(handle, tmp_path / "target")


def test_a_run_that_others_made_of_one_of_stoker_is_not_adopted(cloud: Cloud):
    """A sweep starts the same package with other options, and chooses the ids."""
    runs = cloud.emulator.service.runs
    first = runs.get(cloud.done.reference.rpartition("/")[2])
    runs.create("HD_sweep_0", "stoker", **{name: first[name] for name in ("runDefinition",) if name in first})
    with pytest.raises(InputError, match="the run HD_sweep_0 was started with what stoker submitted as"):
        cloud.backend().adopt("HD_sweep_0")


@pytest.mark.parametrize("pattern", ["GET .*std_log.txt[?].*sig=", CONTENT])
def test_a_web_page_is_neither_a_log_nor_an_output(cloud: Cloud, pattern: str, tmp_path: Path):
    with Call(cloud, pattern, FaultKind.WEB_PAGE, None) as call:
        b"".join(cloud.backend().logs(cloud.done)) if "log" in pattern else cloud.backend().fetch(cloud.done, tmp_path)
    assert call.error
    assert "a web page with the title 'Sign in to the network'" in str(call.error)


DEFINITION = "GET .*/dataversion/unregistered-"


def test_a_definition_that_does_not_come_once_is_asked_for_again(cloud: Cloud):
    job, run = cloud.new_run("succeed", dataset="mnist")
    fault = cloud.emulator.fault(DEFINITION, FaultKind.SERVER_ERROR, times=1)
    cloud.backend().submit(job, run.path)
    assert fault.hits == 1
    assert cloud.count(run) == 1


def test_a_definition_that_does_not_come_is_no_reason_to_downgrade(cloud: Cloud):
    job, run = cloud.new_run("succeed", dataset="mnist")
    with Call(cloud, DEFINITION, FaultKind.SERVER_ERROR, None) as call:
        cloud.backend().submit(job, run.path)
    assert call.error
    assert "downgrade" not in f"{call.error}"
    assert cloud.count(run) == 0
    cloud.backend().submit(job, run.path)
    assert cloud.count(run) == 1


@pytest.mark.parametrize("sent", [True, False])
def test_an_interrupted_submission_is_known_to_be_one_or_none(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, sent: bool
):
    job, run = cloud.new_run("succeed")
    bounded, said = sdk.bounded, list[str]()

    def interrupted(what: str, call: Callable[[], Any], *words: Any, **options: Any) -> Any:
        if "can't be submitted" not in what:
            return bounded(what, call, *words, **options)
        if sent:
            bounded(what, call, *words, **options)
        raise KeyboardInterrupt

    monkeypatch.setattr(sdk, "bounded", interrupted)
    backend = cloud.backend()
    backend.report = said.append
    if sent:
        handle = backend.submit(job, run.path)
        assert f"the run {run.run_id} was submitted before you interrupted" in " ".join(said)
        assert backend.find_submitted(run.path) == handle
    else:
        with pytest.raises(KeyboardInterrupt):
            backend.submit(job, run.path)
        assert backend.find_submitted(run.path) is None
    assert cloud.count(run) == sent


def test_what_the_service_refuses_leaves_no_run(cloud: Cloud):
    job, _ = cloud.new_run("succeed")
    before = list_runs(cloud.runs)
    fault = cloud.emulator.fault("POST .*/execution/", FaultKind.FORBIDDEN, times=None)
    with pytest.raises(BackendError):
        launch.submit(job, cloud.backend(), cloud.runs, Plugins())
    fault.clear()
    assert list_runs(cloud.runs) == before


def test_two_that_watch_a_run_register_its_model_once(cloud: Cloud):
    job, run = cloud.new_run("succeed", register="watched")
    run.write_handle(cloud.backend().submit(job, run.path))
    cloud.until(run.handle(), RunState.COMPLETED)
    backend = cloud.backend()
    with ThreadPoolExecutor(2) as pool:
        first, second = (pool.submit(collect_results, run, backend) for _ in range(2))
        assert first.result() == second.result()
    versions = cloud.emulator.service.store.all("models", lambda one: one["name"] == "watched")
    assert [one["version"] for one in versions] == [1]

"""Each field of each answer is left out, or is something else: what stoker does with it then is right, or an error."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from email.message import Message
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from stoker.engine.errors import StokerError
from stoker.engine.files import remove_tree
from stoker.engine.job import TrainJob
from stoker.engine.rundir import RunDirectory
from stoker.engine.status import Handle
from stoker.plugins.azureml.backend import AzureBackend
from stoker.plugins.azureml.cluster import provision
from stoker.plugins.azureml.commands import cleanup
from stoker.plugins.azureml.progress import ignore
from stoker.plugins.azureml.reference import Reference, Scope
from stoker.plugins.azureml.rest import arm
from stoker.plugins.azureml.rest.client import Patience
from stoker.plugins.azureml.rest.client import Service as Client
from stoker.plugins.azureml.settings import AzureSettings
from stoker.plugins.azureml_emulator import Emulator
from stoker.plugins.azureml_emulator.areas import AREAS
from stoker.plugins.azureml_emulator.network.message import Request, Response, parse_query
from stoker.plugins.azureml_emulator.service import Service
from stoker.plugins.azureml_emulator.state.runs import AzureRunState, artifact
from stoker.plugins.azureml_emulator.state.settings import ARTIFACTS, Settings

from ..patience import PATIENCE_S

MISSING = object()
KINDS: dict[str, Any] = {
    "missing": MISSING,
    "null": None,
    "number": 7,
    "text": "odd",
    "empty list": [],
    "list": [7],
    "object": {"odd": 7},
}
IN_THE_SUITE = {"missing"}
PATIENCE = Patience(total_s=0.0, pause_s=0.0, cluster_s=0.0, cancel_s=0.05)
CLUSTER = {
    "tags": {provision.TAG: provision.OURS},
    "properties": {
        "computeType": "AmlCompute",
        "properties": {
            "vmSize": "Standard_DS3_v2",
            "scaleSettings": {"minNodeCount": 0, "maxNodeCount": 4, "nodeIdleTimeBeforeScaleDown": "PT120S"},
        },
    },
}
FILES = {
    "user_logs/std_log.txt": b"epoch 1/1  loss 0.3  1.00 s\nFinal test loss: 0.2\n",
    "azureml-logs/20_image_build_log.txt": b"Step 1\n",
    "outputs/model/model.keras": b"a model",
    "outputs/notes.txt": b"notes",
}
RUNS = {"done": "Completed", "failed": "Failed", "builds": "Preparing", "waits": "Queued", "runs": "Running"}
Place = tuple[str, str, tuple[Any, ...]]
"""Which answer, by method and path, and the keys that lead to a value in it."""


class Cloud:
    """The emulated services without a network, whose answers can be changed."""

    def __init__(self, folder: Path) -> None:
        self.service = Service(folder / "azure", Settings(), {}, routes=AREAS)
        self.target = folder / "target"
        (folder / "config.json").write_text(json.dumps(self.service.settings.config))
        self.settings = AzureSettings(config=str(folder / "config.json"))
        self.changed: tuple[Place, Any] | None = None
        self.answers: dict[tuple[str, str], Any] = {}
        self._fill()
        self._first = {run: self.service.store.get("runs", run) for run in RUNS}

    def _fill(self) -> None:
        service = self.service
        service.clusters.create("gpu-cluster", copy.deepcopy(CLUSTER))
        job = {"STOKER_JOB": json.dumps(TrainJob().to_json())}
        error = {"error": {"code": "UserError", "message": "error: it went wrong"}}
        for run, status in RUNS.items():
            definition = {"arguments": ["--run-id", run], "environmentVariables": job}
            warnings = [{"source": "AzureMLCompute", "message": "the node was preempted"}]
            more = {"target": "gpu-cluster", "runDefinition": definition, "warnings": warnings, "error": error}
            service.runs.create(run, "odd", tags={"stoker_attempts": "1"}, **more)
            with service.store.change("runs", run) as record:
                record["status"] = status
            for name, content in FILES.items():
                service.storage.put(ARTIFACTS, artifact(run, name), content)
        version = {"versionId": "1", "savedDatasetId": "1", "dataflow": "{}", "description": "", "tags": {}}
        data = {"datasetId": "1", "name": f"stoker-{'0' * 16}", "datasetType": "file", "createdTime": ""}
        service.store.put("datasets", data["name"], {**data, "versions": [version]})
        service.store.put("environments", "one", {"name": f"stoker-{'0' * 12}", "version": "1"})

    def backend(self) -> AzureBackend:
        return AzureBackend(self.settings, patience=PATIENCE, poll_s=0.0, report=ignore)

    def client(self) -> Client:
        return Client(Scope.from_config(self.settings.config), "cli", PATIENCE)

    def handle(self, run: str) -> Handle:
        return Reference(scope=Scope.from_config(self.settings.config), experiment="odd", run_id=run).handle

    def reset(self) -> None:
        """Undoes what an operation has changed."""
        for run, record in self._first.items():
            if record != self.service.store.get("runs", run):
                self.service.store.put("runs", run, record or {})
        for kind in ("models", "assets"):
            for key in self.service.store.keys(kind):
                self.service.store.delete(kind, key)
        remove_tree(self.target)

    def send(self, method: str, url: str, *, headers: Mapping[str, str], json: Any = None) -> requests.Response:
        """Answers a request of stoker's client, in place of its `_send`."""
        parts = urlsplit(url)
        if parts.scheme != "https" or parts.hostname not in self.service.settings.hosts:
            raise requests.ConnectionError(f"there is no {url}")
        sent = Message()
        for name, value in headers.items():
            sent[name] = value
        query, body = parse_query(parts.query), b"" if json is None else requests.compat.json.dumps(json).encode()
        request = Request(method=method, host=parts.hostname, path=parts.path, query=query, headers=sent, body=body)
        return self._arrived((method, parts.path), self.service.answer(request))

    def _arrived(self, asked: tuple[str, str], answer: Response) -> requests.Response:
        made = requests.Response()
        made.status_code, made._content, made.reason = answer.status, answer.body, ""
        made.headers.update(answer.headers)
        if answer.status < 300 and "json" in answer.headers.get("Content-Type", ""):
            value = json.loads(answer.body)
            self.answers.setdefault(asked, value)
            if self.changed and self.changed[0][:2] == asked:
                value = changed(value, self.changed[0][2], self.changed[1])
            made._content = json.dumps(value).encode()
        return made


def changed(value: Any, keys: tuple[Any, ...], other: Any) -> Any:
    """Returns a JSON value in which the one at the end of some keys is another one, or is missing."""
    if not keys:
        return {} if other is MISSING else other
    made, (key, *rest) = copy.copy(value), keys
    try:
        if rest or other is not MISSING:
            made[key] = changed(value[key], tuple(rest), other)
        else:
            del made[key]
    except (KeyError, IndexError):  # this time, the answer is another one
        return value
    return made


def places(value: Any) -> Iterator[tuple[Any, ...]]:
    """Yields the keys that lead to each value in a JSON value."""
    yield ()
    within = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in within:
        yield from ((key, *rest) for rest in places(one))


def find_sizes(cloud: Cloud) -> None:
    service = cloud.client()
    arm.vm_sizes(service, service.region)
    arm.quota(service, service.region, "standardDSv2Family", low_priority=False)


OPERATIONS: dict[str, Callable[[Cloud], object]] = {
    **{f"status of {run}": lambda cloud, run=run: cloud.backend().status(cloud.handle(run)) for run in RUNS},  # type: ignore[misc]
    "logs": lambda cloud: list(cloud.backend().logs(cloud.handle("done"))),
    "cancel": lambda cloud: cloud.backend().cancel(cloud.handle("runs")),
    "fetch": lambda cloud: cloud.backend().fetch(cloud.handle("done"), cloud.target),
    "register": lambda cloud: cloud.backend().register(cloud.handle("done"), "model", "odd"),
    "adopt": lambda cloud: cloud.backend().adopt("done"),
    "find the cluster": lambda cloud: provision.wait(cloud.client(), "gpu-cluster", ignore),
    "find sizes": find_sizes,
    "find what was made": lambda cloud: cleanup.find(cloud.client()),
    "find the page": lambda cloud: cloud.client().page("done"),
}


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    made = Cloud(tmp_path_factory.mktemp("fuzz"))
    header = {"Authorization": f"Bearer {made.service.tokens.issue()}"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Client, "_send", lambda _, *words, **more: made.send(*words, **more))
        patch.setattr(Client, "_header", lambda _: header)
        patch.setattr(made.service.jobs, "cancel", lambda run: made.service.runs.advance(run, AzureRunState.CANCELED))
        yield made


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=() if kind in IN_THE_SUITE else pytest.mark.faults) for kind in KINDS]
)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_odd_field_is_no_traceback(cloud: Cloud, operation: str, kind: str):
    cloud.changed = None
    cloud.answers.clear()
    cloud.reset()
    OPERATIONS[operation](cloud)
    wanted = [(*asked, keys) for asked, value in cloud.answers.items() for keys in places(value)]
    assert len(wanted) > 5
    refused, wrong = 0, []
    for place in wanted:
        cloud.changed = (place, KINDS[kind])
        cloud.reset()
        try:
            OPERATIONS[operation](cloud)
        except StokerError:
            refused += 1
        except Exception as error:  # noqa: BLE001 - the point of the test
            wrong.append((place, repr(error)))
    assert wrong == []
    assert 0 < refused < len(wanted)


@pytest.mark.faults
@pytest.mark.parametrize("other", [{}, [7], "odd"], ids=["nothing", "list", "text"])
def test_an_odd_answer_during_a_submission_is_no_traceback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, other: Any):
    with Emulator(tmp_path / "azure", prepare_s=PATIENCE_S) as emulator:
        for name, value in emulator.client_environment().items():
            monkeypatch.setenv(name, value)
        settings, answer = AzureSettings(config=str(emulator.write_config(tmp_path))), emulator.service.answer
        asked: set[tuple[str, str]] = set()
        odd: tuple[str, str] | None = None

        def answered(request: Request) -> Response:
            found, key = answer(request), (request.method, request.path.replace(run.run_id, "RUN"))
            if found.status >= 300 or "json" not in found.headers.get("Content-Type", ""):
                return found
            asked.add(key)
            return replace(found, body=json.dumps(other).encode()) if key == odd else found

        monkeypatch.setattr(emulator.service, "answer", answered)
        job, refused, patience = TrainJob(), 0, replace(PATIENCE, cluster_s=20.0)
        run = RunDirectory.create(tmp_path / "runs", job)
        AzureBackend(settings, patience=patience, report=ignore).submit(job, run.path)
        for key in sorted(asked):
            odd = key
            run = RunDirectory.create(tmp_path / "runs", job)
            try:
                AzureBackend(settings, patience=patience, report=ignore).submit(job, run.path)
            except StokerError:
                refused += 1
        assert 0 < refused < len(asked)

"""`stoker azureml cleanup` shows what stoker has made in a workspace, and deletes its clusters and nothing else."""

from __future__ import annotations

import os
import pty
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from stoker.engine.errors import BackendError
from stoker.plugins.azureml.cluster import cluster, provision
from stoker.plugins.azureml.commands import cleanup
from stoker.plugins.azureml.progress import ignore
from stoker.plugins.azureml.reference import Scope
from stoker.plugins.azureml.rest.arm import pages
from stoker.plugins.azureml.rest.client import Patience, Service
from stoker.plugins.azureml.rest.paths import ARM, models_named
from stoker.plugins.azureml.sdk import sdk
from stoker.plugins.azureml.settings import AzureSettings
from stoker.plugins.azureml_emulator import Emulator, FaultKind

from ..emulator.client import Client
from ..patience import PATIENCE_S
from ..stoker_process import start, stoker

OURS = {provision.TAG: provision.OURS}
DATASET, ENVIRONMENT = "stoker-0123456789abcdef", "stoker-0123456789ab"


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """A workspace, and the folder with its `config.json`."""

    emulator: Emulator
    client: Client
    folder: Path

    def make(self, name: str, *, least: int = 0, tags: dict[str, str] = OURS) -> None:
        """Makes a cluster."""
        scale = {"minNodeCount": least, "maxNodeCount": 4, "nodeIdleTimeBeforeScaleDown": "PT120S"}
        inner = {"vmSize": "Standard_NC4as_T4_v3", "scaleSettings": scale}
        body = {"tags": tags, "properties": {"computeType": "AmlCompute", "properties": inner}}
        assert self.client.manage("PUT", f"/computes/{name}", body).status == 201

    def service(self, **patience: float) -> Service:
        return Service(Scope.from_config(str(self.folder)), "ambient", Patience(request_s=2.0, total_s=1.0, **patience))

    def find(self) -> cleanup.Made:
        return cleanup.find(self.service())

    def cleanup(self, *words: object, **environment: str) -> Any:
        return stoker("azureml", "cleanup", *words, cwd=self.folder, **environment)

    @property
    def clusters(self) -> list[str]:
        return self.emulator.service.clusters.names()


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """A workspace that has nothing, and that this process and those that it starts are signed in to."""
    with Emulator(tmp_path / "azure", scale_up_s=0.02, prepare_s=0.0, grace_s=2.0) as emulator:
        for name, value in emulator.client_environment().items():
            monkeypatch.setenv(name, value)
        emulator.write_config(tmp_path)
        yield Place(emulator=emulator, client=Client(emulator=emulator), folder=tmp_path)


def shown(done: Any) -> str:
    """What a command says, without the breaks of its lines."""
    return " ".join(done.stdout.split())


def test_only_what_stoker_has_made_is_listed(place: Place):
    place.make("ours")
    place.make("theirs", tags={})
    for name in (DATASET, "stoker-of-mine", "mnist-dataset"):
        body = {"name": name, "datasetType": "file", "latest": {"dataflow": "{}"}}
        assert place.client.call("POST", "dataset/v1.0", "/datasets", body).status == 200
    for name in (ENVIRONMENT, "AzureML-minimal"):
        assert place.client.call("PUT", "environment/v1.0", f"/environments/{name}", {}).status == 200
    made = place.find()
    assert [one.name for one in made.clusters] == ["ours"]
    assert made.named == (("data set", DATASET), ("environment", ENVIRONMENT))
    assert made.unknown == ()


def test_a_job_leaves_a_cluster_that_is_known_again(place: Place):
    service = place.service()
    scope = service.scope
    workspace = sdk.load().Workspace(scope.subscription, scope.group, scope.workspace, auth=service.auth)
    provision.find_or_create(service, workspace, AzureSettings(min_nodes=1), ignore)
    (one,) = place.find().clusters
    assert (one.name, one.least) == ("gpu-cluster", 1)
    assert cleanup.cost(one) == "costs 24 node-hours a day while it is idle, until it is deleted"


def test_the_list_says_what_costs_what_and_what_is_not_listed(place: Place):
    place.make("idle")
    done = place.cleanup()
    assert (done.returncode, done.stderr) == (0, "")
    assert (
        "idle: ready, Standard_NC4as_T4_v3, nodes: 0 of at most 4; it costs nothing once its idle nodes are gone, "
        "after 120 s without work" in shown(done)
    )
    assert "not listed: runs, models" in done.stdout
    assert done.stdout.endswith(" azureml cleanup --delete` deletes the clusters, and nothing else\n")
    assert place.clusters == ["idle"]


def test_a_workspace_in_which_stoker_made_nothing_is_reported_as_such(place: Place):
    assert "made by stoker in the workspace emulator: nothing that can be listed" in place.cleanup().stdout
    assert place.cleanup("--delete").returncode == 0


def test_the_clusters_of_stoker_are_deleted_and_no_others(place: Place):
    for name in ("one", "two"):
        place.make(name)
    place.make("theirs", tags={})
    done = place.cleanup("--delete", "--yes")
    assert (done.returncode, done.stderr) == (0, "")
    assert place.clusters == ["theirs"]
    assert "one: gone after" in done.stdout
    assert "kept: everything not listed" in done.stdout


def test_nothing_is_deleted_without_a_terminal_to_confirm_on(place: Place):
    place.make("one")
    done = place.cleanup("--delete")
    assert done.returncode == 2
    assert done.stderr == "error: nothing was deleted: there is no terminal to ask at\nhint: pass --yes\n"
    assert place.clusters == ["one"]


@pytest.mark.parametrize(("answer", "left"), [("y\n", []), ("no\n", ["one"]), ("\n", ["one"])])
def test_at_a_terminal_only_a_yes_deletes(place: Place, answer: str, left: list[str]):
    place.make("one")
    ours, theirs = pty.openpty()
    process = start("azureml", "cleanup", "--delete", cwd=place.folder, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    os.write(ours, answer.encode())
    text = "".join(read(ours))
    assert process.wait(PATIENCE_S) == (1 if left else 0)
    assert "delete one? [y/N]" in text
    assert place.clusters == left


def read(descriptor: int) -> Iterator[str]:
    """What comes out of a terminal until nobody writes to it any more."""
    with os.fdopen(descriptor, "rb", buffering=0) as stream:
        while True:
            try:
                piece = stream.read(4096)
            except OSError:  # Linux tells the end so
                return
            if not piece:
                return
            yield piece.decode(errors="replace")


def test_a_cluster_that_runs_a_job_stays_unless_it_is_asked_for(place: Place):
    place.make("c")
    place.client.submit("run-1", "import time; time.sleep(600)")
    place.client.until("run-1", "Running")
    done = place.cleanup("--delete", "--yes")
    assert (done.returncode, done.stderr) == (1, "")
    assert "c stays, because 1 node is at work; --running deletes it too" in done.stdout
    done = place.cleanup("--delete", "--yes", "--running")  # the emulator refuses
    assert done.returncode == 1
    assert done.stderr.startswith("error: c was not deleted: ")
    assert "runs are active on the compute 'c'" in done.stderr
    assert "hint: end its runs first: `" in done.stderr
    assert done.stderr.endswith(" runs cancel RUN`\n")


@pytest.mark.parametrize("option", ["--yes", "--running"])
def test_an_option_that_says_how_to_delete_is_refused_without_delete(tmp_path: Path, option: str):
    done = stoker("azureml", "cleanup", option, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {option} does nothing without --delete\nhint: ")


def test_what_can_not_be_listed_is_reported_and_the_rest_is_still_listed(place: Place):
    place.make("one")
    place.emulator.fault("/environment/", FaultKind.FORBIDDEN, times=None)
    done = place.cleanup()
    assert done.returncode == 0
    assert "warning: the environments can't be listed: " in done.stdout
    assert "one: ready" in done.stdout


class Deaf(Service):
    """Services that take no notice of a deletion."""

    def ask(self, method: str, url: str, **more: Any) -> dict[str, Any] | None:
        return {} if method == "DELETE" else super().ask(method, url, **more)


def test_a_cluster_counts_as_deleted_when_it_is_gone_and_not_before(place: Place):
    place.make("one")
    service = Deaf(Scope.from_config(str(place.folder)), "ambient", Patience(cluster_s=0.0))
    (one,) = cluster.listed(service)
    with pytest.raises(BackendError, match="the cluster one is still there after 0 minutes") as caught:
        cluster.delete(service, one, ignore)
    assert "stoker azureml cleanup" in caught.value.hint


class Paged(Service):
    """Services that answer in pages."""

    asked: tuple[str, ...] = ()

    def ask(self, method: str, url: str, **more: Any) -> dict[str, Any] | None:
        self.asked += (url,)
        following = {f"{ARM}/1": f"{ARM}/2", f"{ARM}/2": "https://elsewhere.example/3"}
        return {"value": [url], "nextLink": following[url]}


def test_a_listing_is_read_to_its_end_but_no_token_goes_to_another_host(place: Place):
    service = Paged(Scope.from_config(str(place.folder)), "ambient", Patience())
    listing = pages(service, f"{ARM}/1")
    assert [next(listing)["value"], next(listing)["value"]] == [[f"{ARM}/1"], [f"{ARM}/2"]]
    with pytest.raises(BackendError, match="continues at a host that isn't Azure's"):
        next(listing)
    assert service.asked == (f"{ARM}/1", f"{ARM}/2")


class Skipping(Service):
    """Services that name the next page of a listing in a link only."""

    asked: tuple[str, ...] = ()

    @property
    def addresses(self) -> dict[str, str]:
        return {"api": "https://api.example"}

    def ask(self, method: str, url: str, **more: Any) -> dict[str, Any] | None:
        self.asked += (url.rpartition("?")[2],)
        more_of_it = {"nextLink": "https://api.example/models?%24skipToken=a%2Fb"}
        return {"value": [{"version": len(self.asked)}], **(more_of_it if len(self.asked) == 1 else {})}


def test_a_listing_of_models_is_continued_by_the_token_in_its_link(place: Place):
    service = Skipping(Scope.from_config(str(place.folder)), "ambient", Patience())
    assert [one["version"] for one in service.list(models_named("m"))] == [1, 2]
    assert service.asked == ("name=m", "name=m&$skipToken=a%2Fb")

"""What is in a workspace of the emulator, as a value: from its own records and blobs, for a comparison of two."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import h5py

from stoker.plugins.azureml_emulator.service import Service
from stoker.plugins.azureml_emulator.state.runs import artifact, files_of
from stoker.plugins.azureml_emulator.state.settings import ARTIFACTS


def blob(service: Service, name: str) -> bytes:
    """The content of a file of the runs; b"" if there is none."""
    record = service.storage.get(ARTIFACTS, name)
    return Path(record["file"]).read_bytes() if record else b""


def output(service: Service, name: str) -> bytes:
    """The content of an output of the only run."""
    (run,) = service.runs.all()
    return blob(service, artifact(run["runId"], f"outputs/{name}"))


def files(service: Service) -> set[str]:
    """The files of all runs; the SDK puts the time into the name of the tutorial's picture."""
    names = (name for run in service.runs.all() for name in files_of(service.storage, run["runId"]))
    return {re.sub(r"^Accuracy vs Loss_\d+\.png$", "accuracy-vs-loss.png", name) for name in names}


def contents(service: Service) -> dict[str, Any]:
    """What a workspace has of what the tutorial leaves in one; what is left out is said below."""
    store, runs = service.store, [run["runId"] for run in service.runs.all()]
    return {
        "data sets": {one["name"]: _paths(one) for one in store.all("datasets")},
        "clusters": {name: _cluster(store.get("computes", name)) for name in store.keys("computes")},
        "experiments": [one["name"] for one in service.runs.experiments()],
        "runs": [_run(run) for run in service.runs.all()],
        "figures": [_figures(service, metrics) for metrics in store.all("metrics")],
        "models": {one["id"]: _model(service, one, runs) for one in store.all("models")},
    }


def _paths(data: dict[str, Any]) -> list[str]:
    definition = json.loads(data["versions"][-1]["dataflow"])["meta"]["RsDataflow"]
    return re.findall(r'pattern: "(.+)"', definition)


def _cluster(record: Any) -> Any:
    """Without its idle time and its tags: the SDK's default is half an hour, stoker's two minutes; stoker tags it."""
    asked = record["properties"]["properties"]
    limits = [asked["scaleSettings"][name] for name in ("minNodeCount", "maxNodeCount")]
    return record["properties"]["computeType"], asked["vmSize"], asked["vmPriority"], *limits


def _run(run: dict[str, Any]) -> Any:
    """Without script, environment, longest time, and stoker's second mount, which is for checkpoints."""
    asked = run["runDefinition"]
    data = [(one["dataLocation"]["dataset"]["name"], one["mechanism"]) for one in asked["data"].values()]
    place = asked["target"], asked["nodeCount"], asked["docker"]["useDocker"]
    return run["status"], run["experimentName"], place, data


def _figures(service: Service, metrics: dict[str, Any]) -> Any:
    """The kind of each figure, how many values it has, how a picture begins; without the step that stoker's have."""
    found = {}
    for name, metric in metrics.items():
        kind, values = metric["properties"]["uxMetricType"], [one["data"][name] for one in metric["value"]]
        pictures = [value.removeprefix("aml://artifactId/") for value in values if isinstance(value, str)]
        found[name] = kind, len(values), [blob(service, picture)[:4] for picture in pictures]
    return found


def _model(service: Service, model: dict[str, Any], runs: Iterable[str]) -> Any:
    """The network that is in the files of a registered model; without its tags, of which stoker's has more."""
    asset = service.store.get("assets", model["url"].rpartition("/")[2]) or {"artifacts": [{"prefix": ""}]}
    prefix = asset["artifacts"][0]["prefix"]
    described = json.loads(blob(service, f"{prefix}/model.json") or '{"config": {"layers": []}}')
    layers = [layer["config"] for layer in described["config"]["layers"]]
    network = [(layer["units"], layer["activation"]) for layer in layers if "units" in layer]
    return model["name"], model["runId"] in runs, network, _shapes(blob(service, f"{prefix}/model.weights.h5"))


def _shapes(weights: bytes) -> list[tuple[int, ...]]:
    """The shapes of a network's weights; without the state of the optimizer, which the tutorial keeps with them."""
    found: list[tuple[int, ...]] = []

    def add_shape(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and not name.startswith("optimizer/"):
            found.append(item.shape)

    if weights:
        with h5py.File(io.BytesIO(weights)) as file:
            file.visititems(add_shape)
    return sorted(found)

"""Mounts: the folders on the node that stand for the data sets and outputs in the arguments of a job."""

from __future__ import annotations

import fnmatch
import json
import shutil
import urllib.parse
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..network.message import Refusal, not_found
from ..state.records import SAVED_DATASETS, open_data_record
from ..state.settings import CONTAINER, OPEN_DATA
from ..state.store import Record
from ..state.workspace import Workspace
from .outputs import Output

_INPUT, _OUTPUT = "DatasetConsumptionConfig:", "DatasetOutputConfig:"


@dataclass(frozen=True, kw_only=True, slots=True)
class Mounts:
    """The folders of one attempt of a job.

    Attributes:
        inputs: The folder of each data set, by the name that the job gives it.
        outputs: The writable folders, by the name that the job gives them.
    """

    inputs: Mapping[str, Path] = field(default_factory=dict)
    outputs: Mapping[str, Output] = field(default_factory=dict)

    @classmethod
    def make(cls, workspace: Workspace, run: Record, folder: Path) -> Mounts:
        """Makes the folders.

        Args:
            workspace: Where data sets and blobs are.
            run: The record of the run.
            folder: Where to make them.

        Raises:
            Refusal: A data set, or a file of one, does not exist.
            BlobRefusal: A file of the open data does not exist.
        """
        configuration = run["runDefinition"]
        inputs = {
            name: _make_input(workspace, wanted, folder / "inputs" / name)
            for name, wanted in (configuration.get("data") or {}).items()
        }
        outputs = {
            name: _make_output(workspace, wanted, run["runId"], name, folder / "outputs" / name)
            for name, wanted in (configuration.get("outputData") or {}).items()
        }
        return cls(inputs=inputs, outputs=outputs)

    def resolve(self, argument: Any) -> str:
        """Returns an argument of the job; the name of a mount is replaced by its folder."""
        text = str(argument)
        if text.startswith(_INPUT):
            return str(self.inputs[text.removeprefix(_INPUT)])
        if text.startswith(_OUTPUT):
            return str(self.outputs[text.removeprefix(_OUTPUT)].folder)
        return text

    @property
    def environment(self) -> dict[str, str]:
        """The variables that tell the SDK in the job about the folders."""
        paths = {name: str(path) for name, path in self.inputs.items()}
        paths |= {name: str(output.folder) for name, output in self.outputs.items()}
        named = {
            "AZUREML_DATASET_ENVIRONMENT_VARS": ",".join(f"{name}:mount" for name in self.inputs),
            "AZUREML_DATASET_FILE_OUTPUTS": ";".join(self.outputs),
        }
        return paths | {name: text for name, text in named.items() if text}


def _make_input(workspace: Workspace, wanted: Record, folder: Path) -> Path:
    """Makes a read-only folder with copies of the files of a data set."""
    identifier = wanted["dataLocation"]["dataset"]["id"]
    saved = workspace.store.get(SAVED_DATASETS, identifier)
    if saved is None:
        raise not_found(f"the data set with the id '{identifier}'")
    for path_below, source in _files(workspace, saved["dataflowJson"]):
        target = folder / path_below
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        target.chmod(0o444)
    for path in [folder, *folder.rglob("*")]:
        if path.is_dir():
            path.chmod(0o555)
    return folder


def _make_output(workspace: Workspace, wanted: Record, run_id: str, name: str, folder: Path) -> Output:
    location = (wanted.get("outputLocation") or {}).get("dataPath") or {}
    prefix = location.get("relativePath") or "dataset/{run-id}/{output-name}"
    prefix = prefix.replace("{run-id}", run_id).replace("{output-name}", name).strip("/")
    return Output.mount(workspace.storage, CONTAINER, prefix, folder)


def _files(workspace: Workspace, definition: str) -> Iterable[tuple[str, str]]:
    """Yields the files of a data set: the path of each below the folder, and where it is now."""
    addresses = [address for entry in _paths(definition) for address in entry.values()]
    alone = len(addresses) == 1
    for address in addresses:
        parts = urllib.parse.urlsplit(address)
        if parts.scheme == "azureml":
            yield from _of_datastore(workspace, urllib.parse.unquote(parts.path), alone=alone)
        else:
            yield _web_path(parts, alone=alone), _web_file(workspace, parts)


def _paths(definition: str) -> list[dict[str, str]]:
    """Returns the `paths` of a definition, each a mapping of one entry; the SDK sends YAML within JSON."""
    import yaml

    text = json.loads(definition)["meta"]["RsDataflow"]
    return list(yaml.safe_load(text)["paths"])


def _web_path(parts: urllib.parse.SplitResult, *, alone: bool) -> str:
    container, host, path = _blob_address(parts)
    # As in to_path() of the SDK: https%3A/%2Fhost/folder/name
    return path.rpartition("/")[2] if alone else f"https%3A/%2F{host}/{container}/{path}"


def _web_file(workspace: Workspace, parts: urllib.parse.SplitResult) -> str:
    container, host, path = _blob_address(parts)
    if host == OPEN_DATA and container == "mnist":
        return str(open_data_record(path)["file"])
    record = workspace.storage.get(container, path) if host == workspace.settings.blob else None
    if record is None:
        raise Refusal(404, "DataAccessError", f"{parts.geturl()} can't be mounted: not found")
    return str(record["file"])


def _blob_address(parts: urllib.parse.SplitResult) -> tuple[str, str, str]:
    """Returns container, host and name of a blob; the SDK turns `https:` into `wasbs://container@host/name`."""
    path = urllib.parse.unquote(parts.path).lstrip("/")
    if parts.scheme == "wasbs":
        return parts.username or "", parts.hostname or "", path
    container, _, name = path.partition("/")
    return container, parts.netloc, name


def _of_datastore(workspace: Workspace, path: str, *, alone: bool) -> Iterable[tuple[str, str]]:
    head, _, pattern = path.partition("/paths/")
    datastore = head.rpartition("/")[2]
    fixed = pattern[: min((pattern.index(sign) for sign in "*?" if sign in pattern), default=len(pattern))]
    folder = fixed[: fixed.rfind("/") + 1]
    names = workspace.storage.names(CONTAINER, fixed)
    found = [name for name in names if name == pattern or pattern.endswith("/") or not pattern or _fits(name, pattern)]
    if not found:
        raise Refusal(404, "DataAccessError", f"nothing is at '{pattern}' in the datastore '{datastore}'")
    for name in found:
        record = workspace.storage.get(CONTAINER, name)
        if record and not record["metadata"].get("hdi_isfolder"):
            yield (name[len(folder) :] if alone else f"{datastore}/{name}"), str(record["file"])


def _fits(name: str, pattern: str) -> bool:
    return fnmatch.fnmatchcase(name, pattern) or fnmatch.fnmatchcase(name, pattern.replace("**/", ""))

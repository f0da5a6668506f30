"""Identifies a run of Azure ML: by its workspace, its experiment and its id, all chosen before the run exists."""

from __future__ import annotations

import hashlib
import itertools
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...engine import files, strict_json
from ...engine.command import command_line
from ...engine.errors import BackendError, InputError
from ...engine.paths import expanded
from ...engine.rundir import RunDirectory
from ...engine.status import Handle
from . import NAME

FILE = "azureml.json"
"""The file in a run's folder that says where the run is; it is written before the run exists."""

RUN_ID = "--run-id"
"""The argument of the entry script that precedes the id of the run, by which `runs/adopt.py` finds it."""

JOB = "STOKER_JOB"
"""The variable of a run that holds its job as JSON, for `runs/adopt.py`. The node reads the job from a file."""

CHECKPOINTS = "stoker/RUN_ID/checkpoints"
"""Where the checkpoints of a run are on the workspace's default datastore."""

_CONFIGS = ("config.json", "project.json")
_FOLDERS = (".azureml", "aml_config", ".")
"""The names of the file, and the folders that it may be in, in the order in which `Workspace.from_config` of the SDK
looks for them: each in the folder and all of its parents before it looks for the next."""

_PART = re.compile(r"[\w.()-]{1,256}")
_UNSAFE = re.compile(r"[^A-Za-z0-9_-]+")
_KEYS = ("subscription_id", "resource_group", "workspace_name")
_HINT = "download it from the page of the workspace in the Azure portal, or name it with --azureml-config FILE"


@dataclass(frozen=True, kw_only=True, slots=True)
class Scope:
    """A workspace.

    Attributes:
        subscription: The id of its subscription.
        group: Its resource group.
        workspace: Its name.
    """

    subscription: str
    group: str
    workspace: str

    @classmethod
    def from_config(cls, config: str) -> Scope:
        """Reads the workspace that `config.json` names, as `Workspace.from_config` of the SDK does.

        Args:
            config: The path of the file, or of a folder to search together with its parents; "" searches the current
                folder. A `.azureml/config.json` counts before an `aml_config/config.json`, and that before a plain
                one, however far above it is.

        Raises:
            InputError: There is no such file, or it names no workspace.
        """
        start = expanded(config) if config else Path()
        path = _search(start) if start.is_dir() else start
        try:
            parts = _parts(strict_json.loads(files.decode(files.read_plain(path))))
        except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            expected = f"a JSON object with {', '.join(_KEYS)}"
            received = error.strerror if isinstance(error, OSError) else f"{type(error).__name__}: {error}"
            raise InputError(
                f"{path} names no workspace", received=received, expected=expected, hint=_HINT, path=path
            ) from error
        if not all(map(_is_part, parts)):
            found = dict(zip(_KEYS, parts, strict=True))
            raise InputError(f"{path} names no workspace", received=found, hint=_HINT, path=path)
        return cls(subscription=parts[0], group=parts[1], workspace=parts[2])

    @property
    def path(self) -> str:
        """The full name of the workspace, as it stands in the addresses of services."""
        group = f"/subscriptions/{self.subscription}/resourceGroups/{self.group}"
        return f"{group}/providers/Microsoft.MachineLearningServices/workspaces/{self.workspace}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Reference:
    """A run.

    Attributes:
        scope: The workspace that it is in.
        experiment: The experiment that it belongs to.
        run_id: Its id, unique in the workspace.
    """

    scope: Scope
    experiment: str
    run_id: str

    @classmethod
    def of_handle(cls, handle: Handle) -> Reference | None:
        """Reads a run from its handle; None if the handle isn't of this backend."""
        parts = handle.reference.split("/")
        if handle.backend != NAME or len(parts) != 5 or not all(map(_is_part, parts)):
            return None
        scope = Scope(subscription=parts[0], group=parts[1], workspace=parts[2])
        return cls(scope=scope, experiment=parts[3], run_id=parts[4])

    @classmethod
    def required(cls, handle: Handle) -> Reference:
        """Reads a run from its handle.

        Raises:
            BackendError: The handle isn't of this backend.
        """
        found = cls.of_handle(handle)
        if found is None:
            hint = f"`{command_line('runs', 'list')}` shows the runs"
            raise BackendError(f"this is no handle of a run of the backend {NAME!r}", received=handle, hint=hint)
        return found

    @property
    def handle(self) -> Handle:
        """The handle by which any process finds the run again."""
        scope = self.scope
        parts = (scope.subscription, scope.group, scope.workspace, self.experiment, self.run_id)
        return Handle(backend=NAME, reference="/".join(parts))

    def attempt(self, number: int) -> str:
        """Returns the id of an attempt: the service takes no id twice, so each attempt of a run has one."""
        return self.run_id if number == 1 else f"{self.run_id}-{number}"

    @classmethod
    def of_folder(cls, run: RunDirectory) -> Reference | None:
        """Reads the run of a folder; None if the folder was never submitted."""
        try:
            value = strict_json.loads((run.path / FILE).read_text(encoding="utf-8"))
            return cls.of_handle(Handle.parse(value["handle"]))
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, InputError):
            return None

    def write(self, run: RunDirectory, page: str = "") -> None:
        """Records the reference in the run's folder.

        Args:
            run: The folder.
            page: The address of the run's page in the studio, for people; "" before there is one.

        Raises:
            StorageError: It can't be written.
        """
        files.write_json(run.path / FILE, {"handle": str(self.handle)} | ({"page": page} if page else {}))


def safe_run_id(name: str) -> str:
    """Turns the name of a run's folder into a run id that the service takes."""
    safe = _UNSAFE.sub("-", name).strip("-_")[:200]
    return safe if safe == name else f"{safe or 'run'}-{hashlib.sha256(name.encode(errors='replace')).hexdigest()[:8]}"


def _parts(value: Any) -> list[Any]:
    """Returns the three parts of a workspace, as `get_workspace_info` in `azureml._project.project_info` reads them.

    Files of old versions of the SDK have the full name of the workspace in "Scope", which counts first.
    """
    if value.get("Scope"):
        return [value["Scope"].split("/")[number] for number in (2, 4, 8)]
    return [value[key] for key in _KEYS]


def _search(folder: Path) -> Path:
    """Finds the file in a folder or its parents, in the order of the SDK."""
    places = (folder.resolve(), *folder.resolve().parents)
    for below, name in itertools.product(_FOLDERS, _CONFIGS):
        for above in places:
            path = above / below / name
            if path.is_file():
                return path
    raise InputError(
        f"no {_CONFIGS[0]} of a workspace in {folder.resolve()} or above it",
        expected=f"{_CONFIGS[0]}, or {_FOLDERS[0]}/{_CONFIGS[0]}",
        hint=_HINT,
        path=folder,
    )


def _is_part(text: object) -> bool:
    return isinstance(text, str) and bool(_PART.fullmatch(text)) and not text.startswith(".")

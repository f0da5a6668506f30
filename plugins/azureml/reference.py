"""How a run of Azure ML is found again: its workspace, its experiment and its id, which are chosen before it exists."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path

from ...engine import files
from ...engine.errors import InputError
from ...engine.rundir import RunDirectory
from ...engine.status import Handle

NAME = "azureml"
"""The name of the backend."""

CHECKPOINTS = "stoker/RUN_ID/checkpoints"
"""Where checkpoints go on the workspace's default datastore."""

RUN_ID = "--run-id"
"""The argument of the entry script before the id of the run."""

JOB = "STOKER_JOB"
"""The variable that has the job as JSON. The node reads its file; this is for whoever finds the run: `adopt.py`."""

FILE = "azureml.json"
"""The file of a run's folder that says where it runs; it is there before the run is."""

_CONFIG = "config.json"
_PLACES = (".azureml", "aml_config", ".")
"""Where `Workspace.from_config` looks, in a folder and in each one above it."""

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
        """The workspace that `config.json` names.

        Args:
            config: Its path, or a folder to look in; "" looks in the current folder. Folders are looked through
                upwards.

        Raises:
            InputError: There is none, or it names no workspace.
        """
        start = Path(config).expanduser() if config else Path()
        path = start if start.is_file() else _search(start)
        try:
            value = json.loads(path.read_text(encoding="utf-8"))
            scope = cls(**dict(zip(("subscription", "group", "workspace"), (value[key] for key in _KEYS), strict=True)))
        except (OSError, ValueError, KeyError, TypeError) as error:
            expected = f"a JSON object with {', '.join(_KEYS)}"
            received = error.strerror if isinstance(error, OSError) else f"{type(error).__name__}: {error}"
            raise InputError(
                f"{path} names no workspace", received=received, expected=expected, hint=_HINT, path=path
            ) from error
        if not all(_is_part(part) for part in (scope.subscription, scope.group, scope.workspace)):
            raise InputError(f"{path} names no workspace", received=asdict(scope), hint=_HINT, path=path)
        return scope

    @property
    def path(self) -> str:
        """Its name in full, as services have it in their addresses."""
        group = f"/subscriptions/{self.subscription}/resourceGroups/{self.group}"
        return f"{group}/providers/Microsoft.MachineLearningServices/workspaces/{self.workspace}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Reference:
    """A run.

    Attributes:
        scope: The workspace that it is in.
        experiment: The experiment that it is of.
        run_id: Its id, which no other run of the workspace has.
    """

    scope: Scope
    experiment: str
    run_id: str

    @classmethod
    def of_handle(cls, handle: Handle) -> Reference | None:
        """The run of a handle; None if it is no handle of this backend."""
        parts = handle.reference.split("/")
        if handle.backend != NAME or len(parts) != 5 or not all(map(_is_part, parts)):
            return None
        scope = Scope(subscription=parts[0], group=parts[1], workspace=parts[2])
        return cls(scope=scope, experiment=parts[3], run_id=parts[4])

    @property
    def handle(self) -> Handle:
        """What finds it again."""
        scope = self.scope
        parts = (scope.subscription, scope.group, scope.workspace, self.experiment, self.run_id)
        return Handle(backend=NAME, reference="/".join(parts))

    def attempt(self, number: int) -> str:
        """The run id of an attempt: the service takes no id twice, so that a resumed run has further ones."""
        return self.run_id if number == 1 else f"{self.run_id}-{number}"

    @classmethod
    def of_folder(cls, run: RunDirectory) -> Reference | None:
        """The run that a folder is of; None before it was first to be submitted."""
        try:
            value = json.loads((run.path / FILE).read_text(encoding="utf-8"))
            return cls.of_handle(Handle.parse(value["handle"]))
        except (OSError, ValueError, KeyError, TypeError, InputError):
            return None

    def write(self, run: RunDirectory, page: str = "") -> None:
        """Writes it down in the run's folder.

        Args:
            run: The folder.
            page: The address of its page in the studio, for people; "" before there is one.

        Raises:
            StorageError: It can't be written.
        """
        files.write_json(run.path / FILE, {"handle": str(self.handle)} | ({"page": page} if page else {}))


def safe_run_id(name: str) -> str:
    """The id of the run of a folder, of characters that any service takes."""
    safe = _UNSAFE.sub("-", name).strip("-_")[:200]
    return safe if safe == name else f"{safe or 'run'}-{hashlib.sha256(name.encode(errors='replace')).hexdigest()[:8]}"


def _search(folder: Path) -> Path:
    for place in (folder.resolve(), *folder.resolve().parents):
        for below in _PLACES:
            path = place / below / _CONFIG
            if path.is_file():
                return path
    raise InputError(
        f"no {_CONFIG} of a workspace in {folder.resolve()} or above it",
        expected=f"{_CONFIG}, or {_PLACES[0]}/{_CONFIG}",
        hint=_HINT,
        path=folder,
    )


def _is_part(text: object) -> bool:
    return isinstance(text, str) and bool(_PART.fullmatch(text)) and not text.startswith(".")

"""The runs of the workspace, and the states that they go through."""

from __future__ import annotations

import enum
import urllib.parse
import uuid
from typing import Any

from ..network.message import Refusal, not_found, now
from .settings import ARTIFACTS, Settings
from .storage import Storage
from .store import Record, Store

_KIND = "runs"
_EXPERIMENTS = "experiments"


class AzureRunState(enum.StrEnum):
    """The states of a run, in the words of the service and in the order in which a run goes through them."""

    NOT_STARTED = "NotStarted"
    STARTING = "Starting"
    PREPARING = "Preparing"
    QUEUED = "Queued"
    RUNNING = "Running"
    CANCEL_REQUESTED = "CancelRequested"
    FINALIZING = "Finalizing"
    COMPLETED = "Completed"
    FAILED = "Failed"
    CANCELED = "Canceled"

    @property
    def ended(self) -> bool:
        """Whether the state is final."""
        return self in {AzureRunState.COMPLETED, AzureRunState.FAILED, AzureRunState.CANCELED}

    @property
    def rank(self) -> int:
        """The place in the order; a run never goes to a lower one, except after a preemption."""
        return list(AzureRunState).index(self)


class Runs:
    """Makes, finds and changes runs and experiments.

    Args:
        store: Keeps them.
        settings: What the subscription looks like.
    """

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self._settings = settings

    def experiment(self, name: str) -> Record:
        """Returns an experiment by its name.

        Raises:
            Refusal: There is no such experiment.
        """
        found = self._store.get(_EXPERIMENTS, name)
        if not found:
            raise not_found(f"the experiment '{name}'")
        return found

    def make_experiment(self, name: str) -> Record:
        """Returns an experiment by its name; makes it if it does not exist."""
        with self._store.lock:
            return self._store.get(_EXPERIMENTS, name) or self._store.put(
                _EXPERIMENTS, name, {"experimentId": str(uuid.uuid4()), "name": name, "createdUtc": now(), "tags": {}}
            )

    def experiments(self) -> list[Record]:
        """Returns all experiments, oldest first."""
        return self._store.all(_EXPERIMENTS)

    def experiment_by_id(self, identifier: str) -> Record:
        """Returns an experiment by its id.

        Raises:
            Refusal: There is no such experiment.
        """
        for one in self.experiments():
            if one["experimentId"] == identifier:
                return one
        raise not_found(f"the experiment with the id '{identifier}'")

    def create(self, run_id: str, experiment: str, **fields: Any) -> Record:
        """Makes a run.

        Args:
            run_id: Its id.
            experiment: The name of its experiment, which is made if it does not exist.
            **fields: More fields of the record.

        Raises:
            Refusal: The id is taken, or has no length that is allowed.
        """
        if not 0 < len(run_id) <= 256:
            raise Refusal(400, "InvalidRunId", "a run id has between 1 and 256 characters")
        with self._store.lock:
            if self._store.get(_KIND, run_id):
                raise Refusal(409, "RunIdInUse", f"a run with the id '{run_id}' already exists")
            record: Record = {
                "runId": run_id,
                "runNumber": len(self._store.keys(_KIND)) + 1,
                "experimentName": experiment,
                "experimentId": self.make_experiment(experiment)["experimentId"],
                "status": AzureRunState.NOT_STARTED,
                "createdUtc": now(),
                "tags": {},
                "properties": {},
                "warnings": [],
                **fields,
            }
            return self._store.put(_KIND, run_id, record)

    def find(self, run_id: str) -> Record | None:
        """Returns a run; None if there is no such run."""
        return self._store.get(_KIND, run_id)

    def get(self, run_id: str) -> Record:
        """Returns a run.

        Raises:
            Refusal: There is no such run.
        """
        found = self.find(run_id)
        if not found:
            raise not_found(f"the run '{run_id}'")
        return found

    def all(self, experiment: str | None = None) -> list[Record]:
        """Returns the runs of an experiment, or all runs, newest first."""
        runs = self._store.all(_KIND, lambda run: experiment in {None, run["experimentName"]})
        return sorted(runs, key=lambda run: -int(run["runNumber"]))

    def state(self, run_id: str) -> AzureRunState:
        """Returns the state of a run.

        Raises:
            Refusal: There is no such run.
        """
        return AzureRunState(self.get(run_id)["status"])

    def advance(self, run_id: str, state: AzureRunState, **fields: Any) -> bool:
        """Moves a run to a later state.

        Args:
            run_id: The run.
            state: The state.
            **fields: More fields of the record to change.

        Returns:
            Whether the run was moved; False if it is in this state, or a later one, already.

        Raises:
            KeyError: There is no such run.
        """
        with self._store.change(_KIND, run_id) as run:
            at = AzureRunState(run["status"])
            if at.ended or state.rank <= at.rank:
                return False
            run.update(fields, status=state)
            if state is AzureRunState.RUNNING:
                run.setdefault("startTimeUtc", now())
            if state.ended:
                run["endTimeUtc"] = now()
            return True

    def requeue(self, run_id: str, warning: str) -> None:
        """Moves a run back into the queue, which is the only way back.

        Args:
            run_id: The run.
            warning: Why, for the warnings of the run.

        Raises:
            KeyError: There is no such run.
        """
        with self._store.change(_KIND, run_id) as run:
            if AzureRunState(run["status"]) is AzureRunState.RUNNING:
                run["status"] = AzureRunState.QUEUED
            run["warnings"].append({"source": "AzureMLCompute", "message": warning})

    def annotate(self, run_id: str, **changes: Record | None) -> Record:
        """Adds tags and properties.

        Args:
            run_id: The run.
            **changes: What to add to each of these fields; None adds nothing.

        Raises:
            KeyError: There is no such run.
        """
        with self._store.change(_KIND, run_id) as run:
            for field, more in changes.items():
                run[field].update(more or {})
            return dict(run)

    def remove_tags(self, run_id: str, names: list[str]) -> Record:
        """Removes tags; those that the run lacks are ignored.

        Args:
            run_id: The run.
            names: The names of the tags.

        Raises:
            KeyError: There is no such run.
        """
        with self._store.change(_KIND, run_id) as run:
            for name in names:
                run["tags"].pop(name, None)
            return dict(run)

    def dto(self, run: Record) -> Record:
        """Returns a run as the service describes it."""
        fields = {key: value for key, value in run.items() if key not in {"submitted", "snapshotId", "experimentName"}}
        return {
            "parentRunId": None,
            "rootRunId": run["runId"],
            "runType": "azureml.scriptrun",
            "target": None,
            "startTimeUtc": None,
            "endTimeUtc": None,
            "error": None,
            **fields,
            "dataContainerId": f"dcid.{run['runId']}",
            "createdBy": {"userObjectId": self._settings.client_id, "userName": "emulated"},
            "cancelUri": self._cancel_uri(run),
        }

    def _cancel_uri(self, run: Record) -> str | None:
        settings = self._settings
        if settings.odd and run["runNumber"] % 2 == 0:
            return None
        host = settings.private_api if settings.odd else settings.api
        name = urllib.parse.quote(run["runId"], safe="")
        return f"https://{host}/execution/v1.0{settings.scope}/runs/{name}/cancel"


def artifact(run_id: str, path: str) -> str:
    """Returns the name of the blob that holds a file of a run.

    Args:
        run_id: The run.
        path: The path of the file.
    """
    return f"ExperimentRun/dcid.{run_id}/{path}"


def files_of(storage: Storage, run_id: str, prefix: str = "") -> list[str]:
    """Returns the paths of the files of a run, sorted.

    Args:
        storage: The blobs.
        run_id: The run.
        prefix: What the paths begin with.
    """
    start = len(artifact(run_id, ""))
    return [name[start:] for name in storage.names(ARTIFACTS, artifact(run_id, prefix))]

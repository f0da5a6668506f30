"""One MLflow run, brought up to date with the folder of a run."""

from __future__ import annotations

import contextlib
import json
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ....engine import files
from ....engine.job import TrainJob
from ....engine.registry import MODEL_FILE
from ....engine.rundir import RunDirectory
from . import contents
from .uri import address, bare, has_secret

SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
}
"""MLflow's settings where the user has none: no telemetry, and a short timeout without retries, because stoker retries
after the next epoch. MLflow's defaults are two minutes for a request, and seven retries."""

_RECORD = "mlflow.json"
_DIGEST = "stoker.model_sha256"
_BATCH = 100
"""Entries of one request: the smallest limit that servers have for any kind of entry."""


class MlflowRun:
    """The MLflow run of a run's folder, found again by the id in `mlflow.json`. For one thread at a time.

    Its methods raise what MLflow raises; each of them may then be called again.

    Attributes:
        uri: The address of the tracking server, which may contain a password; "" until it is known.
    """

    def __init__(self, job: TrainJob, run: RunDirectory) -> None:
        self._job, self._run = job, run
        self.uri = str(job.options.get("mlflow_uri") or os.environ.get("MLFLOW_TRACKING_URI") or "")
        self._client: Any = None
        self._info: Any = None
        self._brought: set[tuple[str, int, str]] = set()

    @property
    def where(self) -> str:
        """Where to find the MLflow run; the address as it may be shown."""
        experiment, run_id, uri = self._info.experiment_id, self._info.run_id, bare(self.uri)
        if uri.startswith("http"):
            return f"{uri.rstrip('/')}/#/experiments/{experiment}/runs/{run_id}"
        return f"run {run_id} of experiment {experiment} at {uri}"

    def bring(self) -> None:
        """Sends the figures that MLflow does not have yet, and at first the job."""
        with self._opened():
            self._bring_figures()

    def end(self, status: str, time_s: float) -> None:
        """Sends everything, and last how the run has ended.

        Args:
            status: What MLflow calls it: "FINISHED", "FAILED" or "KILLED".
            time_s: When it ended, in seconds since 1970.
        """
        with self._opened() as run_id:
            self._bring_figures()
            finished = status == "FINISHED"
            for path in self._run.files_for_trackers():
                self._client.log_artifact(run_id, str(path))
            if finished:
                self._bring_model("model")
            if finished and self._run.plots.is_dir():
                self._client.log_artifacts(run_id, str(self._run.plots), "plots")
            self._client.set_terminated(run_id, status, end_time=_milliseconds(time_s))

    def register(self, name: str) -> str:
        """Registers the model under a name and returns the version; the same model keeps its version.

        Each version has its copy among the artifacts, because a resume may replace the model of the run.
        """
        with self._opened() as run_id:
            digest = files.sha256_file(self._run.model / MODEL_FILE)
            self._make_name(name)
            for version in self._client.search_model_versions(f"name='{name}'"):
                if version.tags.get(_DIGEST) == digest:
                    return str(version.version)
            place = f"registered/{digest[:12]}"
            self._bring_model(place)
            version = self._client.create_model_version(
                name,
                f"{self._info.artifact_uri}/{place}",
                run_id,
                tags={_DIGEST: digest, "stoker.run_id": self._run.run_id},
                await_creation_for=0,
            )
            return str(version.version)

    @contextlib.contextmanager
    def _opened(self) -> Iterator[str]:
        """Yields the id of the MLflow run, which it finds or makes the first time.

        After a failure, it is not known what MLflow has done, so the next call asks MLflow again.
        """
        try:
            if not self._info:
                self._open()
            yield self._info.run_id
        except BaseException:
            self._info = None
            raise

    def _open(self) -> None:
        self._client = self._connect()
        found = self._find() or self._create()
        self._brought = self._figures_there(found)
        known = found.data.params  # of a parameter, MLflow keeps the first value and refuses another
        new = {name: value for name, value in contents.parameters(self._job, self._run).items() if name not in known}
        self._log(found.info.run_id, params=new, tags=contents.tags(self._job, self._run))
        if found.info.status != "RUNNING":
            self._client.update_run(found.info.run_id, "RUNNING")
        self._info = found.info

    def _connect(self) -> Any:
        for name, value in SETTINGS.items():
            os.environ.setdefault(name, value)
        os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"  # it would print a password too
        from mlflow import MlflowClient

        for talker in ("mlflow", "alembic"):  # a line for each table of a new database
            logging.getLogger(talker).setLevel(logging.WARNING)
        self.uri = self.uri or str(self._record().get("tracking_uri", ""))
        client = MlflowClient(tracking_uri=self.uri or None)
        found = str(client.tracking_uri)
        self.uri = found if has_secret(found) else address(found)
        return client

    def _find(self) -> Any | None:
        """Finds the MLflow run by its record, or, if recording it was interrupted, by its tag."""
        from mlflow.exceptions import MlflowException

        with contextlib.suppress(KeyError):
            try:
                run = self._client.get_run(self._record()["run_id"])
                if run.info.lifecycle_stage == "active":
                    return run
            except MlflowException as error:
                if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                    raise
        mine = f"tags.`stoker.run_id` = '{self._run.run_id}'"
        found = self._client.search_runs([self._experiment()], mine, max_results=1)
        return self._recorded(found[0]) if found else None

    def _create(self) -> Any:
        return self._recorded(
            self._client.create_run(
                self._experiment(),
                start_time=_milliseconds(contents.began_s(self._run)),
                tags={"stoker.run_id": self._run.run_id},
                run_name=self._run.run_id,
            )
        )

    def _experiment(self) -> str:
        """Returns the id of the experiment, and makes it if necessary; without a name, MLflow's settings decide."""
        named = str(self._job.options.get("mlflow_experiment") or os.environ.get("MLFLOW_EXPERIMENT_NAME") or "")
        if not named and os.environ.get("MLFLOW_EXPERIMENT_ID"):
            return os.environ["MLFLOW_EXPERIMENT_ID"]
        found = self._client.get_experiment_by_name(named or "Default")
        return str(found.experiment_id if found else self._client.create_experiment(named or "Default"))

    def _record(self) -> Mapping[str, Any]:
        try:
            record = json.loads((self._run.path / _RECORD).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return record if isinstance(record, dict) else {}

    def _recorded(self, found: Any) -> Any:
        known = {} if has_secret(self.uri) else {"tracking_uri": self.uri}
        files.write_json(self._run.path / _RECORD, {"run_id": found.info.run_id, **known})
        return found

    def _bring_figures(self) -> None:
        from mlflow.entities import Metric

        new = {one.key: one for one in contents.figures(self._run) if one.key not in self._brought}
        metrics = [Metric(one.name, one.value, _milliseconds(one.time_s), one.epoch) for one in new.values()]
        self._log(self._info.run_id, metrics=metrics)
        self._brought |= new.keys()

    def _figures_there(self, found: Any) -> set[tuple[str, int, str]]:
        histories = [self._client.get_metric_history(found.info.run_id, name) for name in found.data.metrics]
        return {(one.key, one.step, repr(one.value)) for history in histories for one in history}

    def _log(
        self,
        run_id: str,
        *,
        metrics: Sequence[Any] = (),
        params: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        from mlflow.entities import Param, RunTag

        entries: dict[str, Sequence[Any]] = {
            "metrics": metrics,
            "params": [Param(name, value) for name, value in (params or {}).items()],
            "tags": [RunTag(name, value) for name, value in (tags or {}).items()],
        }
        for kind, every in entries.items():
            for start in range(0, len(every), _BATCH):
                self._client.log_batch(run_id, synchronous=True, **{kind: every[start : start + _BATCH]})

    def _bring_model(self, place: str) -> None:
        self._client.log_artifacts(self._info.run_id, str(self._run.model), place)
        for name, text in contents.model_notes(self._run, self._info.run_id, place).items():
            self._client.log_text(self._info.run_id, text, f"{place}/{name}")

    def _make_name(self, name: str) -> None:
        from mlflow.exceptions import MlflowException

        try:
            self._client.create_registered_model(name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise


def _milliseconds(time_s: float) -> int:
    return round(time_s * 1000)

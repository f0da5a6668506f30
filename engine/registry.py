"""Registered models: versions that never change, each with its digest and its origin."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import files, locks, strict_json
from .backend import ModelVersion
from .errors import InputError, RunError, UnknownNameError
from .job import TrainJob, check_name
from .rundir import RunDirectory
from .summary import RunSummary

__all__ = ["MODEL_FILE", "NOT_REGISTERED", "Registry"]

MODEL_FILE = "model.keras"
NOT_REGISTERED = "the model is not registered"
"""How the message of a run begins whose model must not be registered."""
_RECORD = "version.json"
_VERSION = re.compile(r"[1-9][0-9]*")


@dataclass(frozen=True, slots=True)
class Registry:
    """Models below one folder: `NAME/VERSION/model.keras`, `NAME/VERSION/version.json`.

    Attributes:
        root: The folder.
    """

    root: Path

    @classmethod
    def beside(cls, run: RunDirectory) -> Registry:
        """Returns the registry of the folder that a run is in."""
        return cls.of_runs(run.path.parent)

    @classmethod
    def of_runs(cls, runs_dir: Path) -> Registry:
        """Returns the registry of a folder of runs."""
        return cls(runs_dir / "registry")

    def register(self, name: str, model: Path, lineage: Mapping[str, Any]) -> ModelVersion:
        """Copies a model's folder into the registry as its next version; registering the same digest twice makes one.

        Args:
            name: The name of the model.
            model: A folder that holds `model.keras`.
            lineage: Where it came from: {"run": run id, …}.

        Raises:
            InputError: There is no model in the folder, or the name is not one.
            StorageError: It can't be written; no version is left.

        Example:
            >>> model = files.make_folder(folder / "model")
            >>> files.write_bytes(model / "model.keras", b"what Keras has saved")
            >>> Registry(folder / "models").register("digits", model, {"run": "20261124-1"}).version
            1
        """
        check_name("the name to register", name)
        if not (model / MODEL_FILE).is_file():
            hint = "only a finished run has a model to register"
            raise InputError(f"no {MODEL_FILE} in {model}", hint=hint, path=model)
        digest = files.sha256_file(model / MODEL_FILE)
        folder = files.make_folder(self.root / name)
        with locks.lock(folder / ".lock"):
            known = self.versions(name)
            for version in known:
                if version.digest == digest:
                    return version
            number = 1 + max((version.version for version in known), default=0)
            self._add(folder / str(number), model, {"name": name, "version": number, "digest": digest, **lineage})
        return ModelVersion(name=name, version=number, digest=digest, location=str(folder / str(number)))

    @classmethod
    def register_run(cls, run: RunDirectory, job: TrainJob) -> ModelVersion:
        """Registers the model of a finished run, in the registry of its folder and under the name that its job gives.

        Args:
            run: The run; its outputs are complete.
            job: Its job, whose `register` is a name.

        Raises:
            InputError: There is no model in the run's outputs.
            StorageError: It can't be written; no version is left.
        """
        return cls.beside(run).register(job.register, run.model, {"run": run.run_id, "job_sha256": job.digest()})

    @staticmethod
    def check_summary(job: TrainJob, summary: RunSummary) -> None:
        """Refuses to register a model with NaN or infinity in its losses or weights, unless the job does so anyway.

        Args:
            job: Its job.
            summary: What its run came to.

        Raises:
            RunError: It must not be registered.
        """
        if summary.not_finite and job.register and not job.register_anyway:
            what = f"{NOT_REGISTERED} as {job.register!r}: {summary.not_finite}"
            hint = "train it so that these stay numbers, or register such a model with --register-anyway"
            raise RunError(what, hint=hint)

    def names(self) -> list[str]:
        """Returns the names of the registered models.

        Raises:
            RunError: The registry can't be read.
        """
        try:
            return sorted(path.name for path in self.root.iterdir() if path.is_dir()) if self.root.is_dir() else []
        except OSError as error:
            raise RunError(f"{self.root} can't be read", received=error.strerror, path=self.root) from error

    def versions(self, name: str) -> list[ModelVersion]:
        """Returns the versions of a model, oldest first; [] if the name is unknown.

        One whose record is damaged has the digest "", and hides no other.

        Raises:
            RunError: Its folder can't be read.
        """
        folder = self.root / name
        try:
            paths = [path for path in folder.iterdir() if _VERSION.fullmatch(path.name)] if folder.is_dir() else []
        except OSError as error:
            raise RunError(f"{folder} can't be read", received=error.strerror, path=folder) from error
        versions = [
            ModelVersion(name=name, version=int(path.name), digest=self._digest(path), location=str(path))
            for path in paths
        ]
        return sorted(versions, key=lambda version: version.version)

    def latest(self, name: str) -> ModelVersion:
        """Returns the newest version of a model.

        Raises:
            UnknownNameError: There is no such model.
            RunError: Its record is damaged.
        """
        versions = self.versions(name)
        if not versions:
            raise UnknownNameError("model in the registry", name, self.names(), hint="register one with --register")
        self.record(Path(versions[-1].location))
        return versions[-1]

    def _digest(self, location: Path) -> str:
        try:
            return str(self.record(location)["digest"])
        except RunError:
            return ""

    def record(self, location: Path) -> dict[str, Any]:
        """Returns the record of a version: name, version, digest, lineage, time.

        Raises:
            RunError: It can't be read.
        """
        path = location / _RECORD
        try:
            record = strict_json.loads(files.read_plain(path).decode())
        except (OSError, ValueError, RecursionError) as error:
            raise RunError(f"{path} can't be read", received=str(error), path=path) from error
        if not isinstance(record, dict) or not isinstance(record.get("digest"), str):
            raise RunError(f"{path} is no record of a model", expected="a JSON object with a digest", path=path)
        return record

    def _add(self, folder: Path, model: Path, record: Mapping[str, Any]) -> None:
        with files.atomic_folder(folder) as beside:
            files.copy_tree(model, beside)
            files.write_json(beside / _RECORD, {**record, "registered_s": time.time()})

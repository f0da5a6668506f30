"""One attempt of a job on its node: a new folder with the files of the snapshot, the mounts, and the process."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path

from ..state.records import snapshot_files
from ..state.runs import artifact
from ..state.settings import ARTIFACTS, SNAPSHOTS
from ..state.store import Record
from ..state.workspace import Workspace
from .mounts import Mounts
from .process import JobProcess

LOG = "user_logs/std_log.txt"
_PUBLISHED = ("outputs", "logs")
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "TZ")
_SYNC_S = 0.25


class Attempt:
    """A job on its node; making one starts the process.

    Args:
        workspace: Where the snapshot, the data sets and the outputs are.
        run: The record of the run.
        folder: The folder to make for it.
        environment: The variables that lead its process to the emulator.

    Attributes:
        folder: Holds everything of the attempt that is on this machine.
        process: The process of the job.

    Raises:
        Refusal: A data set, or a file of one, does not exist.
        ValueError: A file of the snapshot would lie outside of the folder.
    """

    def __init__(self, workspace: Workspace, run: Record, folder: Path, environment: Mapping[str, str]) -> None:
        self._workspace = workspace
        self._run_id = str(run["runId"])
        self.folder = folder
        self._code, self._log = folder / "wd", folder / "std_log.txt"
        self._assemble(run["snapshotId"])
        self._mounts = Mounts.make(workspace, run, folder / "mounts")
        self._synced_at = time.monotonic()
        self._log.touch()
        workspace.storage.follow(ARTIFACTS, artifact(self._run_id, LOG), self._log)
        self.process = JobProcess(
            self._command(run["runDefinition"]),
            folder=self._code,
            environment=self._environment(run, environment),
            log=self._log,
        )

    def sync(self) -> None:
        """Writes the outputs back, if the last time was long enough ago."""
        if time.monotonic() >= self._synced_at + _SYNC_S:
            self.write_back()

    def write_back(self, torn: set[Path] | None = None) -> None:
        """Writes the outputs back.

        Args:
            torn: Files that were open for writing when the node was lost.
        """
        for output in self._mounts.outputs.values():
            output.write_back(torn or ())
        self._synced_at = time.monotonic()

    def publish(self) -> None:
        """Makes the files below `outputs` and `logs` files of the run."""
        for top in _PUBLISHED:
            for path in sorted((self._code / top).rglob("*")):
                if path.is_file():
                    name = path.relative_to(self._code).as_posix()
                    self._workspace.storage.put_file(ARTIFACTS, artifact(self._run_id, name), path)

    def store_log(self) -> None:
        """Copies the log, which no longer grows, into a blob."""
        self._workspace.storage.put_file(ARTIFACTS, artifact(self._run_id, LOG), self._log)

    def log_tail(self) -> str:
        """Returns the last lines of the log."""
        return "\n".join(self._log.read_text(encoding="utf-8", errors="replace").splitlines()[-20:])

    def remove(self) -> None:
        """Removes the folder; what has to stay is in blobs."""
        for path in self.folder.rglob("*"):
            if path.is_dir() and not path.is_symlink():
                path.chmod(0o755)
        shutil.rmtree(self.folder)

    def _assemble(self, snapshot: str) -> None:
        self._code.mkdir(parents=True)
        for name, blob in snapshot_files(self._workspace.store, snapshot).items():
            target = self._code / name
            if not target.resolve().is_relative_to(self._code.resolve()):
                raise ValueError(f"a file of the snapshot would lie outside of it: {name!r}")
            target.parent.mkdir(parents=True, exist_ok=True)
            record = self._workspace.storage.get(SNAPSHOTS, blob)
            assert record is not None, blob
            shutil.copyfile(record["file"], target)

    def _command(self, configuration: Record) -> list[str]:
        interpreter = str(self._workspace.settings.interpreter)
        words = configuration.get("command") or []
        if isinstance(words, str):
            return ["/bin/sh", "-c", words]
        if not words:
            words = ["python", configuration["script"], *(configuration.get("arguments") or [])]
        resolved = [self._mounts.resolve(word) for word in words]
        return [interpreter, *resolved[1:]] if resolved[0] in {"python", "python3"} else resolved

    def _environment(self, run: Record, environment: Mapping[str, str]) -> dict[str, str]:
        workspace, settings = self._workspace, self._workspace.settings
        home, temporary = self.folder / "home", self.folder / "tmp"
        (home / ".azureml").mkdir(parents=True)
        temporary.mkdir()
        asked = (run["runDefinition"].get("environment") or {}).get("environmentVariables") or {}
        return {
            **{name: os.environ[name] for name in _PASSED_ON if name in os.environ},
            **environment,
            **{name: str(value) for name, value in asked.items()},
            "HOME": str(home),
            "TMPDIR": str(temporary),
            "PYTHONUNBUFFERED": "1",
            "AZUREML_RUN_ID": self._run_id,
            "AZUREML_ARM_SUBSCRIPTION": settings.subscription_id,
            "AZUREML_ARM_RESOURCEGROUP": settings.resource_group,
            "AZUREML_ARM_WORKSPACE_NAME": settings.workspace_name,
            "AZUREML_ARM_PROJECT_NAME": run["experimentName"],
            "AZUREML_EXPERIMENT_ID": run["experimentId"],
            "AZUREML_WORKSPACE_ID": workspace.workspace_id,
            "AZUREML_RUN_TOKEN": workspace.tokens.issue(run=self._run_id),
            "AZUREML_RUN_TOKEN_EXPIRY": str(int(time.time()) + workspace.tokens.lifetime_s),
            "AZUREML_SERVICE_ENDPOINT": f"https://{settings.api}",
            "AZUREML_DISCOVERY_SERVICE_ENDPOINT": f"https://{settings.api}/discovery",
            **self._mounts.environment,
        }

"""What a run's bits depend on (versions, processor, settings, code, data, execution mode), recorded and compared."""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .. import VERSION
from ..data import Dataset
from ..errors import CheckpointError
from ..job import TrainJob
from ..plugin.extras import module_version
from ..rundir import RunDirectory
from .execution_mode import ExecutionMode
from .fingerprint import code_digests, data_digest
from .runtime import cores

PACKAGES = ("tensorflow", "keras", "numpy")
COMPARED = (*PACKAGES, "processor", "threads", "devices", "variables", "keras_settings", "data", "code")
"""What must be as it was when a run is resumed; the help of `--allow-drift` names it."""

_VARIABLES = ("XLA_FLAGS", "TF_ENABLE_ONEDNN_OPTS")
"""Environment variables that choose how TensorFlow computes."""

_MODE, _REASON = "execution_mode", "execution_mode_reason"


class RunEnvironment:
    """The `environment.json` of a run, which a resume must find as it was."""

    def __init__(self, run: RunDirectory) -> None:
        self._run = run
        self._before: Mapping[str, Any] = {}
        self._now: dict[str, Any] = {}

    @property
    def mode(self) -> ExecutionMode | None:
        """How the epochs of this run are executed, by its first attempt or a fallback since; None if not recorded."""
        return ExecutionMode(self._now[_MODE]) if _MODE in self._now else None

    def record(self, job: TrainJob, dataset: Dataset, tf: Any, *, resumed: bool) -> None:
        """Records what this run's result depends on; the execution mode of its first attempt stays.

        Args:
            job: The job of the run.
            dataset: Its data.
            tf: The module `tensorflow`.
            resumed: Whether the run continues from a checkpoint, whose environment this one must equal.

        Raises:
            CheckpointError: It has changed since the checkpoint, and the user has not allowed that.
            StorageError: It can't be written.
        """
        self._before = self._run.environment() or {}
        self._now = dict(self._before)  # a refusal must leave what the checkpoint was made with
        self._add(describe(job.seed, dataset, tf), job, resumed=resumed)

    def record_code(self, job: TrainJob, *, resumed: bool) -> None:
        """Records what is only known when the model is built: the user's code, and the settings that it left in Keras.

        Args:
            job: The job of the run.
            resumed: As in `record`.

        Raises:
            CheckpointError, StorageError: As `record`.
        """
        self._add({"keras_settings": keras_settings(), "code": code_digests()}, job, resumed=resumed)

    def _add(self, facts: Mapping[str, Any], job: TrainJob, *, resumed: bool) -> None:
        changed = drift(self._before, facts) if resumed and self._before else []
        if changed and not job.allow_drift:
            raise CheckpointError(
                "this run can't be resumed to the same result: its environment has changed",
                received="; ".join(changed),
                hint="pass --allow-drift to resume anyway",
            )
        for change in changed:
            print(f"note: the result may differ from that of an uninterrupted run: {change}")
        self._now |= facts
        self._run.write_environment(self._now)

    def record_mode(self, mode: ExecutionMode, reason: str, *, is_usual: bool = False) -> None:
        """Records how the epochs are executed from now on, and says in the log why if it is not the usual mode.

        Args:
            mode: The execution mode.
            reason: Why it is not XLA, or "".
            is_usual: Whether the log can do without the reason.

        Raises:
            StorageError: It can't be written.
        """
        self._now |= {_MODE: str(mode), _REASON: reason}
        self._run.write_environment(self._now)
        if reason and not is_usual:
            print(f"note: epochs run as {mode}: {reason}", flush=True)


def describe(seed: int, dataset: Dataset, tf: Any) -> dict[str, Any]:
    """Returns the environment of this process as JSON values.

    Args:
        seed: The seed of the job.
        dataset: The data.
        tf: The module `tensorflow`.
    """
    devices = [device.name for device in tf.config.list_logical_devices()]
    return {
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "packages": {"stoker": VERSION} | {name: imported_version(name) for name in PACKAGES},
        "processor": processor(),
        "threads": tf.config.threading.get_intra_op_parallelism_threads() or cores(),
        "devices": devices,
        "variables": variables(),
        "seed": seed,
        "dataset": {"name": dataset.name, "sources": dict(dataset.sources)},
        "data": {"sampled": data_digest(dataset)},
        "source": source_state(Path.cwd()),
    }


def drift(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Returns what differs from an environment and may change a result, one phrase each; `now` may be a part of it."""
    then, here = ({**one.get("packages", {}), **one} for one in (before, now))
    names = [name for name in COMPARED if name in here and then.get(name) != here[name]]
    return [phrase for name in names for phrase in _changes(name, then, here)]


def _changes(name: str, then: Mapping[str, Any], here: Mapping[str, Any]) -> list[str]:
    if name == "data":
        return ["the data have changed"]
    if name not in {"code", "keras_settings"}:
        return [f"{name}: {then.get(name)} → {here.get(name)}"]
    before, now = dict(then.get(name) or {}), dict(here.get(name) or {})
    # What only one of the two has imported has not changed; why it was imported is in a file that both have.
    changed = [each for each in sorted(before) if each in now and before[each] != now[each]]
    if name == "code":
        return [f"the code of {each} has changed" for each in changed]
    return [f"Keras' {each}: {before.get(each)} → {now.get(each)}" for each in changed]


def keras_settings() -> dict[str, Any]:
    """Returns the settings of Keras that choose how a model computes, as `keras.json` or the user's code left them."""
    import keras

    settings: dict[str, Any] = {
        "floatx": keras.config.floatx(),
        "epsilon": keras.config.epsilon(),
        "image_data_format": keras.config.image_data_format(),
        "dtype_policy": keras.config.dtype_policy().name,
    }
    with contextlib.suppress(ImportError):  # private in Keras 3.15: there is no public call to read it
        from keras.src.utils.rng_utils import get_random_seed

        settings["random_seed"] = get_random_seed()
    return settings


def imported_version(name: str) -> str:
    """Returns the version that a module states of itself, whatever the distribution is called that it comes from."""
    return str(getattr(importlib.import_module(name), "__version__", "unknown"))


def processor() -> str:
    """Returns the processor's name, as the system gives it."""
    return _of_processor("model name") or platform.processor() or platform.machine()


def variables() -> dict[str, str]:
    """Returns the environment variables that choose how TensorFlow computes, as far as they are set."""
    return {name: os.environ[name] for name in _VARIABLES if name in os.environ}


def compiles_for(threads: int) -> list[str]:
    """Returns what machine code depends on that is compiled in this process.

    Args:
        threads: How many an operation may use; 0 means one for each core.
    """
    features = _of_processor("flags") or _of_processor("Features") or platform.node()
    versions = [module_version(name) for name in PACKAGES]  # the packages are not imported yet
    return [*versions, processor(), features, str(threads or cores()), str(variables())]


def _of_processor(field: str) -> str:
    """What Linux reports about the first processor; "" elsewhere."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    return next(
        (value.strip() for name, _, value in (line.partition(":") for line in lines) if name.strip() == field), ""
    )


def source_state(folder: Path) -> dict[str, Any]:
    """Returns the git commit that `folder` is at, the files that differ from it and the SHA-256 of that difference.

    The difference itself stays out of the record: it may hold what must not be copied about. {} outside of git.
    """
    try:
        without = _without_filters(folder)
        commit = _git(folder, "rev-parse", "HEAD").decode().strip()
        changed = _git(folder, *without, "diff", *_TRUE_DIFF, "--name-only", "-z", "HEAD").split(b"\0")[:-1]
        difference = _git(folder, *without, "diff", *_TRUE_DIFF, "HEAD") if changed else b""
    except (OSError, ValueError, subprocess.SubprocessError):
        return {}
    names = [os.fsdecode(name).encode(errors="replace").decode() for name in changed]
    digest = hashlib.sha256(difference).hexdigest() if changed else ""
    return {"commit": commit, "changed": names, "diff_sha256": digest}


_TRUE_DIFF = ("--no-ext-diff", "--no-textconv", "--no-color", "--binary", "--ignore-submodules=dirty")
"""So that no program of the repository's configuration, or of a submodule's, runs, and every byte counts."""
_GIT_PATIENCE_S = 5.0
"""The record does without git if it takes longer."""


def _without_filters(folder: Path) -> list[str]:
    """Returns what keeps git from running the filters that the repository's configuration names for its files."""
    try:
        listed = _git(folder, "config", "--null", "--name-only", "--get-regexp", r"^filter\.").decode()
    except subprocess.CalledProcessError:  # there are none
        return []
    drivers = {name.rpartition(".")[0] for name in listed.split("\0") if name}
    return [
        word
        for driver in sorted(drivers)
        for setting in ("clean=", "smudge=", "process=", "required=false")
        for word in ("-c", f"{driver}.{setting}")
    ]


def _git(folder: Path, *arguments: str) -> bytes:
    command = ["git", "-C", str(folder), "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", *arguments]
    # GIT_DIR and its like may name another repository; a lazy fetch of a missing object runs what `uploadpack` says.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment |= {"GIT_ALLOW_PROTOCOL": "none", "GIT_NO_LAZY_FETCH": "1"}
    return subprocess.run(
        command, capture_output=True, timeout=_GIT_PATIENCE_S, check=True, stdin=subprocess.DEVNULL, env=environment
    ).stdout

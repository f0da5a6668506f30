"""What a run's bits depend on: versions, processor, threads, seed, and the state of the user's source."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .. import VERSION
from .device import cores

PACKAGES = ("tensorflow", "keras", "numpy")
_VARIABLES = ("XLA_FLAGS", "TF_ENABLE_ONEDNN_OPTS")
"""Environment variables that choose how TensorFlow computes."""


def describe(seed: int, dataset: Mapping[str, Any], tf: Any) -> dict[str, Any]:
    """The environment of this process as JSON values.

    Args:
        seed: The seed of the job.
        dataset: Name and sources of the data.
        tf: The module `tensorflow`.
    """
    devices = [device.name for device in tf.config.list_logical_devices()]
    return {
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "packages": {"stoker": VERSION} | {name: importlib.metadata.version(name) for name in PACKAGES},
        "processor": processor(),
        "threads": tf.config.threading.get_intra_op_parallelism_threads() or cores(),
        "devices": devices,
        "variables": variables(),
        "seed": seed,
        "dataset": dict(dataset),
        "source": source_state(Path.cwd()),
    }


def drift(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What has changed between two environments that changes the last bits of a training, one phrase each."""
    then, here = ({**one.get("packages", {}), **one} for one in (before, now))
    names = [*PACKAGES, "processor", "threads", "devices", "variables"]
    return [f"{name}: {then.get(name)} → {here.get(name)}" for name in names if then.get(name) != here.get(name)]


def processor() -> str:
    """The processor's name, as the system tells it."""
    return _of_processor("model name") or platform.processor() or platform.machine()


def variables() -> dict[str, str]:
    """The environment variables that choose how TensorFlow computes, as far as they are set."""
    return {name: os.environ[name] for name in _VARIABLES if name in os.environ}


def compiles_for(threads: int) -> list[str]:
    """What machine code depends on that is compiled in this process.

    Args:
        threads: How many an operation may use; 0 means one for each core.
    """
    features = _of_processor("flags") or _of_processor("Features") or platform.node()
    versions = [importlib.metadata.version(name) for name in PACKAGES]
    return [*versions, processor(), features, str(threads or cores()), str(variables())]


def _of_processor(field: str) -> str:
    """What Linux tells of the first processor; "" elsewhere."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    return next(
        (value.strip() for name, _, value in (line.partition(":") for line in lines) if name.strip() == field), ""
    )


def source_state(folder: Path) -> dict[str, Any]:
    """The git commit that `folder` is at, the files that differ from it and the SHA-256 of that difference.

    The difference itself stays out of the record: it may hold what must not be copied about. {} outside of git.
    """
    try:
        commit = _git(folder, "rev-parse", "HEAD").strip()
        changed = _git(folder, "diff", "--name-only", "HEAD").splitlines()
        difference = _git(folder, "diff", "HEAD") if changed else ""
    except (OSError, subprocess.SubprocessError):
        return {}
    digest = hashlib.sha256(difference.encode()).hexdigest() if changed else ""
    return {"commit": commit, "changed": changed, "diff_sha256": digest}


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), "-c", "core.fsmonitor=false", *arguments]
    done = subprocess.run(command, capture_output=True, timeout=5, check=True, stdin=subprocess.DEVNULL)
    return done.stdout.decode(errors="replace")

"""The run configuration: what the SDK posts when it submits a job, made without a workspace and without a network."""

from __future__ import annotations

import hashlib
import json
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ....engine.errors import InputError
from ..reference import JOB
from ..sdk import sdk
from ..settings import AzureSettings
from .prepare import ENTRY, Prepared

if TYPE_CHECKING:
    from .environment import Environment

DATA, CHECKPOINTS = "data", "checkpoints"
"""The names of the mounted data set and of the mounted output in the run configuration."""


def environment_name(environment: Environment, image: str) -> str:
    """A name made from what the environment is, so that the same one is built once."""
    whole = "\n".join([image, environment.text])
    return f"stoker-{hashlib.sha256(whole.encode()).hexdigest()[:12]}"


def script_run_config(folder: Path, words: Sequence[Any], settings: AzureSettings, environment: Any, job: str) -> Any:
    """The SDK's `ScriptRunConfig` for a package.

    Args:
        folder: The folder with the package's files.
        words: The arguments of the entry script.
        settings: The cluster, the bound in time.
        environment: The SDK's `Environment`.
        job: The job, as JSON.

    Raises:
        ModuleNotFoundError: azureml-core is not installed.
    """
    from azureml.core import ScriptRunConfig
    from azureml.core.runconfig import DockerConfiguration

    config = ScriptRunConfig(
        source_directory=str(folder),
        script=ENTRY.name,
        arguments=list(words),
        compute_target=settings.compute,
        environment=environment,
        docker_runtime_config=DockerConfiguration(use_docker=True),
        max_run_duration_seconds=settings.max_seconds,
    )
    config.run_config.node_count = 1
    config.run_config.environment_variables[JOB] = job
    return config


def sdk_environment(environment: Environment, image: str) -> Any:
    """The SDK's `Environment`; of a registered one that is not looked up yet, only the name.

    Raises:
        InputError: The SDK would post other packages than the environment has.
    """
    from azureml.core import Environment as SdkEnvironment

    if environment.registered:
        return SdkEnvironment(environment.registered.partition(":")[0])
    with tempfile.TemporaryDirectory(prefix="stoker-") as folder:
        path = Path(folder) / "environment.yml"
        path.write_text(environment.text, encoding="utf-8")
        made = SdkEnvironment.from_conda_specification(environment_name(environment, image), str(path))
    made.docker.base_image = image
    _refuse_changes(environment, made.python.conda_dependencies.serialize_to_string())
    return made


def _refuse_changes(environment: Environment, posted: str) -> None:
    """Compares what the SDK posts with what it was given: it replaces what it doesn't read, and says nothing."""
    import yaml

    before, after = (yaml.safe_load(text) for text in (environment.text, posted))
    for part in ("channels", "dependencies"):
        if before.get(part) != after.get(part):
            raise InputError(
                f"Azure ML's SDK would post other {part} than {environment.origin} has",
                received=json.dumps(after.get(part)),
                expected=json.dumps(before.get(part)),
                hint="write the line that differs as in the environment.yml of --dry-run DIR",
            )


def serialised(config: Any) -> dict[str, Any]:
    """What the SDK posts for a `ScriptRunConfig`, without what only a workspace knows."""
    from azureml._execution._commands import _serialize_run_config_to_dict
    from azureml.core.script_run_config import get_run_config_from_script_run

    made: dict[str, Any] = _serialize_run_config_to_dict(get_run_config_from_script_run(config))
    return made


def described(settings: AzureSettings, prepared: Prepared, data: str, checkpoints: str) -> Mapping[str, Any]:
    """The configuration that would be posted; the run id, the data set and the output stand for what is made later.

    Raises:
        ModuleNotFoundError: azureml-core is not installed.
    """
    mounted = f"DatasetConsumptionConfig:{DATA}" if data else None
    output = f"DatasetOutputConfig:{CHECKPOINTS}"
    words = ENTRY.arguments(
        run_id="RUN_ID", data_folder=mounted, checkpoints=output, job_options=prepared.hyperparameters
    )
    sdk.prepare()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the SDK warns of itself
        environment = sdk_environment(prepared.environment, settings.image)
        made = serialised(script_run_config(Path(), words, settings, environment, prepared.package.job))
    made = dict(json.loads(json.dumps(made, default=str)))
    if prepared.environment.registered:
        name, _, version = prepared.environment.registered.partition(":")
        made["environment"] = {"name": name, "version": version or "(the newest)"}
    if data:
        made["data"] = {DATA: {"dataLocation": {"dataset": {"name": data}}, "mechanism": "mount"}}
    location = {"dataPath": {"datastoreName": "(the workspace's default)", "relativePath": checkpoints}}
    made["outputData"] = {CHECKPOINTS: {"outputLocation": location, "mechanism": "mount"}}
    return made

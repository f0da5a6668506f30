"""The tutorial's steps with bare azureml-core; a program for the folder of `config.json`, with a report on stdout.

Nothing here knows the emulator: pointed at a real workspace, it does the same there.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from azureml.core import ComputeTarget, Dataset, Environment, Experiment, Model, Run, ScriptRunConfig, Workspace
from azureml.core.compute import AmlCompute
from azureml.core.compute_target import ComputeTargetException
from azureml.core.runconfig import DockerConfiguration

WEB = "https://azureopendatastorage.blob.core.windows.net/mnist/"
NAMES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
CONDA = """
name: keras-env
channels: [conda-forge]
dependencies:
  - python=3.11
  - pip:
      - tensorflow==2.21.0
"""
SCRIPT = """
import argparse, gzip, pathlib
from azureml.core import Run

parser = argparse.ArgumentParser()
parser.add_argument("--data-folder", type=pathlib.Path)
parser.add_argument("--epochs", type=int)
options = parser.parse_args()
found = sorted(options.data_folder.rglob("*.gz"))
print("found", *[path.name for path in found])
run = Run.get_context(allow_offline=False)
for epoch in range(options.epochs):
    run.log("Loss", 1.0 / (epoch + 1))
    run.log("Accuracy", 1 - 1.0 / (epoch + 2))
run.log("Final test loss", 0.25)
run.log("Final test accuracy", 0.75)
model = pathlib.Path("outputs/model")
model.mkdir(parents=True)
(model / "model.keras").write_bytes(gzip.open(found[0]).read(16))
pathlib.Path("logs").mkdir()
pathlib.Path("logs/events").write_text("events")
run.flush()
print("done")
"""


def quiet() -> None:
    """Switches the telemetry of the data runtime off; there is no environment variable for it."""
    import azureml.dataprep.api._rslex_executor as executor

    executor.HBI_MODE = True


def register_data(workspace: Workspace) -> Dataset:
    """The data set of the four files, by its name."""
    files = Dataset.File.from_files(path=[f"{WEB}{name}.gz" for name in NAMES])
    files.register(workspace=workspace, name="mnist-dataset", description="training and test", create_new_version=True)
    return Dataset.get_by_name(workspace, "mnist-dataset")


def find_or_create(workspace: Workspace) -> ComputeTarget:
    """The cluster, found or made and waited for."""
    try:
        return ComputeTarget(workspace=workspace, name="gpu-cluster")
    except ComputeTargetException:
        wanted = AmlCompute.provisioning_configuration(vm_size="Standard_NC4as_T4_v3", max_nodes=4)
        target = ComputeTarget.create(workspace, "gpu-cluster", wanted)
        target.wait_for_completion(show_output=True, min_node_count=None, timeout_in_minutes=20)
        return target


def submit(workspace: Workspace, data: Any, target: ComputeTarget) -> Run:
    """The submission."""
    folder = Path("script")
    folder.mkdir(exist_ok=True)
    (folder / "train.py").write_text(SCRIPT, encoding="utf-8")
    Path("conda.yml").write_text(CONDA, encoding="utf-8")
    environment = Environment.from_conda_specification(name="keras-env", file_path="conda.yml")
    source = ScriptRunConfig(
        source_directory=str(folder),
        script="train.py",
        arguments=["--data-folder", data.as_mount(), "--epochs", 3],
        compute_target=target,
        environment=environment,
        docker_runtime_config=DockerConfiguration(use_docker=True),
    )
    return Experiment(workspace=workspace, name="keras-mnist").submit(source)


def main() -> None:
    """All steps."""
    # Polling every two seconds is for clusters that take minutes.
    Run._WAIT_COMPLETION_POLLING_INTERVAL_MIN = 0.2
    quiet()
    workspace = Workspace.from_config()
    data = register_data(workspace)
    run = submit(workspace, data, find_or_create(workspace))
    run.wait_for_completion(show_output=True)
    model = run.register_model(model_name="keras-mnist", model_path="outputs/model")
    names = run.get_file_names()
    Path("model").mkdir()
    for name in names:
        if name.startswith("outputs/model"):
            run.download_file(name=name, output_file_path=f"./model/{name.rpartition('/')[2]}")
    Model(workspace, "keras-mnist").download(target_dir="downloaded")
    report = {
        "paths": data.to_path(),
        "version": data.version,
        "status": run.get_status(),
        "metrics": run.get_metrics(),
        "names": names,
        "model": [model.name, model.version],
        "fetched": sorted(path.name for path in Path("model").iterdir()),
        "downloaded": sorted(path.name for path in Path("downloaded").rglob("*.keras")),
    }
    sys.stdout.write(f"\nREPORT {json.dumps(report)}\n")


if __name__ == "__main__":
    main()

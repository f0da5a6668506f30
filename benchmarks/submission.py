"""The tutorial's submission with azureml-core alone, up to the first status: what a user has without stoker.

Stands alone, and runs in the folder of a workspace's `config.json`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

WEB = "https://azureopendatastorage.blob.core.windows.net/mnist/"
NAMES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
CONDA = """\
channels: [conda-forge]
dependencies:
  - python=3.11
  - pip:
      - azureml-core
      - keras
      - matplotlib
      - tensorflow
"""


def main() -> None:
    """Submits."""
    from azureml.core import ComputeTarget, Dataset, Environment, Experiment, ScriptRunConfig, Workspace
    from azureml.core.compute import AmlCompute
    from azureml.core.compute_target import ComputeTargetException
    from azureml.core.runconfig import DockerConfiguration
    from azureml.dataprep.api import _rslex_executor

    vars(_rslex_executor)["HBI_MODE"] = True  # no telemetry, as with stoker
    workspace = Workspace.from_config()
    files = Dataset.File.from_files(path=[f"{WEB}{name}.gz" for name in NAMES])
    files.register(workspace=workspace, name="mnist-dataset", description="MNIST", create_new_version=True)
    data: Any = Dataset.get_by_name(workspace, "mnist-dataset")
    try:
        target = ComputeTarget(workspace=workspace, name="gpu-cluster")
    except ComputeTargetException:
        wanted = AmlCompute.provisioning_configuration(vm_size="Standard_NC4as_T4_v3", max_nodes=4)
        target = ComputeTarget.create(workspace, "gpu-cluster", wanted)
        target.wait_for_completion(show_output=False, min_node_count=None, timeout_in_minutes=20)
    script = Path("script") / "keras_mnist.py"
    script.parent.mkdir(exist_ok=True)
    script.write_text("print('trained')\n", encoding="utf-8")
    Path("conda.yml").write_text(CONDA, encoding="utf-8")
    source = ScriptRunConfig(
        source_directory=str(script.parent),
        script=script.name,
        arguments=["--data-folder", data.as_mount(), "--batch-size", 50, "--first-layer-neurons", 300],
        compute_target=target,
        environment=Environment.from_conda_specification(name="keras-env", file_path="conda.yml"),
        docker_runtime_config=DockerConfiguration(use_docker=True),
    )
    run = Experiment(workspace=workspace, name="keras-mnist").submit(source)
    assert run.get_status()


if __name__ == "__main__":
    main()

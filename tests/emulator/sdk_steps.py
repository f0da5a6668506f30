"""What a client does beyond the tutorial, with bare azureml-core; run as a program, with a report on stdout."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from azureml.core import ComputeTarget, Dataset, Environment, Experiment, Model, Run, ScriptRunConfig, Workspace
from azureml.core.compute import AmlCompute
from azureml.data import OutputFileDatasetConfig

SCRIPT = """
import argparse, pathlib, time
from azureml.core import Run

parser = argparse.ArgumentParser()
parser.add_argument("--data", type=pathlib.Path)
parser.add_argument("--checkpoints", type=pathlib.Path)
parser.add_argument("--sleep", type=float, default=0)
options = parser.parse_args()
print("data", *sorted(path.name for path in options.data.rglob("*") if path.is_file()), flush=True)
run = Run.get_context(allow_offline=False)
print("inputs", *run.input_datasets, "outputs", *run.output_datasets, flush=True)
(options.checkpoints / "epoch-1").write_text("weights")
time.sleep(options.sleep)
run.log_row("History", epoch=1, loss=0.5)
run.log("Odd", float("nan"))
run.tag("node", "yes")
png = bytes.fromhex("89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de")
pathlib.Path("picture.png").write_bytes(png)
run.log_image("Accuracy vs Loss", path="picture.png")
run.flush()
"""


def failure(act: Callable[[], Any]) -> str:
    """The class and the beginning of the message of what `act` raises; "" if it does not."""
    try:
        act()
    except Exception as error:  # noqa: BLE001 - the SDK raises all sorts
        return f"{type(error).__name__}: {error}"[:1500]
    return ""


def until(run: Run, *states: str) -> str:
    """Waits for one of these states."""
    while (state := run.get_status()) not in states:
        time.sleep(0.1)
    return str(state)


def main() -> None:
    """All steps."""
    import azureml.dataprep.api._rslex_executor as executor

    executor.HBI_MODE = True
    report: dict[str, Any] = {}
    workspace = Workspace.from_config()
    store = workspace.get_default_datastore()
    Path("upload").mkdir()
    Path("upload/a b.bin").write_bytes(b"a" * 10)
    Dataset.File.upload_directory("upload", (store, "mnist"), overwrite=True, show_progress=False)
    store.blob_service.get_container_client(store.container_name).upload_blob("mnist/sub/c.bin", b"c" * 100)
    data = Dataset.File.from_files((store, "mnist/"))
    report["paths"] = sorted(data.to_path())
    report["downloaded"] = sorted(Path(path).read_bytes().decode()[:3] for path in data.download("down"))
    wanted = AmlCompute.provisioning_configuration(
        vm_size="Standard_NC4as_T4_v3", max_nodes=2, idle_seconds_before_scaledown=1, vm_priority="lowpriority"
    )
    target = ComputeTarget.create(workspace, "small", wanted)
    target.wait_for_completion()
    report["target"] = [target.name, target.provisioning_state, list(workspace.compute_targets)]

    def retired() -> None:
        size = AmlCompute.provisioning_configuration(vm_size="Standard_NC6", max_nodes=1)
        ComputeTarget.create(workspace, "old", size)

    def without_quota() -> None:
        size = AmlCompute.provisioning_configuration(vm_size="Standard_NC40ads_H100_v5", max_nodes=1)
        ComputeTarget.create(workspace, "big", size).wait_for_completion()

    report["retired"], report["quota"] = failure(retired), failure(without_quota)
    report["sizes"] = [size["name"] for size in AmlCompute.supported_vmsizes(workspace)]
    report["usages"] = len(AmlCompute.list_usages(workspace))

    Path("code").mkdir()
    Path("code/run.py").write_text(SCRIPT)
    environment = Environment("plain")
    environment.python.user_managed_dependencies = True

    def config(sleep_s: float) -> ScriptRunConfig:
        output = OutputFileDatasetConfig(name="ckpt", destination=(store, "stoker/job-1")).as_mount()
        arguments = ["--data", data.as_named_input("d").as_mount(), "--checkpoints", output, "--sleep", sleep_s]
        return ScriptRunConfig(
            "code", script="run.py", arguments=arguments, compute_target=target, environment=environment
        )

    experiment = Experiment(workspace, "steps")
    run = experiment.submit(config(0), run_id="chosen-1", tags={"who": "me"})
    report["run_id"] = run.id
    report["again"] = failure(lambda: experiment.submit(config(0), run_id="chosen-1"))
    report["found"] = workspace.get_run("chosen-1").id
    report["missing"] = failure(lambda: workspace.get_run("no-such-run"))
    report["status"] = until(run, "Completed", "Failed")
    report["error"] = run.get_details().get("error")
    report["tags"] = run.get_tags()
    report["metrics"] = {name: str(value) for name, value in run.get_metrics().items()}
    report["names"] = run.get_file_names()
    run.download_file("user_logs/std_log.txt", "log.txt")
    report["log"] = Path("log.txt").read_text().splitlines()
    report["checkpoint"] = (
        store.blob_service.get_blob_client(store.container_name, "stoker/job-1/epoch-1")
        .download_blob()
        .readall()
        .decode()
    )

    long = experiment.submit(config(60), run_id="chosen-2")
    until(long, "Running")
    long.cancel()
    report["canceled"] = until(long, "Canceled", "Completed", "Failed")
    report["runs"] = sorted(one.id for one in experiment.get_runs())
    report["tagged"] = sorted(one.id for one in experiment.get_runs(tags={"who": "me"}))
    report["who"] = sorted(one.id for one in experiment.get_runs(tags="who", include_children=True))
    report["no_model"] = failure(lambda: run.register_model("m", "outputs/model"))
    Path("m.bin").write_bytes(b"m")
    Model.register(workspace, "m.bin", "local", tags={"t": "1"})
    report["models"] = [[one.name, one.version, one.tags] for one in Model.list(workspace, tags=["t"])]
    while target.get_status().current_node_count:
        time.sleep(0.1)
    report["nodes"] = target.get_status().current_node_count
    target.delete()
    report["left"] = sorted(workspace.compute_targets)
    sys.stdout.write(f"\nREPORT {json.dumps(report)}\n")


if __name__ == "__main__":
    main()

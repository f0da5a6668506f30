"""The unmodified azureml-core finds a whole Azure ML, led there by environment variables alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Report = dict[str, Any]
FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


@pytest.fixture(scope="module")
def tutorial(run_program: Callable[[str], Report]) -> Report:
    """The tutorial's steps, once."""
    return run_program("tutorial.py")


@pytest.fixture(scope="module")
def steps(run_program: Callable[[str], Report]) -> Report:
    """The steps beyond, once."""
    return run_program("sdk_steps.py")


def test_the_tutorial_registers_the_four_files_and_the_job_finds_them(tutorial: Report) -> None:
    assert [path.rpartition("/")[2] for path in tutorial["paths"]] == [f"{name}.gz" for name in FILES]
    assert tutorial["version"] == 1
    assert f"found {' '.join(sorted(f'{name}.gz' for name in FILES))}\n" in tutorial["output"]


def test_the_tutorials_run_completes_with_its_metrics_and_files(tutorial: Report) -> None:
    assert tutorial["status"] == "Completed"
    assert tutorial["metrics"] == {
        "Loss": [1.0, 1 / 2, 1 / 3],
        "Accuracy": [1 / 2, 1 - 1 / 3, 3 / 4],
        "Final test loss": 0.25,
        "Final test accuracy": 0.75,
    }
    assert {"outputs/model/model.keras", "logs/events", "user_logs/std_log.txt"} <= set(tutorial["names"])


def test_the_tutorials_model_is_registered_and_comes_back(tutorial: Report) -> None:
    assert tutorial["model"] == ["keras-mnist", 1]
    assert tutorial["fetched"] == ["model.keras"]
    assert tutorial["downloaded"] == ["model.keras"]


@pytest.mark.parametrize("program", ["tutorial", "steps"])
def test_with_telemetry_off_no_other_host_is_asked(program: str, request: pytest.FixtureRequest) -> None:
    assert request.getfixturevalue(program)["blocked"] == []


def test_what_is_uploaded_to_the_datastore_is_listed_downloaded_and_mounted(steps: Report) -> None:
    assert steps["paths"] == ["/a b.bin", "/sub/c.bin"]
    assert steps["downloaded"] == ["aaa", "ccc"]
    assert "data a b.bin c.bin" in steps["log"]


def test_the_sdk_in_the_job_knows_its_run_and_its_mounts(steps: Report) -> None:
    assert (steps["status"], steps["error"]) == ("Completed", None)
    assert "inputs d outputs ckpt" in steps["log"]
    assert steps["tags"] == {"who": "me", "node": "yes"}
    assert steps["checkpoint"] == "weights"


def test_rows_nan_and_images_are_metrics_too(steps: Report) -> None:
    assert steps["metrics"] == {
        "History": "{'epoch': 1, 'loss': 0.5}",
        "Odd": "nan",
        "Accuracy vs Loss": "aml://artifactId/ExperimentRun/dcid.chosen-1/picture.png",
    }
    assert "picture.png" in steps["names"]


def test_a_run_id_in_use_is_refused_to_the_sdk_and_the_run_is_found(steps: Report) -> None:
    assert steps["run_id"] == steps["found"] == "chosen-1"
    assert steps["again"].startswith("ExperimentExecutionException")
    assert "already exists" in steps["again"]
    assert steps["runs"] == ["chosen-1", "chosen-2"]
    assert steps["tagged"] == steps["who"] == ["chosen-1"]
    assert steps["missing"].startswith("ServiceException")


def test_the_sdk_cancels_a_run(steps: Report) -> None:
    assert steps["canceled"] == "Canceled"


def test_the_sdk_gets_errors_for_retired_sizes_and_missing_quota(steps: Report) -> None:
    assert steps["retired"].startswith("ComputeTargetException")
    assert "retired" in steps["retired"]
    assert steps["quota"].startswith("ComputeTargetException")
    assert "cores" in steps["quota"]
    assert "Standard_NC4as_T4_v3" in steps["sizes"]
    assert "Standard_NC6" not in steps["sizes"]
    assert steps["usages"] > 3


def test_a_cluster_shrinks_when_it_is_idle_and_can_be_deleted(steps: Report) -> None:
    assert steps["target"][:2] == ["small", "Succeeded"]
    assert steps["nodes"] == 0
    assert "small" not in steps["left"]


def test_models_are_registered_from_a_file_and_not_from_what_is_not_there(steps: Report) -> None:
    assert steps["models"] == [["local", 1, {"t": "1"}]]
    assert steps["no_model"].startswith("ModelPathNotFoundException")

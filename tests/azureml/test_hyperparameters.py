"""The hyperparameters of a job, as arguments and as tags of its run."""

from __future__ import annotations

from dataclasses import fields

from stoker.engine.job import TrainJob
from stoker.plugins.azureml.submit.hyperparameters import _OF_JOB, hyperparameters, tags

OF_JOB = {"batch-size": "50", "learning-rate": "0.001", "epochs": "20", "seed": "0"}


def test_a_job_has_the_options_of_the_tutorial_by_the_names_of_the_command_line():
    job = TrainJob(options={"first_layer_neurons": 300, "second_layer_neurons": 100})
    expected = {"validation-fraction": "0.0", "keep": "last", "first-layer-neurons": "300"}
    assert hyperparameters(job) == {**OF_JOB, **expected, "second-layer-neurons": "100"}


def test_a_boolean_is_a_value_and_what_has_none_is_left_out():
    job = TrainJob(options={"shuffle": True, "warm": False, "policy": None, "note": ""}, class_weight="balanced")
    found = hyperparameters(job)
    assert (found["shuffle"], found["warm"], found["class-weight"]) == ("true", "false", "balanced")
    assert not {"policy", "note"} & found.keys()


def test_where_a_run_is_recorded_decides_nothing_of_its_result():
    job = TrainJob(options={"mlflow": True, "mlflow_uri": "http://tracker", "tensorboard_folder": "there", "rate": 0.5})
    assert hyperparameters(job).keys() - hyperparameters(TrainJob()).keys() == {"rate"}


def test_a_run_has_no_more_and_no_longer_tags_than_the_service_takes():
    job = TrainJob(options={"x" * 101: 1, "text": "é" * 2000, **{f"option_{number}": number for number in range(60)}})
    found = tags(hyperparameters(job))
    assert found["text"] == "é" * 1000
    assert len(found) == 40
    assert found.items() >= OF_JOB.items()


NO_HYPERPARAMETERS = {
    *("name", "dataset", "data_folder", "model", "plugins", "options", "given"),  # each told in another way
    *("threads", "device", "offline", "allow_drift", "register", "register_anyway"),  # they don't decide the result
}


def test_each_field_of_a_job_is_a_hyperparameter_or_known_to_be_none() -> None:
    assert set(_OF_JOB) | NO_HYPERPARAMETERS == {field.name for field in fields(TrainJob)}

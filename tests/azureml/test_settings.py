"""The settings of the backend, and what is refused before anything is asked of Azure."""

from __future__ import annotations

import json
import os
import warnings
from dataclasses import fields
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from stoker.engine.errors import InputError, OptionError
from stoker.engine.job import TrainJob
from stoker.plugins.azureml import catalogue, resource
from stoker.plugins.azureml.reference import Scope
from stoker.plugins.azureml.settings import AzureSettings

TODAY = date(2026, 11, 25)


def test_the_defaults_are_those_of_the_tutorial_on_a_current_size():
    settings = AzureSettings.from_options({})
    assert (settings.compute, settings.max_nodes, settings.min_nodes) == ("gpu-cluster", 4, 0)
    assert settings.dataset_of(TrainJob()) == "mnist-dataset"
    assert catalogue.find(settings.vm_size)
    assert catalogue.retirement(settings.vm_size) is None
    assert settings.warnings(TODAY) == []
    settings.refuse_retired(TODAY)


def test_options_become_settings_and_what_they_lack_has_its_default(tmp_path: Path):
    options = {"compute": "mine", "max_hours": 1.5, "environment": tmp_path / "e.yml", "experiment": None, "other": 1}
    settings = AzureSettings.from_options(options)
    assert settings == AzureSettings(compute="mine", max_hours=1.5, environment=str(tmp_path / "e.yml"))
    assert settings.max_seconds == 5400


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("compute", value) for value in ("", "1a", "a b", "a" * 25, "gpu-", "ü")),
        *(("experiment", value) for value in ("-a", "a b", "a/b", "a" * 256)),
        *(("dataset", value) for value in ("a:v1", "a:1.0", "a:", "a:Latest", "a:1 ", "a b")),
        *(("image", value) for value in ("a\nb:1", "a\tb", "-a", "a b:1", "a\x1b:1")),
        *(("vm_size", "a b"), ("vm_size", "a\n")),
        *(("max_hours", value) for value in (0, -1, 1000, float("nan"), float("inf"))),
        *(("max_nodes", 0), ("max_nodes", 65_001), ("min_nodes", -1), ("min_nodes", 5)),
        *(("idle_seconds", value) for value in (-1, 0, 30 * 24 * 3600 + 1)),
        *(("subnet", value) for value in ("a b/c\nd", "a/b\n", "/a", "a/", "a/b/c", f"{resource.SUBNET_ID}\n")),
        *(("identity", value) for value in ("System", f"{resource.IDENTITY_ID} x")),
        *(("auth", "magic"), ("image", "")),
    ],
)
def test_a_value_out_of_range_is_refused_with_the_options_name(name: str, value: Any):
    with pytest.raises(OptionError) as caught:
        AzureSettings.from_options({name: value})
    assert caught.value.expected
    assert caught.value.what == f"--azureml-{name.replace('_', '-')} must be {caught.value.expected}"


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("experiment", "a" * 300, "a name of at most 255 letters"),
        ("idle_seconds", 0, "the SDK can't ask Azure for 0 seconds"),
        ("dataset", "animals:v1", "with a number or 'latest'"),
        ("dataset", "animals:v1", "azureml://datastores/NAME/paths/PATH"),
    ],
)
def test_a_refusal_says_what_is_wrong_with_the_value(name: str, value: Any, words: str):
    with pytest.raises(OptionError) as caught:
        AzureSettings.from_options({name: value})
    assert words in f"{caught.value} {caught.value.hint}"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("dataset", value) for value in ("a:1", "a:12", "a:latest", "azureml://datastores/d/paths/a/b.csv")),
        *(("image", value) for value in ("ubuntu", "r.io:443/a/b_c:1.2-x", f"a/b@sha256:{'0' * 64}")),
        *(("subnet", value) for value in ("v.1/s_2", "v/s-(1)", resource.SUBNET_ID.replace("GROUP", "a.b(c)-d"))),
        *(("max_nodes", 65_000), ("idle_seconds", 1), ("idle_seconds", 30 * 24 * 3600)),
    ],
)
def test_what_azure_takes_is_taken(name: str, value: Any):
    assert getattr(AzureSettings.from_options({name: value}), name) == value


def test_the_sdk_can_not_ask_for_idle_nodes_that_go_at_once():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the SDK warns of itself
        from azureml.core.compute.amlcompute import ScaleSettings
    asked = [ScaleSettings(0, 1, seconds).serialize()["nodeIdleTimeBeforeScaleDown"] for seconds in (0, 1)]
    assert asked == ["", "PT1S"]


TOKEN = "ghp_" + "a1B2c3D4e5F6" * 3
SENT = [each.name for each in fields(AzureSettings) if each.type == "str" and each.name != "config"]
"""The settings that are texts and go to Azure."""


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, TOKEN) for name in SENT),
        *((name, "https://me:pass-word@registry/image:1") for name in ("experiment", "dataset", "image")),
        ("dataset", f"azureml://datastores/store/paths/{TOKEN}/x"),
        ("dataset", "azureml://datastores/store/paths/x?password=hunter2secret1"),
        ("subnet", f"net/{TOKEN}"),
        ("image", "user:pass-word1@registry.example.org/image:1"),
        ("image", f"registry.example.org/{TOKEN}:1"),
        ("environment", f"name:{TOKEN[:29]}"),
    ],
)
def test_a_text_with_a_secret_in_it_is_refused_and_not_repeated(name: str, value: str):
    with pytest.raises(OptionError) as caught:
        AzureSettings.from_options({name: value})
    option = f"--azureml-{name.replace('_', '-')}"
    assert caught.value.what.startswith(f"{option} may not leave this machine: it holds a ")
    assert value not in f"{caught.value} {caught.value.hint}"
    assert TOKEN[:20] not in f"{caught.value} {caught.value.hint}"


@pytest.mark.parametrize(
    "image", ["ubuntu:24.04@sha256:" + "0a" * 32, "registry.example.org:5000/a/b:1.0@sha256:" + "0a" * 32]
)
def test_an_image_with_its_digest_holds_no_secret(image: str):
    assert AzureSettings(image=image).image == image


def test_what_only_names_a_file_here_may_be_called_anything(tmp_path: Path):
    settings = AzureSettings(config=f"{tmp_path}/{TOKEN}", environment=f"{tmp_path}/{TOKEN}.yml")
    assert settings.config.endswith(TOKEN)


@pytest.mark.parametrize(
    "retired", [size for size in catalogue.RETIRED if size.on <= TODAY], ids=lambda size: size.name
)
def test_a_retired_size_is_refused_with_a_current_one_and_the_age_of_the_table(retired: catalogue.Retired):
    with pytest.raises(InputError) as caught:
        AzureSettings(vm_size=retired.name.upper()).refuse_retired(TODAY)
    assert f"was retired on {retired.on}" in caught.value.what
    assert retired.successor in caught.value.expected
    assert "--azureml-allow-retired" in caught.value.hint
    assert "142 days ago" in caught.value.hint


def test_a_retired_size_can_be_insisted_on():
    settings = AzureSettings(vm_size="Standard_NC6", allow_retired=True)
    settings.refuse_retired(TODAY)
    assert "was retired on 2023-08-31" in settings.warnings(TODAY)[0]


def test_a_size_that_will_be_retired_is_a_warning():
    settings = AzureSettings(vm_size="Standard_NV4as_v4")
    settings.refuse_retired(date(2026, 9, 1))
    assert "will be retired on 2026-09-30" in settings.warnings(date(2026, 9, 1))[0]


def test_each_successor_is_a_current_size_with_a_gpu():
    assert [
        size.name
        for size in catalogue.RETIRED
        if not (catalogue.find(size.successor) and catalogue.may_have_gpu(size.successor))
    ] == []
    assert {size.name for size in catalogue.RETIRED} & {size.name for size in catalogue.CURRENT} == set()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"vm_size": "Standard_NX7"}, "stoker doesn't know"),
        ({"vm_size": "Standard_DS3_v2"}, "have no GPU"),
        ({"min_nodes": 2}, "48 node-hours a day"),
        ({"vm_size": "Standard_NC64as_T4_v3"}, "has 4 T4 GPUs, and a job uses one: the other 3 are paid for, and idle"),
        ({"low_priority": True}, "continues after its last finished epoch"),
        ({"image": "mcr.microsoft.com:443/x/y"}, "has no tag"),
        ({"image": "mcr.microsoft.com/x/y:latest"}, "has the tag latest, so it may change"),
        ({"vm_size": "NC6"}, "stoker doesn't know the VM size NC6"),
    ],
)
def test_what_costs_or_may_fail_is_a_warning(change: dict[str, Any], words: str):
    (warning,) = AzureSettings(**change).warnings(TODAY)
    assert words in warning


@pytest.mark.parametrize(("name", "expected"), [("a.b._", "a-b"), ("mine", "mine"), ("", "mnist-dnn")])
def test_the_experiment_is_called_as_the_job_is_as_far_as_azure_takes_it(name: str, expected: str):
    assert AzureSettings().experiment_of(TrainJob(name=name)) == expected
    assert AzureSettings(experiment="other").experiment_of(TrainJob(name=name)) == "other"


def test_a_folder_or_another_data_set_has_no_name_of_its_own():
    assert AzureSettings().dataset_of(TrainJob(dataset="", data_folder="/x")) == ""
    assert AzureSettings().dataset_of(TrainJob(dataset="fashion-mnist")) == ""
    assert AzureSettings(dataset="mine").dataset_of(TrainJob(dataset="fashion-mnist")) == "mine"


def test_a_pipe_or_a_missing_file_names_no_workspace_and_nothing_else_is_searched_for(tmp_path: Path):
    (tmp_path / "config.json").write_text(
        json.dumps(dict.fromkeys(("subscription_id", "resource_group", "workspace_name"), "x"))
    )
    assert Scope.from_config(str(tmp_path)).workspace == "x"
    os.mkfifo(tmp_path / "pipe")
    for name, why in (("pipe", "not a plain file"), ("gone", "No such file or directory")):
        with pytest.raises(InputError, match=f"{name} names no workspace") as caught:
            Scope.from_config(str(tmp_path / name))
        assert caught.value.received == why

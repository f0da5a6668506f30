"""The plan of a submission, with no workspace and no network."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import fields
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from stoker.engine.backend import Plan
from stoker.engine.errors import InputError
from stoker.engine.job import TrainJob
from stoker.engine.packaging import rehearse
from stoker.engine.plugin.extras import install_command
from stoker.plugins.azureml.settings import AzureSettings
from stoker.plugins.azureml.submit import plan as plans
from stoker.plugins.azureml.submit.prepare import package_of
from stoker.plugins.commands.show_plan import write_plan

from .. import child
from ..patience import PATIENCE_S

TODAY = date(2026, 11, 25)
HERE = str(Path(__file__).parent)
TIMED = """
import ast, socket, sys, time

def refuse(*arguments):
    raise AssertionError("a connection was tried")

socket.socket.connect = socket.getaddrinfo = refuse
from pathlib import Path
from stoker import engine
began = time.process_time()
for path in Path(engine.__file__).parent.rglob("*.py"):
    ast.parse(path.read_text(encoding="utf-8"))
parsing_s, began = time.process_time() - began, time.process_time()
from stoker.engine.job import TrainJob
from stoker.plugins.azureml.submit.plan import plan
from stoker.plugins.azureml.settings import AzureSettings
made = plan(TrainJob(), AzureSettings())
print((time.process_time() - began) / parsing_s, len(made.files), "runconfig.json" in made.documents)
"""


def plan_of(job: TrainJob | None = None, **settings: Any) -> Plan:
    return plans.plan(job or TrainJob(), AzureSettings(**settings), TODAY)


def test_the_plan_lists_what_a_comment_lets_pass(tmp_path: Path) -> None:
    token = "ghp_" + "z" * 36
    (tmp_path / "net.py").write_text(f"TOKEN = '{token}'  # pragma: allowlist secret\n")
    plan = plan_of(TrainJob(model=f"{tmp_path}/net.py:build"))
    assert f"let pass a token of GitHub in line 1 of {tmp_path}/net.py, as a comment there says" in plan.steps
    assert json.loads(plan.documents["package.json"])["allowed"] == {
        f"{tmp_path}/net.py": ["a token of GitHub in line 1"]
    }
    assert token not in "".join(plan.steps)


def configuration(plan: Plan) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(plan.documents["runconfig.json"])
    return made


def test_the_plan_names_what_goes_up_with_sizes_and_the_digest():
    plan, package = plan_of(), package_of(TrainJob())
    assert plan.files == package.sizes
    assert f"a package of {len(package.files)} files" in plan.steps[0]
    assert package.digest in plan.steps[0]


@pytest.mark.parametrize(
    ("job", "settings", "words"),
    [
        ({}, {}, "register the four files of MNIST on the web as 'mnist-dataset', if it isn't there"),
        ({}, {"new_dataset_version": True}, "as 'mnist-dataset', as a new version"),
        ({}, {"dataset": "mine"}, "mount the registered data set 'mine'"),
        (
            {"dataset": "", "data_folder": HERE},
            {},
            f" files of {HERE}, 0.",
        ),
        ({"dataset": "", "data_folder": HERE}, {"dataset": "mine"}, "register them as 'mine'"),
        ({"dataset": ""}, {}, "leave it to the node to get the data\n"),
        ({"dataset": "fashion-mnist"}, {}, "leave it to the node to get the data set 'fashion-mnist'"),
        ({}, {}, "'gpu-cluster': 0 to 4 dedicated nodes of Standard_NC4as_T4_v3 (4 cores, 28 GiB, 1 T4)"),
        ({}, {"low_priority": True}, "0 to 4 low-priority nodes"),
        ({}, {"max_hours": 2.5}, "end it after 2.5 hours: at most 2.5 node-hours of Standard_NC4as_T4_v3"),
        ({}, {"max_hours": 2}, "at most 2 node-hours of Standard_NC4as_T4_v3 (about 1.05 USD) and 120 s of waiting"),
        (
            {},
            {"max_hours": 2, "low_priority": True},
            "at most 2 node-hours of Standard_NC4as_T4_v3 (less than 1.05 USD)",
        ),
        ({}, {"vm_size": "Standard_NX9", "idle_seconds": 1}, "at most 12 node-hours of Standard_NX9 and 1 s of"),
        ({}, {"min_nodes": 1}, "and 1 kept when idle"),
        ({}, {"max_queue_minutes": 90}, "cancel it if it waits for a node for more than 90 minutes"),
        ({}, {"identity": "system"}, "without work, with an identity of its own\n"),
        ({}, {"subnet": "v/s", "no_public_ip": True}, "without work, in the subnet v/s, without public addresses\n"),
        ({"register": "keras-mnist"}, {}, "register the model as 'keras-mnist'"),
        ({}, {"config": "/c/config.json"}, "open the workspace of /c/config.json"),
        (
            {"epochs": 3, "options": {"layers": 4}},
            {},
            "--epochs 3 --seed 0 --validation-fraction 0.0 --keep last --layers 4",
        ),
        ({"options": {"note": "a b"}}, {}, "--keep last --note 'a b', which"),
    ],
)
def test_the_steps_say_what_would_happen(job: dict[str, Any], settings: dict[str, Any], words: str):
    assert words in "\n".join(plan_of(TrainJob(**job), **settings).steps)


OTHER = {
    "config": "/c/config.json",
    "experiment": "digits",
    "compute": "own-cluster",
    "vm_size": "Standard_NC24ads_A100_v4",
    "max_nodes": 7,
    "min_nodes": 2,
    "idle_seconds": 77,
    "low_priority": True,
    "identity": "system",
    "subnet": "v/s",
    "no_public_ip": True,
    "max_hours": 3.0,
    "max_queue_minutes": 30.0,
    "environment": "mine:2",
    "image": "mcr.microsoft.com/azureml/other:1",
    "dataset": "mine",
    "new_dataset_version": True,
}
UNPLANNED = {"accept_cluster", "allow_retired", "auth"}
"""Settings that only let pass what is refused otherwise, or say how to sign in."""


@pytest.mark.parametrize("setting", sorted({field.name for field in fields(AzureSettings)} - UNPLANNED))
def test_each_setting_changes_the_steps_of_the_plan(setting: str):
    base = {"subnet": "v/s"} if setting == "no_public_ip" else {}
    assert plan_of(**base, **{setting: OTHER[setting]}).steps != plan_of(**base).steps


def test_what_stays_here_is_listed_with_its_rule(tmp_path: Path):
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "__init__.py").write_text("")
    (tmp_path / "parts" / ".env").write_text("x")
    (tmp_path / "model.py").write_text("import parts\n")
    steps = plan_of(TrainJob(model=f"{tmp_path}/model.py")).steps
    assert f"leave here {tmp_path}/parts/.env (a secret: .env)" in steps


def test_the_plan_says_how_many_files_of_data_go_and_reads_none(tmp_path: Path):
    for number in range(3):
        with (tmp_path / f"{number}.bin").open("wb") as stream:
            stream.truncate(1_500_000_000_000)  # which would take hours to read
    (tmp_path / "out").symlink_to("/etc/hostname")
    plan = plan_of(TrainJob(dataset="", data_folder=str(tmp_path)))
    assert any(f"upload 3 files of {tmp_path}, 4,500,000.0 MB, to the default" in step for step in plan.steps)
    assert "leave here out of the data (a link out of the folder)" in plan.steps
    facts = json.loads(plan.documents["package.json"])["data"]
    assert facts == {
        "files": dict.fromkeys(("0.bin", "1.bin", "2.bin"), 1_500_000_000_000),
        "left_out": {"out": "a link out of the folder"},
    }


def test_names_of_files_that_stay_add_no_lines_to_a_plan(tmp_path: Path):
    names = ("token\n  - pay nothing.txt", os.fsdecode(b"\xe9.token"))
    (tmp_path / "parts").mkdir()
    (tmp_path / "data").mkdir()
    for name in names:
        (tmp_path / "parts" / f"{name}.pyc").write_text("x")
        (tmp_path / "data" / f".{name}").write_text("x")
    (tmp_path / "data" / "a.csv").write_text("x")
    (tmp_path / "parts" / "__init__.py").write_text("")
    (tmp_path / "model.py").write_text("import parts\n")
    plan = plan_of(TrainJob(model=f"{tmp_path}/model.py", dataset="", data_folder=str(tmp_path / "data")))
    write_plan(plan, tmp_path / "plan")
    lines = (tmp_path / "plan" / "plan.txt").read_text().splitlines()
    assert len(lines) == 1 + len(plan.steps) + len(plan.warnings)
    assert rf"  - leave here {tmp_path}/parts/\udce9.token.pyc (a cache: *.py[cod])" in lines


def test_a_folder_with_a_name_that_can_not_be_sent_has_no_plan(tmp_path: Path):
    (tmp_path / os.fsdecode(b"\xe9.csv")).write_text("x")
    with pytest.raises(InputError, match="bytes that are not UTF-8"):
        plan_of(TrainJob(dataset="", data_folder=str(tmp_path)))


def test_what_stays_here_of_the_data_is_listed_with_the_reason(tmp_path: Path):
    for name in ("a.csv", ".hidden", "token.txt"):
        (tmp_path / name).write_text("x")
    steps = plan_of(TrainJob(dataset="", data_folder=str(tmp_path))).steps
    assert [step for step in steps if "of the data" in step] == [
        "leave here .hidden of the data (hidden)",
        "leave here token.txt of the data (a secret: token.txt)",
    ]


def test_a_retired_size_is_refused_before_anything_else():
    with pytest.raises(InputError, match="was retired"):
        plan_of(TrainJob(model="/nowhere.py"), vm_size="Standard_NC6")


def test_the_run_configuration_is_what_the_sdk_posts():
    plan = plan_of(max_hours=1, compute="mine")
    made = configuration(plan)
    mounts = ["--data-folder", "DatasetConsumptionConfig:data", "--checkpoints", "DatasetOutputConfig:checkpoints"]
    options = [*("--batch-size", "50", "--learning-rate", "0.001", "--epochs", "20"), *("--seed", "0")]
    assert made["script"] == "run.py"
    assert made["arguments"] == [
        "--run-id",
        "RUN_ID",
        *mounts,
        "--job-options",
        *options,
        "--validation-fraction",
        "0.0",
        "--keep",
        "last",
    ]
    assert (made["target"], made["nodeCount"], made["maxRunDurationSeconds"]) == ("mine", 1, 3600)
    assert made["docker"]["useDocker"] is True
    assert made["environment"]["docker"]["baseImage"] == AzureSettings().image
    packages = made["environment"]["python"]["condaDependencies"]["dependencies"][-1]["pip"]
    assert [f"      - {name}" for name in packages] == plan.documents["environment.yml"].decode().splitlines()[6:]
    assert made["outputData"]["checkpoints"]["mechanism"] == "mount"


def test_without_the_sdk_there_is_a_plan_that_says_what_is_missing(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "azureml.core", None)
    plan = plan_of()
    assert "runconfig.json" not in plan.documents
    assert "environment.yml" in plan.documents
    assert any(
        text.startswith("azureml-core is not installed") and install_command("azureml") in text
        for text in plan.warnings
    )


def test_a_job_that_mounts_nothing_has_no_data_in_its_configuration():
    made = configuration(plan_of(TrainJob(dataset="fashion-mnist")))
    assert "--data-folder" not in made["arguments"]
    assert made["data"] == {}


def test_two_environments_that_are_the_same_have_one_name():
    names = [
        configuration(plan_of(**change))["environment"]["name"]
        for change in ({}, {"compute": "other"}, {"image": "c:1"})
    ]
    assert names[0] == names[1] != names[2]


def test_a_dry_run_costs_no_more_than_parsing_the_engine_a_few_times_and_sends_no_request():
    with child.start(TIMED, stdout=-1) as process:
        said = process.communicate(timeout=PATIENCE_S)[0]
    times, files, complete = said.split()[-3:]
    assert process.returncode == 0
    assert float(times) < 20  # it is about 8
    assert (int(files), complete) == (3, "True")


def test_a_written_plan_is_the_package_and_all_about_it(tmp_path: Path):
    plan = plan_of()
    write_plan(plan, tmp_path / "a" / "plan")
    top = tmp_path / "a" / "plan"
    assert sorted(path.name for path in top.iterdir()) == [
        *("environment.yml", "package", "package.json", "plan.txt", "runconfig.json"),
    ]
    assert rehearse.read(top).files == package_of(TrainJob()).files
    assert "node-hours" in (top / "plan.txt").read_text()


def test_a_plan_is_not_written_over_anything(tmp_path: Path):
    (tmp_path / "x").touch()
    for folder in (tmp_path, tmp_path / "x"):
        with pytest.raises(InputError, match="exists"):
            write_plan(plan_of(), folder)
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_a_plan_may_be_written_into_an_empty_folder(tmp_path: Path):
    write_plan(plan_of(), tmp_path)
    assert (tmp_path / "plan.txt").is_file()

"""A job is a value: checked when it is made, the same after JSON, refused when it is something else."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stoker.engine.errors import InputError, OptionError, UnknownNameError
from stoker.engine.job import SCHEMA, TrainJob

from .. import hostile

NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", fullmatch=True)
OPTIONS = st.text() | st.integers() | st.floats(allow_nan=False) | st.booleans() | st.none()
JOBS = st.builds(
    TrainJob,
    name=NAMES | st.just(""),
    dataset=st.text(),
    data_folder=st.text(),
    model=st.text(),
    batch_size=st.integers(min_value=1),
    learning_rate=st.floats(min_value=0, exclude_min=True, allow_infinity=False),
    epochs=st.integers(min_value=1),
    seed=st.integers(0, 2**32 - 1),
    validation_fraction=st.floats(0, 1, exclude_max=True),
    register=NAMES | st.just(""),
    offline=st.booleans(),
    plugins=st.lists(st.text()).map(tuple),
    options=st.dictionaries(st.text(), OPTIONS),
)
GOOD = TrainJob(plugins=("./mine.py",), options={"first_layer_neurons": 300}).to_json()


def test_the_defaults_are_those_of_the_tutorial():
    job = TrainJob()
    assert (job.dataset, job.model, job.batch_size, job.learning_rate, job.epochs) == ("mnist", "dnn", 50, 0.001, 20)


@given(JOBS)
def test_a_job_is_the_same_after_json(job: TrainJob):
    again = TrainJob.from_json(json.loads(json.dumps(job.to_json())))
    assert again == job
    assert again.digest() == job.digest()


@given(JOBS, JOBS)
def test_jobs_that_differ_have_digests_that_differ(one: TrainJob, other: TrainJob):
    assert (one.digest() == other.digest()) == (json.dumps(one.to_json()) == json.dumps(other.to_json()))


@given(JOBS)
def test_a_job_can_not_be_changed(job: TrainJob):
    for name in job.__dataclass_fields__:
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(job, name, getattr(job, name))


def test_the_digest_does_not_depend_on_the_order_of_options():
    one, other = TrainJob(options={"a": 1, "b": 2}), TrainJob(options={"b": 2, "a": 1})
    assert one.digest() == other.digest()


def test_a_whole_learning_rate_is_the_same_as_one_with_a_point():
    assert TrainJob(learning_rate=1).digest() == TrainJob(learning_rate=1.0).digest()


@given(st.sampled_from(sorted(set(GOOD) - {"schema"})), st.sampled_from(["s", "x", "_"]))
def test_an_unknown_field_is_refused_with_the_nearest_name(name: str, more: str):
    with pytest.raises(UnknownNameError) as caught:
        TrainJob.from_json({**GOOD, name + more: 1})
    assert caught.value.hint == f"did you mean {name!r}?"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", "3"),
        ("epochs", 3.0),
        ("epochs", True),
        ("epochs", None),
        ("batch_size", [50]),
        ("learning_rate", "0.1"),
        ("learning_rate", False),
        ("learning_rate", 10**400),
        ("dataset", None),
        ("dataset", 7),
        ("offline", 1),
        ("offline", "true"),
        ("plugins", "mine.py"),
        ("plugins", [1]),
        ("options", []),
        ("options", {"neurons": [1, 2]}),
        ("options", {"neurons": {}}),
        ("options", None),
    ],
)
def test_a_value_of_the_wrong_type_is_refused_by_the_name_of_its_field(name: str, value: Any):
    with pytest.raises(OptionError, match=name) as caught:
        TrainJob.from_json({**GOOD, name: value})
    assert caught.value.expected not in {"", "int", "str", "float", "bool"}
    with pytest.raises(OptionError, match=name):
        TrainJob(**{name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("batch_size", 0),
        ("epochs", 0),
        ("epochs", -1),
        ("learning_rate", 0.0),
        ("learning_rate", -0.1),
        ("learning_rate", float("nan")),
        ("learning_rate", float("inf")),
        ("seed", -1),
        ("seed", 2**32),
        ("validation_fraction", 1.0),
        ("validation_fraction", -0.1),
        ("validation_fraction", float("nan")),
    ],
)
def test_a_value_out_of_its_range_is_refused_with_the_range(name: str, value: float):
    with pytest.raises(OptionError, match=f"--{name.replace('_', '-')} must") as caught:
        TrainJob(**{name: value})
    assert caught.value.received == str(value)
    assert caught.value.expected


@pytest.mark.parametrize("field", ["name", "register"])
@pytest.mark.parametrize("name", [*hostile.NAMES, "..", "../up", "a/b", ".hidden", "nul\0", "end\n", "x" * 65])
def test_a_name_that_could_not_be_a_folder_everywhere_is_refused(field: str, name: str):
    with pytest.raises(OptionError, match=f"--{field} must") as caught:
        TrainJob(**{field: name})
    assert "letters, digits" in caught.value.expected


@pytest.mark.parametrize("value", [None, [], "job", 3])
def test_what_is_no_object_is_no_job(value: Any):
    with pytest.raises(InputError, match="not a job"):
        TrainJob.from_json(value)


@pytest.mark.parametrize("schema", [None, 0, SCHEMA + 1, "1"])
def test_a_job_of_another_version_asks_for_an_update(schema: Any):
    with pytest.raises(InputError, match="another version") as caught:
        TrainJob.from_json({**GOOD, "schema": schema})
    assert caught.value.hint == "update stoker"


@settings(max_examples=200)
@given(hostile.near(GOOD))
def test_any_json_is_a_job_or_refused_as_input(value: dict[str, Any]):
    try:
        job = TrainJob.from_json(value)
    except InputError:
        return
    json.dumps(job.to_json())


@pytest.mark.parametrize(
    ("job", "title"),
    [
        (TrainJob(), "mnist-dnn"),
        (TrainJob(name="mine"), "mine"),
        (TrainJob(dataset="", data_folder="/data/my digits/"), "my-digits-dnn"),
        (TrainJob(model="/home/me/wide net.py"), "mnist-wide-net"),
        (TrainJob(model="/home/me/wide net.py:small"), "mnist-wide-net-small"),
        (TrainJob(model="/home/me/wide net.py:build"), "mnist-wide-net-build"),
        (TrainJob(dataset="", data_folder="/data/Bücher für Łódź", model="größe"), "Bucher-fur-Lodz-grosse"),
        (TrainJob(dataset="", data_folder="/data/Ærø", model="dnn"), "AEro-dnn"),
        (TrainJob(dataset="x" * 63, model="y"), "x" * 63),
        (TrainJob(dataset="模型", model="网"), "run"),
        (TrainJob(dataset="x" * 200), "x" * 64),
    ],
)
def test_the_title_says_what_is_trained_on_what(job: TrainJob, title: str):
    assert job.title == title


@given(st.text(), st.text(), st.text())
def test_a_title_can_always_be_part_of_a_folders_name(dataset: str, data_folder: str, model: str):
    title = TrainJob(dataset=dataset, data_folder=data_folder, model=model).title
    assert 1 <= len(title) <= 64
    assert title.isascii()
    assert not set(title) & set("/\\ \n'\";:")


@pytest.mark.parametrize(("dataset", "name"), [("mnist", "mnist"), ("", "folder")])
def test_a_job_that_names_no_data_set_reads_the_users_folder(dataset: str, name: str):
    assert TrainJob(dataset=dataset, data_folder="/data").dataset_name == name

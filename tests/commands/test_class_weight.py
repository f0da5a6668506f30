"""`--class-weight`: balanced, a file, and what is refused before anything starts."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from stoker.engine.data import Dataset, Split
from stoker.engine.errors import DatasetError, OptionError
from stoker.engine.job import TrainJob, class_weights
from stoker.engine.runs.find import list_runs
from stoker.engine.training.example_weights import check_weights, training_weights

from .. import tiny
from ..stoker_process import stoker

JOB = ("train", "--data-folder", "data", "--epochs", 1, "--batch-size", 20)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("place")
    tiny.write(folder / "data")
    return folder


def dataset(labels: list[int], weights: object = None) -> Dataset:
    images = np.zeros((len(labels), 2, 2), np.uint8)
    given = None if weights is None else np.asarray(weights)
    train = Split(images=images, labels=np.array(labels, np.int32), weights=given)
    test = Split(images=images, labels=np.array(labels, np.int32))
    return Dataset(name="x", train=train, test=test, classes=max(labels) + 1)


def test_balanced_is_the_inverse_of_how_often_a_class_occurs():
    weights = training_weights(TrainJob(class_weight="balanced"), dataset([0, 0, 0, 2]))  # no example of class 1
    assert weights is not None
    np.testing.assert_allclose(weights, [4 / 6, 4 / 6, 4 / 6, 2.0], rtol=1e-6)


def test_a_file_travels_in_the_job_and_other_figures_come_out(place: Path):
    (place / "weights.json").write_text('{\n "2": 5, "0": 0.5}')
    for words in ((), ("--class-weight", "weights.json"), ("--class-weight", "balanced")):
        done = stoker(*JOB, *words, cwd=place)
        assert done.returncode == 0, done.stderr
    plain, filed, balanced = list_runs(place / "runs")
    assert [run.job().class_weight for run in (plain, filed, balanced)] == ["", '{"0": 0.5, "2": 5.0}', "balanced"]
    losses = [line["value"] for run in (plain, filed) for line in run.metrics() if line["name"] == "Training loss"]
    assert losses[0] != losses[1]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "can't be read"),
        ("", "has no weights"),
        ("{}", "has no weights"),
        ("[1, 2]", "must be"),
        ('{"0": -1}', "must be"),
        ('{"0": NaN}', "must be"),
        ('{"cat": 1}', "must be"),
        ('{"0": "x"}', "must be"),
        ("0: 1", "must be"),
        ('{"7": 1}', "class 7"),
    ],
)
def test_what_is_no_file_of_weights_is_refused_before_anything_starts(tmp_path: Path, content: str | None, said: str):
    tiny.write(tmp_path / "data")
    if content is not None:
        (tmp_path / "weights.json").write_text(content)
    done = stoker(*JOB, "--class-weight", "weights.json", cwd=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert list((tmp_path / "runs").glob("2*")) == []


def test_a_data_set_with_weights_takes_no_others():
    weighed = dataset([0, 1], [0.5, 2.0])
    assert training_weights(TrainJob(), weighed) is weighed.train.weights
    with pytest.raises(OptionError, match="weighed twice"):
        check_weights(TrainJob(class_weight="balanced"), weighed)


@pytest.mark.parametrize("weights", [[1.0], [1, 2], [1.0, -1.0], [1.0, float("nan")], [[1.0], [1.0]]])
def test_weights_that_no_training_could_take_are_the_data_sets_error(weights: object):
    with pytest.raises(DatasetError, match="can't be weighed"):
        check_weights(TrainJob(), dataset([0, 1], weights))


def test_a_job_holds_weights_as_text_that_reads_back():
    text = json.dumps({"0": 1.0, "3": 2.5})
    assert class_weights(TrainJob(class_weight=text).class_weight) == {0: 1.0, 3: 2.5}
    with pytest.raises(OptionError, match="--class-weight must be"):
        TrainJob(class_weight="unbalanced")

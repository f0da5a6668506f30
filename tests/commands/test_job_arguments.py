"""Options of a job as arguments of `stoker exec`: what a search of another system sends is what is trained."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from stoker import cli
from stoker.engine.errors import OptionError, UnknownNameError
from stoker.engine.job import Option, TrainJob
from stoker.engine.options.settings import Options, Settings
from stoker.engine.plugin.context import Context
from stoker.engine.plugin.plugins import Plugins
from stoker.plugins.commands.job_arguments import with_arguments

from .. import tiny
from ..stoker_process import stoker

PLUGIN = """
from stoker.engine.hookspecs import hookimpl

@hookimpl
def stoker_models():
    return {"mine": "a model"}

@hookimpl
def stoker_add_options(parser, command):
    if command == "train":
        parser.add_argument("--dropout", type=float, default=0)
        parser.add_argument("--no-shuffle", dest="shuffle", action="store_false")
        parser.add_argument("--flavour", choices=("plain", "wild"), default="plain")
"""
DEFAULTS: dict[str, Option] = {"dropout": 0, "shuffle": True, "flavour": "plain", "first_layer_neurons": 300}
JOB = TrainJob(model="mine", options=DEFAULTS)


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Context:
    path = tmp_path_factory.mktemp("plugin") / "mine.py"
    path.write_text(PLUGIN)
    plugins = Plugins.load([str(path)])
    options = Options(values=argparse.Namespace(), sources={})
    return Context(plugins=plugins, settings=Settings(), options=options, parsers=cli.Parsers(plugins))


@pytest.mark.parametrize(
    ("words", "name", "value"),
    [
        ("--batch-size 25", "batch_size", 25),
        ("--batch-size 25.0", "batch_size", 25),
        ("--batch-size 1 --batch-size 25", "batch_size", 25),
        ("--batch_size=25", "batch_size", 25),
        ("--learning-rate 0.0179", "learning_rate", 0.0179),
        ("--learning-rate 1", "learning_rate", 1.0),
        ("--offline True", "offline", True),
        ("--keep best", "keep", "best"),
        ('--class-weight {"0":2.0}', "class_weight", '{"0":2.0}'),
        ("--first-layer-neurons 64.0", "first_layer_neurons", 64),
        ("--dropout 0.5", "dropout", 0.5),
        ("--shuffle false", "shuffle", False),
        ("--shuffle False --shuffle True", "shuffle", True),
        ("--flavour wild", "flavour", "wild"),
    ],
)
def test_the_last_value_of_an_option_counts_in_the_type_that_the_option_has(
    context: Context, words: str, name: str, value: Option
):
    job = with_arguments(JOB, words.split(), context)
    found = job.options[name] if name in job.options else getattr(job, name)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("--batch-size 25.5", "--batch-size must be a whole number"),
        ("--batch-size 0", "--batch-size must be a whole number, 1 or more"),
        ("--first-layer-neurons 0", "--first-layer-neurons must be a whole number, 1 or more"),
        ("--shuffle maybe", "--shuffle must be true or false"),
        ("--flavour wide", "unknown value of --flavour: 'wide'"),
        ("--epochs", "--epochs has no value"),
        ("--batch-siez 3", "unknown option of the job: 'batch-siez'"),
        ("epochs 3", "unknown option of the job: 'epochs'"),
        ("--plugins evil.py", "unknown option of the job: 'plugins'"),
    ],
)
def test_a_value_that_an_option_can_not_have_is_an_error_that_says_so(context: Context, words: str, expected: str):
    with pytest.raises((OptionError, UnknownNameError)) as caught:
        with_arguments(JOB, words.split(), context)
    assert caught.value.what == expected


def test_an_unknown_option_is_answered_by_the_nearest_one(context: Context):
    with pytest.raises(UnknownNameError) as caught:
        with_arguments(JOB, ["--first-layer-neuron", "3"], context)
    assert caught.value.hint == "did you mean 'first-layer-neurons'?"


def test_values_that_the_job_has_already_leave_it_as_it_is(context: Context):
    job = TrainJob(options={**DEFAULTS, "of_a_plugin_that_is_not_here": 3})
    words = ["--batch-size", "50", "--learning-rate", "0.001", "--of-a-plugin-that-is-not-here", "3", "--shuffle=true"]
    assert with_arguments(job, words, context) is job
    with pytest.raises(OptionError, match="no plugin here has the option --of-a-plugin-that-is-not-here"):
        with_arguments(job, [*words, "--of-a-plugin-that-is-not-here", "4"], context)


def test_what_an_argument_changes_of_a_model_counts_as_given(context: Context):
    assert with_arguments(JOB, ["--dropout", "0.5", "--epochs", "3"], context).given == ("dropout",)


def test_the_folder_of_a_run_has_the_job_that_ran(tmp_path: Path):
    tiny.write(tmp_path / "data")
    run = tmp_path / "run"
    run.mkdir()
    options: dict[str, Option] = {"first_layer_neurons": 8, "second_layer_neurons": 8}
    job = TrainJob(dataset="", data_folder=str(tmp_path / "data"), epochs=1, options=options)
    (run / "job.json").write_text(json.dumps(job.to_json()))
    done = stoker("exec", run, "--batch-size", "30.0", "--second-layer-neurons", 6, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    ran = TrainJob.from_json(json.loads((run / "job.json").read_text()))
    assert (ran.batch_size, ran.options["second_layer_neurons"]) == (30, 6)
    assert json.loads((run / "trained.json").read_text())["parameters"]["trainable"] == 31 * 8 + 9 * 6 + 7 * 3


def test_a_wrong_argument_trains_nothing(tmp_path: Path):
    (tmp_path / "job.json").write_text(json.dumps(TrainJob().to_json()))
    done = stoker("exec", tmp_path, "--batch-size", "25.5", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr == "error: --batch-size must be a whole number\n  received: '25.5'\n"
    assert [path.name for path in tmp_path.iterdir()] == ["job.json"]

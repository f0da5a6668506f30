"""Each hook once, as a plugin uses it; a hook without a test, or whose words leave a question open, fails here."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stoker.cli import main
from stoker.engine import hookspecs
from stoker.engine.backend import BackendChoice
from stoker.engine.data import Dataset
from stoker.engine.event import EventKind, RunEvent
from stoker.engine.job import TrainJob
from stoker.engine.plugin.hooks import NAMES
from stoker.engine.plugin.plugins import Plugins
from stoker.engine.runs import launch
from stoker.engine.status import Handle
from stoker.engine.training.train import load_dataset

from ... import plugin_files
from ...plugin_files import hook

SHOWN: set[str] = set()
"""The hooks that have a test."""

ECHO = """
import json
from stoker.engine.backend import BackendChoice, Plan
from stoker.engine.status import Handle

class Echo:
    runs_here = False
    def __init__(self, options):
        self.options = options
    def plan(self, job):
        return Plan(backend="echo", steps=(json.dumps({"options": dict(self.options), "job": job.to_json()}),))
    def submit(self, job, run_dir):
        return Handle(backend="echo", reference=run_dir.name)
"""
BACKEND = (
    ECHO
    + hook("stoker_backends", "return {'echo': 'says what it was given'}")
    + hook("stoker_get_backend", "return Echo(options) if name == 'echo' else None")
)


def shows(*names: str) -> Callable[[Any], Any]:
    """Marks a test as the one of some hooks."""
    SHOWN.update(names)
    return lambda test: test


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Writes a plugin's file into the working folder; its name for `-p`."""
    monkeypatch.chdir(tmp_path)
    return lambda *parts: str(plugin_files.write(tmp_path / "extra.py", *parts))


def planned(capsys: pytest.CaptureFixture[str], *argv: str) -> dict[str, Any]:
    """What the backend `echo` was given by a command line."""
    assert main([*argv, "--backend", "echo", "--dry-run"]) == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("  - "))
    found: dict[str, Any] = json.loads(line[4:])
    return found


@shows("stoker_commands")
def test_a_plugin_offers_a_command(plugin: Callable[..., str], capsys: pytest.CaptureFixture[str]):
    name = plugin(
        "from stoker.engine.command import Command\n",
        "def add(parser): parser.add_argument('--times', type=int, default=1)\n",
        "def run(options, context): print('hello ' * options.times); return 7\n",
        hook("stoker_commands", "return [Command(name='greet', summary='say hello', add_options=add, run=run)]"),
    )
    assert main(["-p", name, "greet", "--times", "2"]) == 7
    assert capsys.readouterr().out == "hello hello \n"
    with pytest.raises(SystemExit):
        main(["-p", name, "--help"])
    assert "say hello" in capsys.readouterr().out


@shows("stoker_add_options", "stoker_backends", "stoker_get_backend")
def test_options_of_a_plugin_reach_the_job_and_those_of_a_backend_the_backend(
    plugin: Callable[..., str], capsys: pytest.CaptureFixture[str]
):
    name = plugin(
        BACKEND,
        hook(
            "stoker_add_options",
            """
            if command == "train":
                group = parser.add_argument_group("extra")
                group.add_argument("--echo-address", default="here")
                group.add_argument("--extra-weight", type=float, default=0.5)
                group.add_argument("--extra-loud", action="store_true")
            """,
        ),
    )
    found = planned(capsys, "-p", name, "train", "--echo-address", "there", "--extra-loud", "--extra-weight", "2")
    assert found["options"] == {"address": "there"}
    given = {key: value for key, value in found["job"]["options"].items() if key.startswith(("extra", "echo"))}
    assert given == {"extra_weight": 2.0, "extra_loud": True}
    assert found["job"]["plugins"] == [name]


@shows("stoker_add_options")
def test_an_option_of_a_plugin_may_come_from_the_environment_or_the_file(
    plugin: Callable[..., str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    add = "parser.add_argument('--extra-weight', type=float, default=0.5)"
    plugin(BACKEND, hook("stoker_add_options", f"if command == 'train': {add}"))
    (tmp_path / "stoker.toml").write_text('plugin = ["./extra.py"]\n[extra]\nweight = 3\n')
    assert planned(capsys, "train")["job"]["options"]["extra_weight"] == 3.0
    monkeypatch.setenv("STOKER_EXTRA_WEIGHT", "4")
    assert planned(capsys, "train")["job"]["options"]["extra_weight"] == 4.0


@shows("stoker_configure_job")
def test_a_plugin_has_the_last_word_on_a_job(plugin: Callable[..., str], capsys: pytest.CaptureFixture[str]):
    name = plugin(
        BACKEND,
        "from dataclasses import replace\n",
        hook("stoker_configure_job", "return replace(job, epochs=job.epochs * 2, options={**job.options, 'x': 1})"),
    )
    job = planned(capsys, "-p", name, "train", "--epochs", "5")["job"]
    assert (job["epochs"], job["options"]["x"]) == (10, 1)


def test_a_plugin_that_answers_nothing_leaves_the_job_as_it_is(plugin: Callable[..., str]):
    job = TrainJob(epochs=5)
    assert Plugins.load([plugin(hook("stoker_configure_job", "pass"))]).configure(job) is job


TINY = """
import numpy as np
from stoker.engine.data import Dataset, Split

class Tiny:
    name, summary = "tiny", "nine pixels"
    def load(self, folder, *, offline=False, progress=None):
        split = Split(images=np.zeros((4, 3, 3), np.uint8), labels=np.arange(4) % 2)
        return Dataset(name="tiny", train=split, test=split, classes=2)
"""


@shows("stoker_datasets", "stoker_get_dataset")
def test_a_plugin_offers_a_data_set(plugin: Callable[..., str]):
    plugins = Plugins.load(
        [
            plugin(
                TINY,
                hook("stoker_datasets", "return {'tiny': 'nine pixels'}"),
                hook("stoker_get_dataset", "return Tiny() if name == 'tiny' else None"),
            )
        ]
    )
    assert plugins.datasets()["tiny"] == "nine pixels"
    dataset = load_dataset(TrainJob(dataset="tiny"), plugins)
    assert isinstance(dataset, Dataset)
    assert (dataset.shape, len(dataset.train), dataset.classes) == ((3, 3), 4, 2)


@shows("stoker_models", "stoker_get_model")
def test_a_plugin_offers_a_model(plugin: Callable[..., str], capsys: pytest.CaptureFixture[str]):
    name = plugin(
        hook("stoker_models", "return {'wide': 'one layer, very wide'}"),
        hook("stoker_get_model", "return (lambda config: ('wide', config)) if name == 'wide' else None"),
    )
    assert main(["-p", name, "models"]) == 0
    assert "  wide  one layer, very wide\n" in capsys.readouterr().out
    assert Plugins.load([name]).get_model("wide")("config") == ("wide", "config")


@shows("stoker_callbacks")
def test_callbacks_of_all_plugins_are_asked_for_with_job_and_folder(plugin: Callable[..., str], tmp_path: Path):
    name = plugin(hook("stoker_callbacks", "yield ('callback', job.epochs, run_dir)"))
    assert Plugins.load([name]).callbacks(TrainJob(epochs=5), tmp_path) == [("callback", 5, tmp_path)]


@shows("stoker_run_event")
def test_an_observer_gets_an_event_when_a_run_is_submitted(plugin: Callable[..., str], tmp_path: Path):
    name = plugin(
        BACKEND,
        "from pathlib import Path\n",
        hook(
            "stoker_run_event",
            "Path('seen').write_text(f'{event.kind} {event.run_id} {event.data} {job.title} {run_dir.name}')",
        ),
    )
    plugins = Plugins.load([name])
    run = launch.submit(TrainJob(), plugins.get_backend(BackendChoice(name="echo")), tmp_path / "runs", plugins)
    handle = Handle(backend="echo", reference=run.run_id)
    assert (tmp_path / "seen").read_text() == (
        f"submitted {run.run_id} {{'handle': '{handle}'}} mnist-dnn {run.run_id}"
    )
    plugins.notify(RunEvent(kind=EventKind.FINISHED, run_id="x"), TrainJob(), run.path)
    assert (tmp_path / "seen").read_text() == f"finished x {{}} mnist-dnn {run.run_id}"


@shows("stoker_export_model")
def test_a_plugin_writes_a_model_in_another_form_and_describes_it(plugin: Callable[..., str], tmp_path: Path):
    name = plugin(hook("stoker_export_model", "(folder / 'model.txt').write_text(model); return 'model.txt: a text'"))
    assert "model.txt: a text" in Plugins.load([name]).export_model("a model", tmp_path)
    assert (tmp_path / "model.txt").read_text() == "a model"


@shows("stoker_register_model")
def test_every_plugin_that_registers_models_is_given_the_model(plugin: Callable[..., str], tmp_path: Path):
    name = plugin(hook("stoker_register_model", "return {'where': str(model), 'name': name, **options}"))
    answers = Plugins.load([name]).register_model(tmp_path, "mnist", {"x": 1})
    assert answers == [{"where": str(tmp_path), "name": "mnist", "x": 1}]


def test_every_hook_has_a_test():
    assert sorted(SHOWN) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("when it runs", r"\bRuns\b"),
        ("in which process", r"\bprocess\b"),
        ("what None means", r"\b[Nn]othing\b|\bNone\b"),
        ("what an exception does", r"\b(An|any other)\s+exception\b"),
    ],
)
def test_the_docstring_of_a_hook_answers(name: str, question: str, answer: str):
    words = getattr(hookspecs, name).__doc__
    assert re.search(answer, words, re.IGNORECASE), f"{name} does not say {question}"

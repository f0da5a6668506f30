"""The plugin on the command line: its options are its settings, and what it would send can be rehearsed."""

from __future__ import annotations

from argparse import ArgumentParser
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from stoker import cli
from stoker.engine.job import TrainJob
from stoker.engine.options.settings import Settings
from stoker.engine.plugin.plugins import Plugins
from stoker.plugins.azureml.settings import AzureSettings
from stoker.plugins.azureml.submit.plan import plan
from stoker.plugins.commands.backend_choice import backend_options
from stoker.plugins.commands.show_plan import write_plan

from .. import tiny
from ..stoker_process import stoker

PLUGIN = "stoker.plugins.azureml.plugin"


@pytest.fixture(scope="module")
def parser() -> ArgumentParser:
    return cli.Parsers(Plugins.load([PLUGIN]))("train")


def settings_of(
    parser: Any, *words: str, values: dict[str, Any] | None = None, path: Path | None = None
) -> AzureSettings:
    """The settings that a command line and a settings file give."""
    options = Settings(environ={}, values=values or {}, path=path).parse(parser, ["train", *words])
    return AzureSettings.from_options(backend_options(options, "azureml"))


def test_without_options_the_settings_are_the_defaults(parser: ArgumentParser):
    assert settings_of(parser) == AzureSettings()


def test_each_setting_is_an_option(parser: Any):
    options = Settings().parse(parser, ["train"])
    assert sorted(backend_options(options, "azureml")) == sorted(asdict(AzureSettings()))


def test_options_give_settings(parser: ArgumentParser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    words = ("--azureml-max-hours", "1.5", "--azureml-low-priority", "--azureml-environment", "e.yml", "--azureml-auth")
    made = settings_of(parser, *words, "interactive")
    expected = {"max_hours": 1.5, "low_priority": True, "environment": str(tmp_path / "e.yml"), "auth": "interactive"}
    assert made == AzureSettings(**expected)


def test_a_table_of_the_settings_file_gives_settings(parser: ArgumentParser, tmp_path: Path):
    (tmp_path / "stoker.toml").write_text('[azureml]\ncompute = "mine"\nmax_nodes = 2\nconfig = "c/config.json"\n')
    found = Settings.find(tmp_path, {})
    made = settings_of(parser, values=dict(found.values), path=found.path)
    assert made == AzureSettings(compute="mine", max_nodes=2, config=str(tmp_path / "c" / "config.json"))


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data, a written plan of a job that runs, and one of a job that lacks a module."""
    place = tmp_path_factory.mktemp("place")
    data = tiny.write(place / "data")
    (place / "model.py").write_text("def build(config):\n    import nowhere_to_be_found\n")
    for name, model in (("plan", "dnn"), ("broken", f"{place}/model.py")):
        job = TrainJob(dataset="", data_folder=str(data), batch_size=20, model=model)
        write_plan(plan(job, AzureSettings()), place / name)
    return place


def test_a_rehearsal_shows_the_run_and_what_the_service_would_keep(written: Path):
    done = stoker("-p", PLUGIN, "rehearse", "plan", "--data-folder", "data", "--epochs", 1, cwd=written)
    assert (done.returncode, done.stderr) == (0, "")
    assert "epoch 1/1" in done.stdout
    assert "the package runs by itself; the service would keep: outputs/model/MANIFEST.json" in done.stdout


def test_a_rehearsal_that_fails_ends_with_what_is_missing(written: Path):
    done = stoker("-p", PLUGIN, "rehearse", "broken", "--data-folder", "data", cwd=written)
    assert done.returncode == 1
    *_, title, line = done.stdout.splitlines()
    assert title == "the package does not run by itself; it lacks:"
    assert line.startswith("  - the module nowhere_to_be_found: put it beside the file that imports it")


def test_another_folder_can_not_be_rehearsed(written: Path):
    done = stoker("-p", PLUGIN, "rehearse", "data", cwd=written)
    assert done.returncode == 2
    assert done.stderr.startswith("error: data holds no package\n  expected: a folder that `")

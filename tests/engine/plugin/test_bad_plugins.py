"""Bad plugins that a table of hooks does not show: slow ones, those of the settings file, ten at once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stoker.cli import main
from stoker.engine.errors import PluginError
from stoker.engine.plugin import record
from stoker.engine.plugin.plugins import Plugins

from ... import plugin_files, tiny
from ...plugin_files import Install, every_hook, hook
from ...stoker_process import stoker

OFFERS = hook("stoker_models", "return {'wide': 'very'}")


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Installs a package with a plugin for the time of the test."""
    return plugin_files.installer(tmp_path, monkeypatch)


# --- slow -----------------------------------------------------------------------------------------------------------

SLOWLY = "from stoker.engine.plugin import record\nrecord.monotonic.now_s += 3.5\n"


class Clock:
    """Says what time it is; a plugin that takes long moves it on."""

    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "monotonic", Clock())


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize("where", ["import", "stoker_commands", "stoker_add_options", "stoker_backends"])
def test_a_slow_plugin_is_named_once(install: Install, capsys: pytest.CaptureFixture[str], tmp_path: Path, where: str):
    slow = install(SLOWLY if where == "import" else hook(where, SLOWLY), hook("stoker_models", SLOWLY))
    plugins = Plugins.load()
    plugins.commands()
    plugins.add_options(plugin_files.parser(), "train")
    plugins.backends()
    plugins.models()
    assert capsys.readouterr().err == f"warning: plugin {slow} 1.2: {where} took 3.5 s; disable it with -p no:{slow}\n"
    assert plugins.broken() == []
    assert main(["plugins"]) == 0
    assert "slow:" in capsys.readouterr().out


@pytest.mark.usefixtures("clock")
def test_a_slow_plugin_that_was_asked_for_is_named_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    plugin_files.write(tmp_path / "slow.py", SLOWLY)
    assert main(["-p", "slow.py", "runs", "list"]) == 0
    assert capsys.readouterr().err == "warning: plugin slow: import took 3.5 s; disable it with -p no:slow\n"


@pytest.mark.usefixtures("clock")
def test_hooks_that_load_libraries_and_send_files_may_take_their_time(
    install: Install, capsys: pytest.CaptureFixture[str], tmp_path: Path
):
    install(*(hook(name, SLOWLY) for name in record.MAY_TAKE_LONG))
    plugins = Plugins.load()
    event, job, folder = plugin_files.finished(tmp_path)
    plugins.callbacks(job, folder)
    plugins.notify(event, job, folder)
    plugins.register_model(folder, "x", {})
    assert capsys.readouterr().err == ""


# --- the settings file ----------------------------------------------------------------------------------------------


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


BROKEN = {
    "raises": "raise ValueError('boom')",
    "exits": "import sys; sys.exit(3)",
    "is no Python": "def (",
    "is of another contract": "stoker_contract = 7",
}


@pytest.mark.parametrize("kind", [*BROKEN, "is not there"])
@pytest.mark.parametrize("argv", [["runs", "list"], ["plugins"], ["config"], ["train", "--dry-run"]])
def test_a_broken_plugin_of_the_settings_file_is_a_warning(
    here: Path, capsys: pytest.CaptureFixture[str], argv: list[str], kind: str
):
    if kind in BROKEN:
        (here / "mine.py").write_text(BROKEN[kind])
    (here / "stoker.toml").write_text('plugin = ["./mine.py"]\n[mine]\nweight = 3\n')
    assert main(argv) == 0
    output = capsys.readouterr()
    assert output.err.startswith("warning: plugin mine: import: ")
    assert output.err.count("\n") == 1
    if argv == ["plugins"]:
        assert "broken:" in output.out


def test_a_broken_plugin_of_the_environment_is_a_warning_and_one_of_the_command_line_an_error(
    here: Path, monkeypatch: pytest.MonkeyPatch
):
    (here / "mine.py").write_text(BROKEN["raises"])
    monkeypatch.setenv("STOKER_PLUGIN", "./mine.py")
    assert main(["runs", "list"]) == 0
    assert main(["-p", "./mine.py", "runs", "list"]) == 2


def test_a_job_has_only_plugins_that_could_be_loaded(here: Path):
    (here / "broken.py").write_text(BROKEN["raises"])
    plugin_files.write(here / "good.py", OFFERS)
    asked = ["./broken.py", "./good.py", "no:file"]
    assert Plugins.load(asked, forgiving=True).requested == ["./good.py", "no:file"]
    with pytest.raises(PluginError):
        Plugins.load(asked)


def test_an_unknown_setting_is_an_error_unless_a_missing_plugin_may_have_it(
    install: Install, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "stoker.toml").write_text("[zebra]\nnodes = 3\n")
    assert main(["runs", "list"]) == 2
    assert "error: unknown option 'zebra-nodes' in" in capsys.readouterr().err
    bad = install("raise ValueError('boom')")
    assert main(["runs", "list"]) == 0
    assert f"it may be one of a plugin that is broken or left out: {bad}\n" in capsys.readouterr().err
    (tmp_path / "stoker.toml").write_text(f"[{bad}]\nnodes = 3\n")
    assert main(["-p", f"no:{bad}", "runs", "list"]) == 0
    assert capsys.readouterr().err == ""


def test_a_setting_of_a_built_in_plugin_may_stay_when_the_plugin_is_left_out(
    here: Path, capsys: pytest.CaptureFixture[str]
):
    (here / "stoker.toml").write_text("first-layer-neurons = 30\n")
    assert main(["-p", "no:dnn", "runs", "list"]) == 0
    assert "warning: unknown option 'first-layer-neurons' in" in capsys.readouterr().err


# --- ten at once ----------------------------------------------------------------------------------------------------

COMMAND = "Command(name='config', summary='x', add_options=lambda parser: None, run=lambda options, context: 0)"
TEN = {
    "raises_at_import": "raise ValueError('boom')",
    "exits_at_import": "import sys; sys.exit(3)",
    "is_no_python": "def (",
    "lacks_a_package": "import raytracer",
    "is_of_another_contract": "stoker_contract = 99",
    "raises_in_each_hook": every_hook("raise BaseException('boom')"),
    "has_a_wrong_signature": hook("stoker_callbacks", "return []", arguments="nonsense"),
    "wraps_a_hook": "@hookimpl(wrapper=True)\ndef stoker_models():\n    return (yield)\n",
    "clashes": f"from stoker.engine.command import Command\n{hook('stoker_commands', f'return [{COMMAND}]')}",
    "prints_and_exits": f"print('[1, 2')\n{hook('stoker_models', 'print(3); import sys; sys.exit(4)')}",
}


def test_with_ten_bad_plugins_a_training_trains_and_all_ten_are_named(tmp_path: Path):
    for name, source in TEN.items():
        plugin_files.install(tmp_path / "site", name, "0.9", source)
    tiny.write(tmp_path / "data")
    arguments = ("train", "--backend", "local", "--data-folder", "data", "--epochs", 1, "--batch-size", 20)
    site = str(tmp_path / "site")
    trained = stoker(*arguments, cwd=tmp_path, PYTHONPATH=site)
    assert trained.returncode == 0, trained.stderr
    assert "epoch 1/1" in trained.stdout
    listed = stoker("plugins", "--json", cwd=tmp_path, PYTHONPATH=site)
    assert listed.returncode == 0
    broken = {each["name"]: each for each in json.loads(listed.stdout) if each["state"] == "broken"}
    assert broken.keys() == TEN.keys()
    assert all(problem["problem"] and problem["remedy"] for each in broken.values() for problem in each["problems"])
    shown = stoker("plugins", cwd=tmp_path, PYTHONPATH=site).stdout
    assert [name for name in TEN if f"\n{name} " not in shown] == []
    assert shown.count("broken:") >= len(TEN)

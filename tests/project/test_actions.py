"""A command of two words is an action below another plugin's command."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from stoker.cli import main

from .. import plugin_files
from ..plugin_files import hook

SOURCE = """
from stoker.engine.command import Command

def no_options(parser):
    pass

def with_actions(parser):
    parser.add_subparsers(dest="action", required=True).add_parser("build", help="build the boat")

def with_speed(parser):
    parser.add_argument("--speed", type=int, default=1)

def run(options, context):
    print("boat", options.action)
    return 3

def sail(options, context):
    print("sailing", options.speed, context.options.sources["speed"].source)
    return 4
"""
BOAT = "Command(name='boat', summary='work on a boat', add_options=with_actions, run=run)"
SAIL = "Command(name='boat sail', summary='sail the boat', add_options=with_speed, run=sail)"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder, outside of every settings file."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("STOKER_")]:
        monkeypatch.delenv(name)
    return tmp_path


def plugin(name: str, *commands: str) -> None:
    """Writes a plugin with these commands into the working folder."""
    offer = hook("stoker_commands", f"return [{', '.join(commands)}]")
    plugin_files.write(Path(f"{name}.py"), SOURCE, offer)


def stoker(*words: str, plugins: tuple[str, ...] = ("action", "owner")) -> int:
    """Runs a command line with plugins of the working folder, loaded in this order; its exit code."""
    try:
        return main([*(word for name in plugins for word in ("-p", f"./{name}.py")), *words])
    except SystemExit as ended:
        return int(str(ended.code))


@pytest.fixture
def boat() -> None:
    """Two plugins, of which one adds an action to the command of the other, which is loaded after it."""
    plugin("owner", BOAT)
    plugin("action", SAIL)


@pytest.mark.usefixtures("boat")
def test_an_action_runs_with_its_own_options_and_the_command_as_before(capsys: pytest.CaptureFixture[str]) -> None:
    assert stoker("boat", "sail", "--speed", "7") == 4
    assert stoker("boat", "sail") == 4
    assert stoker("boat", "build") == 3
    output = capsys.readouterr()
    assert output.out == "sailing 7 command line\nsailing 1 default\nboat build\n"
    assert output.err == ""


@pytest.mark.usefixtures("boat")
def test_the_value_of_an_option_of_an_action_may_come_from_the_environment(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STOKER_SPEED", "9")
    assert stoker("boat", "sail") == 4
    assert capsys.readouterr().out == "sailing 9 STOKER_SPEED\n"


@pytest.mark.usefixtures("boat")
def test_help_lists_an_action_below_its_command_and_not_among_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert stoker("boat", "--help") == 0
    assert "build the boat" in (shown := capsys.readouterr().out)
    assert "sail the boat" in shown
    assert stoker("--help") == 0
    assert "work on a boat" in (shown := capsys.readouterr().out)
    assert "sail" not in shown
    assert stoker("boat", "sail", "--help") == 0
    assert "--speed" in capsys.readouterr().out


@pytest.mark.usefixtures("boat")
def test_the_lists_and_the_completion_know_an_action(capsys: pytest.CaptureFixture[str]) -> None:
    assert stoker("plugins") == 0
    assert "command boat sail" in " ".join(capsys.readouterr().out.split())
    assert stoker("completion", "bash") == 0
    assert re.search(r"boat_sail_option_strings=.*--speed", capsys.readouterr().out)
    assert stoker("config", "boat", "sail", "--speed", "2") == 0
    assert capsys.readouterr().out.split()[-4:] == ["speed", "2", "command", "line"]


@pytest.mark.usefixtures("boat")
def test_without_its_command_an_action_is_left_out_quietly(capsys: pytest.CaptureFixture[str]) -> None:
    assert stoker("boat", "sail", plugins=("action",)) == 2
    assert "unknown command: 'boat'" in capsys.readouterr().err
    assert stoker("plugins", plugins=("action",)) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.usefixtures("boat")
def test_an_action_that_two_plugins_offer_is_an_error_for_whoever_uses_it(capsys: pytest.CaptureFixture[str]) -> None:
    plugin("other", SAIL)
    everything = ("owner", "action", "other")
    assert stoker("boat", "sail", plugins=everything) == 2
    assert "error: two plugins offer the command 'boat sail': action and other" in capsys.readouterr().err
    assert stoker("boat", "build", plugins=everything) == 3


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("boat build", "command 'boat build': the command 'boat' has an action 'build' already"),
        ("flat sail", "command 'flat sail': the command 'flat' has no actions"),
    ],
)
def test_an_action_that_has_no_place_is_a_problem_of_its_plugin_alone(
    capsys: pytest.CaptureFixture[str], name: str, problem: str
) -> None:
    plugin("owner", BOAT, "Command(name='flat', summary='', add_options=no_options, run=lambda *_: 5)")
    plugin("action", SAIL.replace("boat sail", name))
    assert stoker("boat", "build") == 3
    assert stoker("flat") == 5
    capsys.readouterr()
    assert stoker("plugins") == 0
    assert capsys.readouterr().err.startswith(f"warning: plugin action: {problem}")


def test_the_emulator_can_be_left_out_and_goes_where_the_command_goes(capsys: pytest.CaptureFixture[str]) -> None:
    assert stoker("azureml", "--help", plugins=()) == 0
    assert "emulator" in capsys.readouterr().out
    assert stoker("-p", "no:azureml_emulator", "azureml", "--help", plugins=()) == 0
    assert "emulator" not in capsys.readouterr().out
    assert stoker("-p", "no:azureml", "azureml", "emulator", plugins=()) == 2
    assert "unknown command: 'azureml'" in capsys.readouterr().err

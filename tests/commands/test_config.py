"""`stoker config` shows each option of a command, its value, and its source."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from stoker.cli import main
from stoker.plugins.azureml.settings import AzureSettings

from .. import plugin_files
from ..plugin_files import hook


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Makes an empty working folder, outside of every settings file."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("STOKER_")]:
        monkeypatch.delenv(name)
    return tmp_path


def shown(capsys: pytest.CaptureFixture[str], *argv: str) -> dict[str, Any]:
    assert main(["config", "--json", *argv]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_without_a_command_it_shows_the_options_of_train(capsys: pytest.CaptureFixture[str]):
    assert shown(capsys) == shown(capsys, "train")
    assert shown(capsys)["epochs"] == {"value": 20, "source": "default"}


def test_each_value_has_its_source(here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    (here / "stoker.toml").write_text("batch-size = 100\nseed = 1\nepochs = 1\n")
    monkeypatch.setenv("STOKER_SEED", "2")
    monkeypatch.setenv("STOKER_EPOCHS", "2")
    found = shown(capsys, "train", "--epochs", "3", "--runs-dir", "a b")
    assert found["epochs"] == {"value": 3, "source": "command line"}
    assert found["seed"] == {"value": 2, "source": "STOKER_SEED"}
    assert found["batch-size"] == {"value": 100, "source": str(here / "stoker.toml")}
    assert found["learning-rate"] == {"value": 0.001, "source": "default"}
    assert found["runs-dir"] == {"value": "a b", "source": "command line"}


def test_people_get_a_table(here: Path, capsys: pytest.CaptureFixture[str]):
    (here / "stoker.toml").write_text("epochs = 7\n")
    assert main(["config", "train", "--seed", "3"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"settings file: {here / 'stoker.toml'}"
    rows = {line.split()[0]: line.split()[1:] for line in lines[1:]}
    assert rows["epochs"] == ["7", "stoker.toml"]
    assert rows["seed"] == ["3", "command", "line"]
    assert rows["model"] == ["dnn", "default"]
    assert len({line.index("default") for line in lines if line.endswith(" default")}) == 1


@pytest.mark.parametrize("width", [80, 100, 200])
def test_the_table_fits_the_terminal_and_keeps_each_value_whole(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, width: int
):
    monkeypatch.setenv("COLUMNS", str(width))
    assert main(["config"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if len(line) > width or line != line.rstrip()] == []
    (image,) = [line for line in lines if AzureSettings().image in line.split()]
    assert image.strip() == AzureSettings().image or image.endswith(f"{AzureSettings().image}  default")


def test_without_a_file_the_table_says_what_it_would_be_called(capsys: pytest.CaptureFixture[str]):
    assert main(["config"]) == 0
    assert capsys.readouterr().out.startswith("settings file: none (stoker.toml, or [tool.stoker] in pyproject.toml)\n")


def test_a_value_of_several_lines_stays_on_its_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("STOKER_NAME", "two\nlines")
    assert main(["config"]) == 2
    assert re.search(r"'two\\nlines' +STOKER_NAME", capsys.readouterr().out)


@pytest.mark.parametrize("argv", [["runs", "list"], ["models"], ["plugins"], ["data", "info"]])
def test_any_command_can_be_asked_for(capsys: pytest.CaptureFixture[str], argv: list[str]):
    assert {one["source"] for one in shown(capsys, *argv).values()} == {"default"}


def test_options_of_plugins_are_shown(here: Path, capsys: pytest.CaptureFixture[str]):
    add = "if command == 'train': parser.add_argument('--zebra-stripes', type=int, default=3)"
    path = plugin_files.write(here / "zebra.py", hook("stoker_add_options", add))
    assert shown(capsys, "-p", str(path))["zebra-stripes"] == {"value": 3, "source": "default"}


@pytest.mark.parametrize(
    ("argv", "error", "hint"),
    [
        (["trian"], "unknown command: 'trian'", "did you mean 'train'?"),
        (["train", "--epoch", "3"], "unknown option --epoch", "did you mean --epochs?"),
        (["train", "--epochs", "x"], "--epochs must be a whole number", "see `stoker train --help`"),
    ],
)
def test_what_is_wrong_is_reported_as_the_command_itself_would(
    capsys: pytest.CaptureFixture[str], argv: list[str], error: str, hint: str
):
    assert main(["config", *argv]) == 2
    printed = capsys.readouterr().err
    assert f"error: {error}\n" in printed
    assert f"hint: {hint}\n" in printed


@pytest.mark.parametrize("argv", [["config"], ["config", "--json"], ["config", "runs", "list"]])
def test_what_no_option_is_called_is_a_warning_that_says_where_it_is(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], argv: list[str]
):
    (here / "pyproject.toml").write_text("[tool.stoker]\nepoch = 3\n[tool.stoker.quux]\nzz = 1\n")
    monkeypatch.setenv("STOKER_BATCHSIZE", "3")
    monkeypatch.setenv("STOKER_CACHE_DIR", str(here / "cache"))
    assert main(argv) == 0
    shown = capsys.readouterr()
    place, other = here / "pyproject.toml", "remove it, or load the plugin that has this option with -p"
    assert shown.err.splitlines() == [
        f"warning: unknown option 'epoch' in {place}; did you mean 'epochs'?",
        f"warning: unknown option 'quux-zz' in {place}; {other}",
        "warning: unknown option STOKER_BATCHSIZE in the environment; did you mean STOKER_BATCH_SIZE?",
    ]
    if "--json" in argv:
        assert json.loads(shown.out)["epochs"]["value"] == 20


@pytest.mark.parametrize("argv", [["train", "--help"], ["runs", "list", "-h"], ["--help"]])
def test_help_works_with_a_file_that_every_other_command_refuses(
    here: Path, capsys: pytest.CaptureFixture[str], argv: list[str]
):
    (here / "stoker.toml").write_text("zebra = 3\n")
    with pytest.raises(SystemExit) as caught:
        main(argv)
    assert caught.value.code == 0
    assert capsys.readouterr().err == ""
    assert main(["runs", "list"]) == 2

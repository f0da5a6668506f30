"""`stoker plugins` lists each plugin with all that is known about it, and is easy to read on any terminal."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from stoker.cli import main
from stoker.engine import VERSION
from stoker.engine.hookspecs import CONTRACT
from stoker.engine.plugin.discovery import BUILT_IN

from .. import plugin_files
from ..plugin_files import hook

NOBODY_KNOWS = "nobody knows what this option may be good for, and least of all the one who has added it"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Makes a folder with three plugins: one good, one broken, one with a very long name."""
    monkeypatch.chdir(tmp_path)
    plugin_files.write(
        tmp_path / "wide.py",
        "stoker_contract = 1\n",
        hook("stoker_models", "return {'wide': 'very', 'wider': 'more so'}"),
        hook("stoker_datasets", "return {'stripes': 'x'}"),
        hook("stoker_backends", "return {'tower': 'x'}"),
        hook(
            "stoker_add_options", f"if command == 'train': parser.add_argument('--wide-units', help='{NOBODY_KNOWS}')"
        ),
        hook("stoker_callbacks", "return []"),
        hook("stoker_run_event", "pass"),
    )
    plugin_files.write(tmp_path / "sad.py", hook("stoker_models", f"raise ValueError('{NOBODY_KNOWS}')"))
    plugin_files.write(tmp_path / f"{'long_' * 12}name.py", hook("stoker_models", "return {'long': 'x'}"))
    return tmp_path


PLUGINS = ("-p", "./wide.py", "-p", "./sad.py", "-p", "no:file")


def listed(capsys: pytest.CaptureFixture[str], *argv: str) -> dict[str, Any]:
    assert main([*argv, "--json"]) == 0
    return {each["name"]: each for each in json.loads(capsys.readouterr().out)}


def shown(capsys: pytest.CaptureFixture[str], *argv: str) -> list[str]:
    assert main([*argv, "plugins"]) == 0
    return capsys.readouterr().out.splitlines()


@pytest.mark.parametrize("words", [["plugins"], ["plugins", "list"]])
def test_json_has_all_that_there_is_to_know(place: Path, capsys: pytest.CaptureFixture[str], words: list[str]):
    found = listed(capsys, *PLUGINS, *words)
    assert len(found) == len(BUILT_IN) + 2
    assert found["wide"] == {
        "name": "wide",
        "from": "-p ./wide.py",
        "version": "",
        "contract": 1,
        "state": "ok",
        "offers": {
            "option": ["--wide-units"],
            "backend": ["tower"],
            "data set": ["stripes"],
            "model": ["wide", "wider"],
        },
        "hooks": [
            *("stoker_add_options", "stoker_backends", "stoker_callbacks"),
            *("stoker_datasets", "stoker_models", "stoker_run_event"),
        ],
        "problems": [],
        "slow": "",
    }
    assert (found["sad"]["state"], found["sad"]["contract"]) == ("broken", None)
    assert found["sad"]["problems"] == [
        {
            "problem": f"stoker_models: ValueError: {NOBODY_KNOWS}",
            "remedy": "report it to its author, or disable it with -p no:sad",
        }
    ]
    assert (found["file"]["state"], found["file"]["hooks"]) == ("left out", [])
    assert (found["dnn"]["from"], found["dnn"]["version"], found["dnn"]["contract"]) == ("built-in", VERSION, CONTRACT)
    assert found["local"]["offers"] == {"backend": ["local"]}


def test_json_may_come_before_the_word_list_too(place: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["plugins", "--json", "list"]) == 0
    assert json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("width", [80, 100, 120, 200])
def test_the_table_fits_the_terminal(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, width: int
):
    monkeypatch.setenv("COLUMNS", str(width))
    lines = shown(capsys, *PLUGINS)
    assert [line for line in lines if len(line) > width or line != line.rstrip()] == []
    assert re.split(" {2,}", lines[0]) == ["plugin", "from", "version", "contract", "state", "offers"]
    (wide,) = [number for number, line in enumerate(lines) if line.startswith("wide ")]
    assert re.split(" {2,}", lines[wide])[:5] == ["wide", "-p ./wide.py", "-", "1", "ok"]
    text = " ".join(" ".join(lines[wide:]).split())
    assert "backend tower; data set stripes; models wide, wider; option --wide-units; callbacks; an observer" in text
    assert f"broken: stoker_models: ValueError: {NOBODY_KNOWS} remedy: report it to its author" in text
    assert any(re.match(r"file +built-in +\S+ +1 +left out$", line) for line in lines)


def test_what_a_plugin_offers_comes_below_it_where_there_is_no_room_beside(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("COLUMNS", "80")
    name = f"{'long_' * 12}name"
    lines = shown(capsys, "-p", f"{name}.py")
    (number,) = [number for number, line in enumerate(lines) if line.startswith(name)]
    assert lines[number + 1] == "    model long"


@pytest.mark.parametrize("width", [80, 100, 120])
def test_names_stay_whole_and_none_of_them_is_that_of_a_hook(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, width: int
):
    monkeypatch.setenv("COLUMNS", str(width))
    words = " ".join(shown(capsys)).replace(",", " ").replace(";", " ").split()
    offered = [name for each in listed(capsys, "plugins").values() for name in each["offers"].get("option", ())]
    assert len(offered) > 15
    assert [name for name in offered if name not in words] == []
    assert [word for word in words if word.startswith(("get_", "stoker_"))] == []


def test_what_a_plugin_makes_without_naming_it_is_listed_by_its_kind(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("COLUMNS", "120")
    plugin_files.write(place / "silent.py", hook("stoker_get_model", "pass"), hook("stoker_get_dataset", "pass"))
    lines = shown(capsys, "-p", "./silent.py")
    assert any(re.match(r"file +.* models$", line) for line in lines)
    assert any(re.match(r"silent +.* data sets; models$", line) for line in lines)


def test_json_is_for_the_list_only(place: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["plugins", "--json", "new", "mine"]) == 2
    assert capsys.readouterr().err.startswith("error: --json is for the list of plugins")
    assert not (place / "stoker-mine").exists()


def test_help_shows_both_actions(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        main(["plugins", "--help"])
    text = capsys.readouterr().out
    assert "list" in text
    assert "new" in text


def test_the_file_that_asked_for_a_plugin_is_named(place: Path, capsys: pytest.CaptureFixture[str]):
    (place / "stoker.toml").write_text('plugin = ["./wide.py"]')
    assert listed(capsys, "plugins")["wide"]["from"] == f"{place / 'stoker.toml'} {place / 'wide.py'}"

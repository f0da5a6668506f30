"""An option's value: command line, then environment, then settings file, then default; what is wrong is named."""

from __future__ import annotations

import argparse
import contextlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stoker.engine.command import positive_int
from stoker.engine.errors import InputError, OptionError, StokerError
from stoker.engine.options.parser import CommandParser, Parser, TopParser
from stoker.engine.options.settings import Setting, Settings

from ... import hostile


def parser() -> Parser:
    """A command line with an option of each kind."""
    top = TopParser(prog="stoker")
    top.add_argument("-p", "--plugin", action="append")
    below = top.add_subparsers(dest="command", metavar="COMMAND", parser_class=CommandParser)
    train = below.add_parser("train", help="train")
    train.add_argument("--epochs", type=int, default=20)
    train.add_argument("--learning-rate", type=float, default=0.001)
    train.add_argument("--name", default="")
    train.add_argument("--runs-dir", type=Path, default=Path("runs"))
    train.add_argument("--offline", action="store_true")
    train.add_argument("--no-picture", dest="picture", action="store_false")
    train.add_argument("--report", action=argparse.BooleanOptionalAction, default=False)
    train.add_argument("--split", choices=("train", "test"), default="train")
    train.add_argument("--neurons", type=positive_int, default=300)
    train.add_argument("--tag", action="append")
    train.add_argument("--sizes", type=int, nargs="+", default=[1])
    train.add_argument("-v", "--verbose", action="count", default=0)
    train.add_argument("--azureml-max-nodes", type=int)
    train.add_argument("run", nargs="?", default="latest")
    for name in ("list", "show"):
        below.add_parser(name, help=name).add_argument("--runs-dir", type=Path, default=Path(f"{name} runs"))
    return top


def value(settings: Settings, name: str, *argv: str, command: str = "train") -> Setting:
    options = settings.parse(parser(), [command, *argv])
    assert getattr(options.values, name) == options.sources[name].value
    return options.sources[name]


def in_file(folder: Path, text: str, environ: Mapping[str, str] | None = None) -> Settings:
    (folder / "stoker.toml").write_text(text, encoding="utf-8")
    return Settings.find(folder, environ or {})


ORDER = [
    ("epochs", ["--epochs", "1"], 1, "2", 2, "3", 3, 20),
    ("learning_rate", ["--learning-rate", "1"], 1.0, "0.2", 0.2, "0.3", 0.3, 0.001),
    ("name", ["--name", "a b"], "a b", "c;d", "c;d", '"größe"', "größe", ""),
    ("runs_dir", ["--runs-dir", "/a b"], Path("/a b"), "c", Path("c"), '"/d"', Path("/d"), Path("runs")),
    ("offline", ["--offline"], True, "yes", True, "true", True, False),
    ("picture", ["--no-picture"], False, "1", False, "true", False, True),
    ("report", ["--no-report"], False, "on", True, "true", True, False),
    ("split", ["--split", "test"], "test", "test", "test", '"test"', "test", "train"),
    ("neurons", ["--neurons", "1"], 1, "2", 2, "3", 3, 300),
    ("tag", ["--tag", "a", "--tag", "b"], ["a", "b"], "c,d", ["c", "d"], '["e", "f,g"]', ["e", "f,g"], None),
    ("sizes", ["--sizes", "1", "2"], [1, 2], "3,4", [3, 4], "[5, 6]", [5, 6], [1]),
    ("verbose", ["-vv"], 2, "1", True, "true", True, 0),
    ("azureml_max_nodes", ["--azureml-max-nodes", "1"], 1, "2", 2, "3", 3, None),
]
OPTION_NAMES = {"picture": "no-picture"}


@pytest.mark.parametrize(
    ("name", "argv", "given", "variable", "exported", "entry", "written", "default"),
    ORDER,
    ids=[row[0] for row in ORDER],
)
def test_command_line_goes_before_environment_before_file_before_default(
    tmp_path: Path, name: str, argv: list[str], given: Any, variable: str, exported: Any, entry: str, written: Any,
    default: Any,
):  # fmt: skip
    option = OPTION_NAMES.get(name, name.replace("_", "-"))
    key = f"STOKER_{option.replace('-', '_').upper()}"
    both = in_file(tmp_path, f"{option} = {entry}", {key: variable})
    file_only = Settings.find(tmp_path, {})
    assert value(both, name, *argv) == Setting(given, "command line")
    assert value(both, name) == Setting(exported, key)
    assert value(file_only, name) == Setting(written, str(tmp_path / "stoker.toml"))
    assert value(Settings(), name) == Setting(default, "default")


@pytest.mark.parametrize(
    ("text", "expected"), [("false", False), ("0", False), ("No", False), ("off", False), ("TRUE", True), ("on", True)]
)
def test_a_flag_is_on_or_off_in_words_or_digits(text: str, expected: bool):
    assert value(Settings(environ={"STOKER_OFFLINE": text}), "offline").value is expected
    assert value(Settings(environ={"STOKER_NO_PICTURE": text}), "picture").value is not expected


def test_an_empty_variable_is_no_value():
    assert value(Settings(environ={"STOKER_EPOCHS": ""}), "epochs") == Setting(20, "default")


def test_options_of_the_same_name_keep_each_commands_own_default():
    assert value(Settings(), "runs_dir", command="list").value == Path("list runs")
    assert value(Settings(), "runs_dir", command="show").value == Path("show runs")
    environment = Settings(environ={"STOKER_RUNS_DIR": "/else"})
    assert {value(environment, "runs_dir", command=name).value for name in ("train", "list", "show")} == {Path("/else")}


def test_a_value_that_equals_the_default_is_still_the_command_lines():
    assert value(Settings(environ={"STOKER_EPOCHS": "3"}), "epochs", "--epochs", "20") == Setting(20, "command line")


def test_an_option_that_must_be_given_may_be_given_elsewhere():
    def strict() -> Parser:
        made = Parser(prog="x")
        made.add_argument("--output", type=Path, required=True)
        return made

    options = Settings(environ={"STOKER_OUTPUT": "/out"}).parse(strict(), [])
    assert options.values.output == Path("/out")
    with pytest.raises(OptionError, match="--output"):
        Settings().parse(strict(), [])


def test_a_command_may_be_missing():
    options = Settings().parse(parser(), [])
    assert options.values.command is None
    assert options.sources == {"plugin": Setting(None, "default")}


def test_a_home_folder_is_found_wherever_a_path_comes_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOME", "/home/me")
    wanted = Path("/home/me/runs")
    assert value(Settings(), "runs_dir", "--runs-dir=~/runs").value == wanted
    assert value(Settings(environ={"STOKER_RUNS_DIR": "~/runs"}), "runs_dir").value == wanted
    assert value(in_file(tmp_path, 'runs-dir = "~/runs"'), "runs_dir").value == wanted


@pytest.mark.parametrize("name", hostile.NAMES)
def test_a_relative_path_in_the_file_is_relative_to_the_file(tmp_path: Path, name: str):
    (tmp_path / name / "below").mkdir(parents=True)
    (tmp_path / name / "stoker.toml").write_text('runs-dir = "my runs"', encoding="utf-8")
    found = Settings.find(tmp_path / name / "below", {})
    assert value(found, "runs_dir").value == tmp_path / name / "my runs"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("./mine.py", "{}/mine.py"),
        ("../mine.py", "{}/../mine.py"),
        ("nets/wide.py:build", "{}/nets/wide.py:build"),
        ("/abs/mine.py", "/abs/mine.py"),
        ("package.module", "package.module"),
        ("no:azureml", "no:azureml"),
    ],
)
def test_a_python_file_in_the_file_is_relative_to_the_file(tmp_path: Path, text: str, expected: str):
    found = in_file(tmp_path, f'plugin = ["{text}"]\nname = "{text}"')
    assert value(found, "plugin").value == [expected.format(tmp_path)]
    assert value(found, "name").value == expected.format(tmp_path)


def test_a_path_in_the_environment_is_relative_to_the_working_folder(tmp_path: Path):
    found = in_file(tmp_path, "", {"STOKER_RUNS_DIR": "here"})
    assert value(found, "runs_dir").value == Path("here")


@pytest.mark.parametrize("key", ["learning-rate", "learning_rate"])
def test_underscores_count_as_dashes(tmp_path: Path, key: str):
    assert value(in_file(tmp_path, f"{key} = 0.5"), "learning_rate").value == 0.5


@pytest.mark.parametrize("text", ["[azureml]\nmax-nodes = 4", "[azureml.max]\nnodes = 4", "azureml.max_nodes = 4"])
def test_a_table_is_the_beginning_of_its_options_names(tmp_path: Path, text: str):
    assert value(in_file(tmp_path, text), "azureml_max_nodes").value == 4


def test_the_nearest_file_upwards_is_taken_and_no_other(tmp_path: Path):
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    (tmp_path / "stoker.toml").write_text("epochs = 1\nname = 'far'")
    assert value(Settings.find(below, {}), "epochs").value == 1
    (tmp_path / "a" / "stoker.toml").write_text("epochs = 2")
    found = Settings.find(below, {})
    assert found.path == tmp_path / "a" / "stoker.toml"
    assert (value(found, "epochs").value, value(found, "name").value) == (2, "")


@pytest.mark.parametrize("name", ["stoker.toml", "pyproject.toml"])
def test_a_file_that_somebody_else_can_write_is_left_out_and_said(tmp_path: Path, name: str):
    below = tmp_path / "a"
    below.mkdir()
    table = "" if name == "stoker.toml" else "[tool.stoker]\n"
    (tmp_path / name).write_text(f"{table}epochs = 1")
    (below / name).write_text(f"{table}epochs = 2\nplugin = ['./evil.py']")
    (below / name).chmod(0o666)
    found = Settings.find(below, {})
    assert (found.path, value(found, "epochs").value) == (tmp_path / name, 1)
    assert found.left_out == (f"{below / name} is left out: every user can write it",)


def test_a_pyproject_of_somebody_elses_without_a_table_of_ours_is_not_worth_a_word(tmp_path: Path):
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'x'")
    (tmp_path / "pyproject.toml").chmod(0o666)
    assert Settings.find(tmp_path, {}).left_out == ()


@pytest.mark.parametrize("content", ["a = " + "[" * 100_000, "x" * 2_000_000, "a = [", "a = " + "9" * 5000])
def test_a_file_that_is_no_settings_file_is_an_error_and_one_of_somebody_else_is_left_out(tmp_path: Path, content: str):
    path = tmp_path / "stoker.toml"
    path.write_text(content)
    if not content.startswith("a = 9"):
        with pytest.raises(InputError, match=r"stoker\.toml"):
            Settings.find(tmp_path, {})
    path.chmod(0o666)
    assert len(Settings.find(tmp_path, {}).left_out) == 1


def test_a_pipe_is_no_settings_file(tmp_path: Path):
    os.mkfifo(tmp_path / "stoker.toml")
    assert Settings.find(tmp_path, {}).path is None


def test_the_search_ends_at_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    home = tmp_path / "home"
    (home / "work").mkdir(parents=True)
    (tmp_path / "stoker.toml").write_text("epochs = 1")
    assert value(Settings.find(home / "work", {}), "epochs").value == 1
    monkeypatch.setenv("HOME", str(home))
    assert Settings.find(home / "work", {}).path is None
    (home / "stoker.toml").write_text("epochs = 2")
    assert value(Settings.find(home / "work", {}), "epochs").value == 2


def test_a_pyproject_counts_if_it_has_a_table_of_ours(tmp_path: Path):
    below = tmp_path / "a"
    below.mkdir()
    (tmp_path / "pyproject.toml").write_text("[tool.stoker]\nepochs = 1\n[tool.stoker.azureml]\nmax-nodes = 4\n")
    (below / "pyproject.toml").write_text("[tool.black]\nepochs = 3\n[project]\nname = 'x'")
    found = Settings.find(below, {})
    assert value(found, "epochs") == Setting(1, str(tmp_path / "pyproject.toml"))
    assert value(found, "azureml_max_nodes").value == 4


def test_stoker_toml_goes_before_the_pyproject_beside_it(tmp_path: Path):
    (tmp_path / "pyproject.toml").write_text("[tool.stoker]\nepochs = 1")
    assert value(in_file(tmp_path, "epochs = 2"), "epochs").value == 2


@pytest.mark.parametrize("text", ["tool = 3", "[tool]\nstoker = 3", "", "[tool.stoker-2]\nepochs = 3"])
def test_a_pyproject_without_a_table_of_ours_does_not_count(tmp_path: Path, text: str):
    (tmp_path / "pyproject.toml").write_text(text)
    assert Settings.find(tmp_path, {}).path is None


def test_a_folder_of_the_files_name_does_not_count(tmp_path: Path):
    (tmp_path / "stoker.toml").mkdir()
    assert Settings.find(tmp_path, {}).path is None


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_file_of_a_windows_editor_is_read(tmp_path: Path, encoding: str):
    (tmp_path / "stoker.toml").write_bytes('epochs = 3\r\nname = "weiß"\r\n'.encode(encoding))
    found = Settings.find(tmp_path, {})
    assert (value(found, "epochs").value, value(found, "name").value) == (3, "weiß")


@pytest.mark.parametrize("content", [b"epochs = ", b"epochs = 1\nepochs = 2", b"\xff\xfe=", b"name = 'a\nb'", b"= 3"])
@pytest.mark.parametrize("name", ["stoker.toml", "pyproject.toml"])
def test_a_file_that_is_no_toml_is_named(tmp_path: Path, content: bytes, name: str):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=f"{name} is not valid TOML") as caught:
        Settings.find(tmp_path, {})
    assert caught.value.received


BAD = [
    ("epochs", "abc", '"x"', "a whole number"),
    ("epochs", "1.5", "1.5", "a whole number"),
    ("epochs", "true", "true", "a whole number"),
    ("epochs", "[1]", "[1, 2]", "a whole number"),
    ("epochs", "9" * 5000, '"٣x"', "a whole number"),
    ("learning-rate", "fast", '"fast"', "a number"),
    ("learning-rate", "true", "true", "a number"),
    ("neurons", "0", "0", "a whole number, 1 or more"),
    ("neurons", "many", "-3", "a whole number, 1 or more"),
    ("offline", "maybe", '"maybe"', "true or false"),
    ("offline", "2", "2", "true or false"),
    ("sizes", "1,x", '[1, "x"]', "a whole number"),
    ("split", "both", '"both"', "one of test, train"),
]


@pytest.mark.parametrize(("option", "variable", "entry", "expected"), BAD)
def test_a_value_that_can_not_be_is_refused_with_its_place_and_what_may_be(
    tmp_path: Path, option: str, variable: str, entry: str, expected: str
):
    key = f"STOKER_{option.replace('-', '_').upper()}"
    with pytest.raises(InputError, match=key) as caught:
        value(Settings(environ={key: variable}), option.replace("-", "_"))
    assert caught.value.expected == expected
    with pytest.raises(InputError, match=rf"{option} in .*stoker\.toml") as caught:
        value(in_file(tmp_path, f"{option} = {entry}"), option.replace("-", "_"))
    assert caught.value.expected == expected


@pytest.mark.parametrize("option", ["name", "runs-dir"])
def test_true_is_neither_a_text_nor_a_path(tmp_path: Path, option: str):
    with pytest.raises(OptionError, match=f"{option} in") as caught:
        value(in_file(tmp_path, f"{option} = true"), option.replace("-", "_"))
    assert (caught.value.received, caught.value.expected) == ("true", f"a {'text' if option == 'name' else 'path'}")


@pytest.mark.parametrize(
    ("argv", "message", "hint"),
    [
        (["train", "--epoch", "3"], "unknown option --epoch", "did you mean --epochs?"),
        (["train", "--epoch=3"], "unknown option --epoch", "did you mean --epochs?"),
        (["train", "--zebra"], "unknown option --zebra", "see `stoker train --help`"),
        (["train", "a", "b"], "unexpected argument 'b'", "see `stoker train --help`"),
        (["trian"], "unknown command: 'trian'", "did you mean 'train'?"),
        (["zebra"], "unknown command: 'zebra'", "see `stoker --help`"),
        (["train", "--epochs"], "--epochs: expected one argument", "see `stoker train --help`"),
        (["train", "--epochs", "x"], "--epochs must be a whole number", "see `stoker train --help`"),
        (["train", "--split", "tst"], "unknown value of --split: 'tst'", "did you mean 'test'?"),
        (["--plugn", "x", "train"], "unknown option --plugn", "did you mean --plugin?"),
        (["--epochs", "3", "train"], "unknown option --epochs", "the options of a command come after it"),
    ],
)
def test_a_wrong_command_line_is_answered_with_what_is_near_or_where_to_look(argv: list[str], message: str, hint: str):
    with pytest.raises(StokerError) as caught:
        Settings().parse(parser(), argv)
    assert caught.value.what == message
    assert hint in caught.value.hint


def test_options_are_not_guessed_from_their_beginning():
    with pytest.raises(OptionError, match="unknown option --learn"):
        Settings().parse(parser(), ["train", "--learn", "3"])


@pytest.mark.parametrize(
    ("text", "name", "hint"),
    [
        ("epoch = 3", "epoch", "did you mean 'epochs'?"),
        ("[azureml]\nmax-node = 3", "azureml-max-node", "did you mean 'azureml-max-nodes'?"),
        ("zebra = 3", "zebra", "remove it, or load the plugin that has this option with -p"),
        ("run = 'x'", "run", "remove it, or load the plugin that has this option with -p"),
    ],
)
def test_an_unknown_name_in_the_file_is_refused_with_the_nearest(tmp_path: Path, text: str, name: str, hint: str):
    with pytest.raises(OptionError, match=rf"unknown option '{name}' in .*stoker\.toml") as caught:
        in_file(tmp_path, text).check_names(parser())
    assert caught.value.hint == hint


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("batch_size = 1\nbatch-size = 1", "batch_size and batch-size"),
        ("azureml-max_nodes = 1\n[azureml]\nmax-nodes = 2", "azureml-max_nodes and azureml.max-nodes"),
    ],
)
def test_two_spellings_of_one_option_are_refused_with_both(tmp_path: Path, text: str, names: str):
    with pytest.raises(OptionError, match=r"stoker\.toml has two values for the option") as caught:
        in_file(tmp_path, text)
    assert caught.value.received == names


def test_a_table_of_the_pyproject_in_stoker_toml_is_named(tmp_path: Path):
    found = in_file(tmp_path, "zebra = 1\n[tool.stoker]\nepochs = 3\nseed = 4")
    assert [error.what for error in found.unknown_names(parser())] == [
        f"the table [tool.stoker] in {found.path} belongs in pyproject.toml",
        f"unknown option 'zebra' in {found.path}",
    ]


def test_names_of_a_plugin_that_is_not_there_are_let_pass(tmp_path: Path):
    found = in_file(tmp_path, "[my-cloud]\nnodes = 3\n[my_cloud.disk]\nsize = 3")
    found.check_names(parser(), absent=["my_cloud"])
    with pytest.raises(OptionError, match="my-cloud"):
        found.check_names(parser(), absent=["cloud"])


TOML = st.integers() | st.floats() | st.booleans() | st.text() | st.lists(st.integers() | st.text(), max_size=3)
OPTIONS = ["epochs", "learning-rate", "name", "runs-dir", "offline", "no-picture", "split", "neurons", "tag", "sizes"]


@given(st.dictionaries(st.sampled_from(OPTIONS), TOML), st.dictionaries(st.sampled_from(OPTIONS), st.text()))
def test_any_values_are_taken_or_refused_as_input(values: dict[str, Any], variables: dict[str, str]):
    environ = {f"STOKER_{name.replace('-', '_').upper()}": text for name, text in variables.items()}
    with contextlib.suppress(InputError):
        Settings(environ=environ, values=values, path=Path("/x/stoker.toml")).parse(parser(), ["train"])


@given(st.lists(st.sampled_from(["train", "list", "--epochs", "--", "-v", "-p", "--tag", "3"]) | st.text(), max_size=5))
def test_any_command_line_is_taken_or_refused_as_input(argv: list[str]):
    with contextlib.suppress(InputError):
        Settings().parse(parser(), [word for word in argv if word not in {"-h", "--help"}])


@given(st.integers(), st.floats(allow_nan=False), st.text(min_size=1))
def test_a_number_or_a_text_is_the_same_from_anywhere(epochs: int, rate: float, name: str):
    environ = {"STOKER_EPOCHS": str(epochs), "STOKER_LEARNING_RATE": repr(rate), "STOKER_NAME": name}
    path = Path("/x/stoker.toml")
    as_file = {"epochs": epochs, "learning-rate": rate, "name": name}
    argv = ["train", f"--epochs={epochs}", f"--learning-rate={rate!r}", f"--name={name}"]
    readings: list[Callable[[], Any]] = [
        lambda: Settings().parse(parser(), argv),
        lambda: Settings(environ=environ).parse(parser(), ["train"]),
        lambda: Settings(values=as_file, path=path).parse(parser(), ["train"]),
    ]
    found = [read().values for read in readings]
    assert {one.epochs for one in found} == {epochs}
    assert {one.learning_rate for one in found} == {rate}
    assert [one.name for one in found[:2]] == [name] * 2

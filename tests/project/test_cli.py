"""The command line: one program by three names, exit codes that scripts can rely on, errors without tracebacks."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from stoker import cli
from stoker.cli import main
from stoker.engine import VERSION, locks
from stoker.engine.job import TrainJob
from stoker.engine.rundir import RunDirectory
from stoker.engine.status import Handle, RunState, RunStatus

from .. import hostile, plugin_files, stoker_process
from ..patience import PATIENCE_S
from ..plugin_files import hook
from ..stoker_process import stoker

ROOT = Path(__file__).resolve().parents[2]
COMMAND = """
from stoker.engine import errors
from stoker.engine.command import Command

def add(parser):
    parser.add_argument("what")

def run(options, context):
    exec(options.what)
    return 0
"""


@pytest.fixture
def do(tmp_path: Path) -> Path:
    """A plugin with the command `do`, which does what its argument says."""
    offer = hook("stoker_commands", "return [Command(name='do', summary='do it', add_options=add, run=run)]")
    return plugin_files.write(tmp_path / "do.py", COMMAND, offer)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder, outside of every settings file."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("STOKER_")]:
        monkeypatch.delenv(name)
    return tmp_path


@pytest.fixture
def as_package(tmp_path: Path) -> Path:
    """A folder in which this checkout is the package `stoker`."""
    (tmp_path / "stoker").symlink_to(ROOT)
    return tmp_path


ENTRY = "import sys; from stoker.cli import main; sys.exit(main())"


@pytest.mark.parametrize(
    "arguments",
    [["--version"], ["--help"], ["train", "--help"], ["plugins", "--json"], ["trian"], ["train", "--epoch", "3"], []],
    ids=" ".join,
)
def test_stoker_and_python_m_stoker_and_python_cli_are_one_program(as_package: Path, arguments: list[str]):
    programs = (["-c", ENTRY], ["-m", "stoker"], [str(ROOT / "cli.py")])
    done = [
        subprocess.run(
            [sys.executable, *program, *arguments],
            cwd=as_package,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_S,
        )
        for program in programs
    ]
    assert len({(one.returncode, one.stdout, one.stderr) for one in done}) == 1
    assert done[0].returncode == (2 if arguments in (["trian"], ["train", "--epoch", "3"], []) else 0)


def test_the_version_is_that_of_the_package(here: Path, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"stoker {VERSION}\n"
    assert f'version = "{VERSION}"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")


def test_no_command_at_all_is_answered_with_the_help(here: Path, capsys: pytest.CaptureFixture[str]):
    assert main([]) == 2
    assert capsys.readouterr().out.startswith("usage: stoker ")


def test_the_help_has_a_line_for_each_command_that_is_for_people(here: Path, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        main(["--help"])
    shown = re.findall(r"^    (\w+) +\w", capsys.readouterr().out, re.M)
    assert sorted(shown) == [
        "azureml",
        "completion",
        "config",
        "data",
        "models",
        "plan",
        "plugins",
        "rehearse",
        "runs",
        "train",
    ]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("pass", 0),
        ("raise errors.RunError('it broke')", 1),
        ("raise errors.BackendError('it broke')", 1),
        ("raise errors.DownloadError('it broke')", 1),
        ("raise errors.InputError('it broke')", 2),
        ("raise errors.StorageError('it broke')", 2),
        ("raise errors.PluginError('it broke')", 2),
        ("raise KeyboardInterrupt", 130),
    ],
)
def test_the_exit_code_says_what_happened(
    here: Path, do: Path, capsys: pytest.CaptureFixture[str], body: str, code: int
):
    assert main(["-p", str(do), "do", body]) == code
    assert capsys.readouterr().err == ("error: it broke\n" if "broke" in body else "")


def test_an_error_is_printed_in_lines_for_people(here: Path, do: Path, capsys: pytest.CaptureFixture[str]):
    body = "raise errors.InputError('too many', received=3, expected='one or two', hint='take fewer')"
    assert main(["-p", str(do), "do", body]) == 2
    output = capsys.readouterr()
    assert output.err == "error: too many\n  received: 3\n  expected: one or two\nhint: take fewer\n"
    assert output.out == ""


@pytest.mark.parametrize("place", [0, 2, 4], ids=["first", "before the command", "last"])
def test_debug_shows_where_an_error_came_from_and_changes_no_exit_code(
    here: Path, do: Path, capsys: pytest.CaptureFixture[str], place: int
):
    argv = ["-p", str(do), "do", "raise errors.InputError('too many', hint='take fewer')"]
    assert main([*argv[:place], "--debug", *argv[place:]]) == 2
    error = capsys.readouterr().err
    assert error.startswith("Traceback (most recent call last):")
    assert error.endswith("error: too many\nhint: take fewer\n")


def test_a_fault_of_the_program_shows_its_traceback_and_exits_with_1(do: Path, tmp_path: Path):
    done = stoker("-p", do, "do", "1 / 0", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("Traceback")
    assert done.stderr.endswith("ZeroDivisionError: division by zero\n")


def test_a_missing_package_that_a_command_needs_is_reported_in_one_line(do: Path, tmp_path: Path):
    done = stoker("-p", do, "do", "import raytracer", cwd=tmp_path)
    assert done.returncode == 2
    assert re.fullmatch(r"error: the package 'raytracer' is not installed for .*; try: .*\n", done.stderr)


def test_an_interrupt_ends_with_130_and_no_traceback(do: Path, tmp_path: Path):
    done = stoker("-p", do, "do", f"import os; os.kill(os.getpid(), {int(signal.SIGINT)})", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (130, "")


@pytest.mark.parametrize("arguments", [["runs", "list"], ["plugins"], ["config", "--json"], ["completion", "zsh"]])
def test_a_reader_that_leaves_is_no_error(tmp_path: Path, arguments: list[str]):
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(stoker_process.command(*arguments), cwd=tmp_path, env=environ, **pipes) as process:
        assert process.stdout is not None
        process.stdout.close()
        _, error = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, error) == (141, "")


def test_output_that_is_closed_is_no_error(tmp_path: Path):
    command = ["sh", "-c", '"$0" "$@" >&-', *stoker_process.command("runs", "list")]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=PATIENCE_S)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
def test_a_name_that_the_terminal_can_not_show_stops_nothing(tmp_path: Path, encoding: str):
    root = os.fsdecode(b"runs-\xff-") + "größe-模型"
    done = stoker("runs", "list", "--runs-dir", root, cwd=tmp_path, PYTHONIOENCODING=encoding)
    assert done.returncode == 0
    assert done.stdout.startswith("no runs in runs-")
    done = stoker("runs", "show", root, cwd=tmp_path, PYTHONIOENCODING=encoding)
    assert done.returncode == 2
    assert done.stderr.startswith("error: unknown run: ")


@pytest.mark.parametrize(
    ("argv", "error", "hint"),
    [
        (["trian"], "unknown command: 'trian'", "did you mean 'train'?"),
        (["exe"], "unknown command: 'exe'", "see `stoker --help`"),
        (["runs", "lits"], "unknown action: 'lits'", "did you mean 'list'?"),
        (["runs"], "the following arguments are required: ACTION", "see `stoker runs --help`"),
        (["train", "--epoch", "3"], "unknown option --epoch", "did you mean --epochs?"),
        (["plan", "--detach"], "unknown option --detach", "see `stoker plan --help`"),
        (["train", "--first-layer-neuron=3"], "unknown option --first-layer-neuron", "--first-layer-neurons?"),
        (["runs", "list", "--run-dir", "x"], "unknown option --run-dir", "did you mean --runs-dir?"),
        (["models", "extra"], "unexpected argument 'extra'", "see `stoker models --help`"),
        (["plugins", "nwe"], "unknown action: 'nwe'", "did you mean 'new'?"),
        (["--epochs", "3", "train"], "unknown option --epochs", "come after it; see `stoker --help`"),
        (["--plug", "x", "train"], "unknown option --plug", "did you mean --plugin?"),
        (["completion", "bsh"], "unknown shell: 'bsh'", "did you mean 'bash'?"),
        (["train", "--epochs", "many"], "--epochs must be a whole number", "see `stoker train --help`"),
        (["train", "--epochs"], "--epochs: expected one argument", "see `stoker train --help`"),
        (["train", "-p"], "-p/--plugin: expected one argument", "see `stoker --help`"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_wrong_command_line_is_two_lines_that_help(
    here: Path, capsys: pytest.CaptureFixture[str], argv: list[str], error: str, hint: str
):
    assert main(argv) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == f"error: {error}"
    assert lines[-1].startswith("hint: ")
    assert hint in lines[-1]


def test_a_command_that_is_not_for_people_is_not_offered(here: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["zebra"]) == 2
    assert "exec" not in capsys.readouterr().err


@pytest.mark.parametrize(
    "argv", [["-p", "{}", "do", "print(1)"], ["do", "-p", "{}", "print(1)"], ["do", "print(1)", "-p", "{}"]]
)
def test_global_options_stand_before_or_after_the_command(
    here: Path, do: Path, capsys: pytest.CaptureFixture[str], argv: list[str]
):
    assert main([word.format(do) for word in argv]) == 0
    assert capsys.readouterr().out == "1\n"


def test_options_of_a_command_stand_in_any_order(here: Path, capsys: pytest.CaptureFixture[str]):
    (here / "runs").mkdir()
    assert main(["runs", "list", "--json", "--runs-dir", "runs"]) == 0
    assert main(["runs", "list", "--runs-dir=runs", "--json"]) == 0
    assert capsys.readouterr().out == "[]\n[]\n"


ENVIRONMENT = {"STOKER_EPOCHS": "abc"}


@pytest.mark.parametrize(
    ("text", "environ", "error", "received"),
    [
        ("", ENVIRONMENT, "STOKER_EPOCHS in the environment must be a whole number", "'abc'"),
        ('epochs = "x"', {}, "epochs in {}/stoker.toml must be a whole number", "'x'"),
        ("epochs = true", {}, "epochs in {}/stoker.toml must be a whole number", "'true'"),
        ('offline = "perhaps"', {}, "offline in {}/stoker.toml must be true or false", "'perhaps'"),
        ("epoch = 3", {}, "unknown option 'epoch' in {}/stoker.toml", ""),
        ("epochs = ", {}, "{}/stoker.toml is not valid TOML", ""),
    ],
)
def test_a_wrong_setting_is_reported_with_its_source(
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    text: str,
    environ: dict[str, str],
    error: str,
    received: str,
):
    (here / "stoker.toml").write_text(text)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert main(["train", "--dry-run"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == f"error: {error.format(here)}"
    if received:
        assert f"  received: {received}" in lines


@pytest.mark.parametrize("name", hostile.NAMES)
def test_runs_in_any_folder_are_listed(here: Path, capsys: pytest.CaptureFixture[str], name: str):
    run = RunDirectory.create(here / name, TrainJob())
    assert main(["runs", "list", f"--runs-dir={name}", "--json"]) == 0
    assert [row["run"] for row in json.loads(capsys.readouterr().out)] == [run.run_id]


def test_a_run_that_is_not_there_is_an_error_whatever_its_name(here: Path, capsys: pytest.CaptureFixture[str]):
    for name in [*hostile.NAMES[:5], "x" * 5000, ""]:
        assert main(["runs", "show", "--", name]) == 2
        assert capsys.readouterr().err.startswith("error: unknown run: ")


def test_importing_the_command_line_neither_loads_plugins_nor_tensorflow(as_package: Path):
    code = "import sys, stoker.cli; print([name for name in sys.modules if name.startswith(('stoker.', 'tensorflow'))])"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=as_package, capture_output=True, text=True, check=True, timeout=PATIENCE_S
    )
    assert done.stdout == "['stoker.cli']\n"


@pytest.mark.parametrize(
    ("state", "hint"), [(RunState.FAILED, "runs logs"), (RunState.PREPARING, "wait until it has finished")]
)
def test_a_run_without_outputs_is_not_fetched_and_says_in_which_state_it_is(
    here: Path, capsys: pytest.CaptureFixture[str], state: RunState, hint: str
):
    run = RunDirectory.create(here / "runs", TrainJob())
    run.plots.mkdir(parents=True)
    run.write_handle(Handle(backend="local", reference=str(run.path)))
    run.write_status(RunStatus(state=state))
    with locks.lock(run.lock):  # as its process holds it
        assert main(["runs", "fetch", "--output", "got"]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert f"error: the run has no outputs yet: {run.run_id} is {state}\n" in printed.err
    assert hint in printed.err
    assert [path.name for path in here.iterdir()] == ["runs"]


@pytest.mark.parametrize(
    ("argv", "option"),
    [
        (["train", "--data-folder", ""], "--data-folder"),
        (["train", "--data-folder="], "--data-folder"),
        (["train", "--runs-dir", ""], "--runs-dir"),
        (["train", "--dry-run", ""], "--dry-run"),
        (["train", "--resume", ""], "--resume"),
        (["plan", "--azureml-config", ""], "--azureml-config"),
        (["runs", "fetch", "--output", ""], "--output"),
        (["data", "info", "--data-folder", ""], "--data-folder"),
        (["data", "show", "--output", ""], "--output"),
        (["plugins", "new", "mine", "--folder", ""], "--folder"),
        (["azureml", "emulator", "--root", ""], "--root"),
        (["rehearse", ""], "dir"),
    ],
)
def test_a_path_from_an_unset_variable_is_refused_and_not_taken_for_the_current_folder(
    here: Path, capsys: pytest.CaptureFixture[str], argv: list[str], option: str
):
    assert main(argv) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert f"error: {option} is empty\n" in printed.err
    assert "hint: is a variable of the shell not set?" in printed.err
    assert list(here.iterdir()) == []


def test_an_empty_path_in_the_settings_file_is_refused(here: Path, capsys: pytest.CaptureFixture[str]):
    (here / "stoker.toml").write_text('runs-dir = ""\n')
    assert main(["runs", "list"]) == 2
    assert f"error: runs-dir in {here / 'stoker.toml'} is empty\n" in capsys.readouterr().err


def test_metadata_that_are_missing_are_not_a_package_that_is_not_installed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def fail(_: list[str]) -> int:
        raise PackageNotFoundError("tensorflow")

    monkeypatch.setattr(cli, "_dispatch", fail)
    assert main(["models"]) == 1
    printed = capsys.readouterr().err
    assert printed.startswith("error: pip knows no package 'tensorflow' for ")
    assert "not installed" not in printed
    with pytest.raises(PackageNotFoundError):
        main(["--debug", "models"])

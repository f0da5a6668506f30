"""Commands in messages can be pasted, and a resume is offered only where it can help."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stoker.engine import files
from stoker.engine.errors import InputError, UnknownNameError
from stoker.engine.job import TrainJob
from stoker.engine.rundir import RunDirectory
from stoker.engine.runs.find import find_run
from stoker.engine.status import Handle, Progress, RunState, RunStatus
from stoker.plugins.commands.follow import follow

from .. import tiny
from ..patience import PATIENCE_S
from ..stoker_process import CLI, stoker

OPTIONS = Namespace(quiet=False, json=False)
EPOCH = "epoch 1/3  loss 0.5000  1.00 s"


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """Returns a folder in which stoker is a package, with a script `bin/it's/stoker`."""
    (tmp_path / "stoker").symlink_to(CLI.parent)
    script = tmp_path / "bin" / "it's" / "stoker"
    script.parent.mkdir(parents=True)
    body = f"import sys\nsys.path.insert(0, {str(tmp_path)!r})\nfrom stoker.cli import main\nraise SystemExit(main())\n"
    script.write_text(f"#!/usr/bin/env python\n{body}")
    script.chmod(0o755)
    return tmp_path


@pytest.mark.parametrize(
    ("called", "begins"),
    [
        (f"{shlex.quote(sys.executable)} stoker/cli.py", None),
        (f"{shlex.quote(sys.executable)} -m stoker", None),
        ("python stoker/cli.py -p no:mlflow", None),
        ("bin/it\\'s/stoker", "'bin/it'\"'\"'s/stoker'"),
        ("stoker", "stoker"),
    ],
)
def test_a_command_in_a_message_is_called_as_stoker_was_and_can_be_pasted(
    installed: Path, called: str, begins: str | None
):
    python = Path(sys.executable).parent
    path = f"{installed / 'bin' / chr(105)}t's{os.pathsep}{python}{os.pathsep}{os.environ['PATH']}"

    def run(line: str) -> str:
        return subprocess.run(
            line,
            shell=True,
            cwd=installed,
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            check=True,
            timeout=PATIENCE_S,
        ).stdout

    text = run(f"{called} runs list --runs-dir 'my runs; ü'")
    command = text.strip().partition("start one with: ")[2]
    assert command == f"{begins or called} train --runs-dir 'my runs; ü'"
    assert "stoker would:" in run(f"{command} --dry-run")


def test_a_folder_elsewhere_is_named_by_its_path_and_the_usual_one_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    run = RunDirectory(tmp_path / "here" / "runs" / "a b")
    assert run.command("runs", "show") == "stoker runs show 'a b'"
    run = RunDirectory(tmp_path / "runs" / "a")
    assert run.command("runs", "show") == f"stoker runs show a --runs-dir {shlex.quote(str(tmp_path / 'runs'))}"


class Backend:
    """A run that has ended, with this log."""

    poll_s = 0.0

    def __init__(self, status: RunStatus, log: str, *, here: bool) -> None:
        self._status, self._log, self.runs_here = status, log.encode(), here

    def status(self, handle: Handle) -> RunStatus:
        return self._status

    def logs(self, handle: Handle, offset: int = 0, *, follow: bool = False) -> Iterator[bytes]:
        yield self._log[offset:]


def ended(
    folder: Path, state: RunState, log: str, *, here: bool = True, message: str = "it broke", **status: Any
) -> RunDirectory:
    """Follows a run that has ended."""
    run = RunDirectory.create(folder, TrainJob())
    run.write_handle(Handle(backend="some", reference="x"))
    backend: Any = Backend(RunStatus(state=state, message=message, **status), log, here=here)
    assert follow(run, backend, OPTIONS) == 1
    return run


def test_without_a_checkpoint_no_resume_is_offered(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    for state in (RunState.FAILED, RunState.CANCELLED, RunState.LOST):
        ended(tmp_path, state, "error: it broke\n")
        printed = capsys.readouterr().err
        assert "runs logs" in printed
        assert "--resume" not in printed


@pytest.mark.parametrize(
    ("state", "log", "offered"),
    [
        (RunState.LOST, "", True),
        (RunState.CANCELLED, "", True),
        (RunState.FAILED, f"{EPOCH}\n", True),
        (RunState.FAILED, "error: it broke\n", False),  # as the attempt before, right at its start
    ],
)
def test_with_a_checkpoint_a_resume_is_offered_unless_it_would_fail_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], state: RunState, log: str,
    offered: bool,
):  # fmt: skip
    monkeypatch.setattr("stoker.engine.training.checkpoint.Checkpoints.latest", lambda self, run_id: files)
    run = ended(tmp_path, state, log)
    assert (f"train --resume {run.run_id} --runs-dir" in capsys.readouterr().err) is offered


@pytest.mark.parametrize(("log", "progress"), [(EPOCH, None), ("", Progress(epoch=2, epochs=3, step=0, steps=9))])
def test_elsewhere_finished_epochs_stand_for_a_checkpoint(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], log: str, progress: Progress | None
):
    ended(tmp_path, RunState.LOST, f"{log}\n", here=False, progress=progress)
    assert "--resume" in capsys.readouterr().err
    ended(tmp_path, RunState.LOST, "begun\n", here=False)
    assert "--resume" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("log", "told"),
    [
        ("error: it broke\n  received: x\nhint: y\n", 0),
        ("Traceback …\nmine.Error: it broke\n", 0),
        ("something else\n", 1),
        ("", 1),
    ],
)
def test_an_error_that_the_log_has_shown_is_not_told_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], log: str, told: int
):
    ended(tmp_path, RunState.FAILED, log)
    printed = capsys.readouterr()
    assert printed.err.count("it broke") == told
    assert (printed.out + printed.err).count("it broke") == 1


def test_where_nothing_of_the_log_is_shown_the_error_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(OPTIONS, "quiet", True)
    ended(tmp_path, RunState.FAILED, "error: it broke\n")
    assert "has failed: it broke\n" in capsys.readouterr().err


def test_an_error_about_a_name_counts_the_runs_that_it_does_not_name(tmp_path: Path):
    for _ in range(19):
        RunDirectory.create(tmp_path, TrainJob())
    with pytest.raises(UnknownNameError) as caught:
        find_run(tmp_path, "zebra")
    assert str(caught.value).endswith(", … and 14 more")
    with pytest.raises(InputError) as several:
        find_run(tmp_path, "2")
    assert str(several.value).endswith(", … and 14 more")


def test_an_option_of_another_backend_is_warned_about(tmp_path: Path):
    done = stoker("plan", "--azureml-vm-size", "Standard_X", "--azureml-low-priority", cwd=tmp_path)
    assert done.returncode == 0
    for option in ("--azureml-vm-size", "--azureml-low-priority"):
        assert (
            f"warning: {option} has no effect: it is for the backend azureml, and this job goes to local" in done.stdout
        )
    assert "warning" not in stoker("plan", cwd=tmp_path, STOKER_AZUREML_VM_SIZE="Standard_X").stdout


@pytest.mark.parametrize(
    ("line", "what", "source"),
    [
        ("epochs = 0", "--epochs must be a whole number, 1 or more", "stoker.toml"),
        ("keep = 'best'\nvalidation-fraction = 1.5", "--validation-fraction must be", "stoker.toml"),
        ("model = 'dnnn'", "unknown model: 'dnnn'", ""),
        ("dataset = 'mnits'", "unknown data set: 'mnits'", ""),
        ("backend = 'locl'", "unknown backend: 'locl'", ""),
        ("backend = 'azureml'\n[azureml]\nmax-nodes = 0", "--azureml-max-nodes must be", ""),
    ],
)
def test_a_value_that_no_training_would_take_is_told_by_config_after_the_table(
    tmp_path: Path, line: str, what: str, source: str
):
    (tmp_path / "stoker.toml").write_text(f"{line}\n")
    done = stoker("config", cwd=tmp_path)
    assert done.returncode == 2
    assert "learning-rate" in done.stdout
    assert done.stderr.startswith(f"error: {what}")
    assert source in done.stderr
    done = stoker("config", "--json", cwd=tmp_path)
    assert (done.returncode, "epochs" in json.loads(done.stdout)) == (2, True)
    assert stoker("config", "runs", "list", cwd=tmp_path).returncode == 0


def test_the_source_of_a_bad_value_is_named(tmp_path: Path):
    done = stoker("plan", cwd=tmp_path, STOKER_EPOCHS="0")
    assert done.stderr.endswith("hint: the value comes from STOKER_EPOCHS\n")
    assert "comes from" not in stoker("plan", "--epochs", 0, cwd=tmp_path).stderr


@pytest.mark.parametrize(
    ("fraction", "words"),
    [
        (0.001, ("0.001 holds out no example", "0.001 of 330 training examples", "at least 0.003")),
        (
            0.999,
            ("0.999 holds out every example", "0.999 of 330 training examples", "so that an example is left of 330"),
        ),
    ],
)
def test_a_validation_fraction_that_leaves_nothing_is_refused_with_the_number_of_examples(
    tmp_path: Path, fraction: float, words: tuple[str, ...]
):
    tiny.write(tmp_path / "data")
    done = stoker("train", "--data-folder", "data", "--validation-fraction", fraction, cwd=tmp_path)
    assert done.returncode == 2
    assert not (tmp_path / "runs").exists()
    for each in words:
        assert each in done.stderr


def test_what_others_wrote_is_shown_and_not_obeyed(tmp_path: Path):
    """A message, the name of a run, a path: control characters become their escapes."""
    run = RunDirectory.create(tmp_path / "runs", TrainJob(offline=True), run_id="20260101-000000-a\x1b[2J-000001")
    run.write_handle(Handle(backend="local", reference=str(run.path)))
    run.write_status(RunStatus(state=RunState.FAILED, message="\x1b]0;pwned\x07\x1b[2J\u202ebad"))
    for words in (
        ["runs", "list"],
        ["runs", "show"],
        ["runs", "attach"],
        ["train", "--data-folder", "/no\x1b]0;x\x07"],
    ):
        done = stoker(*words, cwd=tmp_path)
        said = done.stdout + done.stderr
        assert not set(said) & {"\x1b", "\x07", "\u202e"}, words
        assert "\\x1b" in said


def test_a_run_that_another_user_can_write_is_resumed_only_with_trust(tmp_path: Path):
    run = RunDirectory.create(tmp_path / "runs", TrainJob(offline=True, model="evil.py"))
    run.write_status(RunStatus(state=RunState.LOST))
    (run.path / "job.json").chmod(0o666)
    for words in (["train", "--resume", run.run_id], ["plan", "--resume", run.run_id], ["verify-resume", run.run_id]):
        done = stoker(*words, cwd=tmp_path)
        assert done.returncode == 2
        assert "would run as you" in done.stderr
        assert "every user can write it" in done.stderr
        assert "add --trust" in done.stderr
        assert "would run as you" not in stoker(*words, "--trust", cwd=tmp_path).stderr

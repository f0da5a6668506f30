"""The examples do what they say: each of them trains for real, from the command line, on tiny data."""

from __future__ import annotations

import os
import pty
import shlex
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stoker.engine.event import EventKind, RunEvent
from stoker.engine.plugin.discovery import import_file
from stoker.engine.rundir import RunDirectory
from stoker.engine.runs.find import list_runs

from .. import tiny
from ..stoker_process import stoker

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SMALL = ("--first-layer-neurons", 8, "--second-layer-neurons", 8, "--batch-size", 30)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the tiny data set."""
    return tiny.write(tmp_path_factory.mktemp("data"))


def trained(folder: Path) -> RunDirectory:
    """The one run below a folder, which has ended well."""
    (run,) = list_runs(folder / "runs")
    assert run.summary()
    return run


def test_every_example_is_run_by_a_test():
    tested = {"own_model", "own_data", "early_stopping", "notify", "own_dataset"}
    assert {path.stem for path in EXAMPLES.glob("*.py")} == tested


def test_own_model_trains(data: Path, tmp_path: Path):
    model = f"{EXAMPLES}/own_model.py:build"
    done = stoker("train", "--data-folder", data, "--model", model, "--epochs", 1, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "small_cnn" in trained(tmp_path).log.read_text()


def test_own_data_is_written_and_trained_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any):
    example: Any = import_file(EXAMPLES / "own_data.py")
    monkeypatch.chdir(tmp_path)
    example.main(["my stripes; it's $mine"])
    command = shlex.split(capsys.readouterr().out.splitlines()[-1])
    assert command[:2] == ["stoker", "train"]
    done = stoker(*command[1:-1], 5, *SMALL, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "16×16 uint8, 4 classes" in done.stdout
    assert trained(tmp_path).summary().metrics["Final test accuracy"] > 0.9  # type: ignore[union-attr]


def test_early_stopping_ends_the_run_early_with_the_weights_of_the_best_epoch(data: Path, tmp_path: Path):
    done = stoker(
        *("-p", EXAMPLES / "early_stopping.py", "train", "--early-stopping-patience", 2),
        *("--data-folder", data, "--epochs", 60, "--learning-rate", 0.5, *SMALL),
        cwd=tmp_path,
    )
    assert (done.returncode, done.stderr) == (0, "")
    run = trained(tmp_path)
    losses = [line["value"] for line in run.metrics() if line["name"] == "Loss"]
    assert len(losses) < 60
    final = run.summary().metrics["Final test loss"]  # type: ignore[union-attr]
    assert final == pytest.approx(min(losses), rel=1e-4)


@pytest.mark.parametrize("word", ["zero", "0"])
def test_early_stopping_refuses_a_patience_that_is_none(tmp_path: Path, word: str):
    done = stoker(
        *("-p", EXAMPLES / "early_stopping.py", "train", "--dry-run", "--early-stopping-patience", word), cwd=tmp_path
    )
    assert done.returncode == 2
    assert "--early-stopping-patience" in done.stderr


def test_notify_runs_a_command_and_rings_a_terminal_when_the_run_has_ended(data: Path, tmp_path: Path):
    notifier = tmp_path / "notifier.py"
    notifier.write_text("import pathlib, sys\npathlib.Path(sys.argv[1]).write_text(sys.argv[2])\n")
    sent = tmp_path / "sent.txt"
    ours, theirs = pty.openpty()
    done = stoker(
        *("-p", EXAMPLES / "notify.py", "train", "--data-folder", data, "--epochs", 1, *SMALL),
        cwd=tmp_path,
        NOTIFY_COMMAND=shlex.join([sys.executable, str(notifier), str(sent)]),
        NOTIFY_TERMINAL=os.ttyname(theirs),
    )
    assert (done.returncode, done.stderr) == (0, "")
    message = f"{trained(tmp_path).run_id} finished"
    assert sent.read_text() == message
    assert os.read(ours, 1000) == f"\a\r{message}\r\n".encode()
    os.close(ours)
    os.close(theirs)


def test_notify_is_quiet_without_a_command_and_a_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    example: Any = import_file(EXAMPLES / "notify.py")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("NOTIFY_COMMAND", raising=False)
    monkeypatch.setenv("NOTIFY_TERMINAL", str(tmp_path / "closed"))
    for kind in EventKind:
        example.stoker_run_event(RunEvent(kind=kind, run_id="run", data={"message": "why"}))


def write_tables(folder: Path, kind: str) -> Path:
    """Writes the tiny data set as two tables."""
    folder.mkdir()
    for name, count, seed in (("train", 90, 1), ("test", 30, 2)):
        images, labels = tiny.arrays(count, seed)
        if kind == "npz":
            np.savez(folder / f"{name}.npz", images=images, labels=labels)
            continue
        rows = np.column_stack([images.reshape(count, -1) / 255, labels])
        names = ",".join([*(f"pixel{index}" for index in range(rows.shape[1] - 1)), "label"])
        np.savetxt(folder / f"{name}.csv", rows, fmt="%.6g", delimiter=",", header=names, comments="")
    return folder


def table(*arguments: object, cwd: Path) -> tuple[int, str]:
    """Runs stoker with the plugin of the example; the exit code and all that was printed."""
    done = stoker("-p", EXAMPLES / "own_dataset.py", *arguments, cwd=cwd)
    return done.returncode, done.stdout + done.stderr


def test_own_dataset_reads_csv_files_and_trains_on_them(tmp_path: Path):
    write_tables(tmp_path / "tables", "csv")
    arguments = ("train", "--dataset", "table", "--data-folder", "tables", "--epochs", 1, *SMALL)
    code, text = table(*arguments, cwd=tmp_path)
    assert code == 0
    assert "tables: 90 training and 30 test examples, 30 float32, 3 classes" in text
    trained(tmp_path)


def test_own_dataset_reads_npz_files(tmp_path: Path):
    write_tables(tmp_path / "tables", "npz")
    code, text = table("data", "info", "table", "--data-folder", "tables", cwd=tmp_path)
    assert code == 0
    assert "90 examples of uint8 [6, 5]" in text


def test_own_dataset_is_verified_by_its_reader(tmp_path: Path):
    write_tables(tmp_path / "tables", "npz")
    code, text = table("data", "verify", "table", "--data-folder", "tables", cwd=tmp_path)
    assert (code, text) == (0, "these are 90 + 30 examples, all in order\n")


def test_own_dataset_is_listed(tmp_path: Path):
    assert "table " in table("data", "info", cwd=tmp_path)[1]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x,label\n1,0\n2,1.5\n", "whole numbers"),
        ("x,y\n1,0\n", "'label'"),
        ("x,label\n1,zero\n", "zero"),
        ("x,label\n1,7\n", "labels that the training set does not have"),
        ("x,y,label\n1,2,0\n", "don't belong together"),
    ],
)
def test_own_dataset_says_what_is_wrong_with_a_table(tmp_path: Path, text: str, expected: str):
    example: Any = import_file(EXAMPLES / "own_dataset.py")
    (tmp_path / "train.csv").write_text("x,label\n1,0\n2,1\n")
    (tmp_path / "test.csv").write_text(text)
    with pytest.raises(example.DatasetError, match=expected):
        example.TableReader().load(tmp_path)


def test_own_dataset_says_which_table_is_missing(tmp_path: Path):
    code, text = table("train", "--dataset", "table", "--data-folder", tmp_path, cwd=tmp_path)
    assert code == 2
    assert "no train table" in text

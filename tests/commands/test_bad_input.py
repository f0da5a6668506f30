"""Bad input: an error that names the file, what was received, what was expected and what to do; nothing left behind."""

from __future__ import annotations

import gzip
import os
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from stoker.cli import main

from .. import tiny
from ..stoker_process import stoker

IMAGES, LABELS, TEST_LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-labels-idx1-ubyte"


def _swap(data: Path) -> None:
    images, labels = data / IMAGES, data / LABELS
    content = images.read_bytes()
    images.write_bytes(labels.read_bytes())
    labels.write_bytes(content)


def _packed(name: str, cut: int = 0, change: int = 0) -> Callable[[Path], None]:
    """Packs a file, cuts off the end or changes a byte in the middle of it."""

    def damage(data: Path) -> None:
        packed = bytearray(gzip.compress((data / name).read_bytes()))
        packed[len(packed) // 2] ^= change
        (data / name).unlink()
        (data / f"{name}.gz").write_bytes(packed[: len(packed) - cut])

    return damage


def _rewritten(name: str, change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    """Changes the content of a file."""
    return lambda data: (data / name).write_bytes(change((data / name).read_bytes())) and None


# what was done to the data, the file that the error names, and words that it must hold
DATA: dict[str, tuple[Callable[[Path], object], str, tuple[str, ...]]] = {
    "a file is missing": (lambda data: (data / TEST_LABELS).unlink(), TEST_LABELS, ("not all data files were found",)),
    "images and labels swapped": (_swap, IMAGES, ("swapped",)),
    "more labels than images": (
        lambda data: (data / LABELS).write_bytes(tiny.idx(np.zeros(331, np.uint8))),
        LABELS,
        ("331", "330"),
    ),
    "wrong magic": (_rewritten(IMAGES, lambda old: b"\x01\x02" + old[2:]), IMAGES, ("01 02 08 03", "not an IDX file")),
    "gz cut short": (_packed(IMAGES, cut=20), f"{IMAGES}.gz", ("cut off",)),
    "gz changed": (_packed(IMAGES, change=0x55), f"{IMAGES}.gz", ("gz",)),
    "raw cut short": (_rewritten(IMAGES, lambda old: old[:-100]), IMAGES, ("cut off", "9816 bytes", "9916 bytes")),
    "trailing bytes": (
        _rewritten(IMAGES, lambda old: old + b"\0" * 9),
        IMAGES,
        ("9925 bytes", "9916 bytes", "after its end"),
    ),
    "a page in its place": (_rewritten(IMAGES, lambda old: b"<!doctype html><title>Log in</title>"), IMAGES, ("HTML",)),
    "a text in its place": (_rewritten(IMAGES, lambda old: b"Not found\n"), IMAGES, ("text",)),
    "nothing in it": (_rewritten(IMAGES, lambda old: b""), IMAGES, ("empty",)),
    "labels of floats": (
        lambda data: (data / LABELS).write_bytes(
            struct.pack(">HBBI", 0, 0x0D, 1, 330) + np.zeros(330, ">f4").tobytes()
        ),
        LABELS,
        ("float32", "integer"),
    ),
    "a header that claims 2^40 items": (
        lambda data: (data / IMAGES).write_bytes(struct.pack(">HBB3I", 0, 8, 3, 1 << 20, 1 << 10, 1 << 10)),
        IMAGES,
        ("[1048576, 1024, 1024]", "16 bytes"),
    ),
    "a test label that the training set lacks": (
        lambda data: (data / TEST_LABELS).write_bytes(tiny.idx(np.full(60, 7, np.uint8))),
        TEST_LABELS,
        ("7",),
    ),
}


def _listing(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


@pytest.mark.parametrize("damage", DATA)
def test_bad_data_is_refused_and_nothing_is_left_behind(tmp_path: Path, damage: str):
    data = tiny.write(tmp_path / "data")
    change, name, words = DATA[damage]
    change(data)
    before = _listing(tmp_path)
    done = stoker("train", "--data-folder", "data", cwd=tmp_path, STOKER_CACHE_DIR=str(tmp_path / "cache"))
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    for word in (name, *words, "received:", "expected:", "hint:"):
        assert word in done.stderr, f"{word!r} is not in:\n{done.stderr}"
    assert "Traceback" not in done.stderr
    left = {path for path in _listing(tmp_path) - before if not path.startswith("cache")}
    assert left == set()
    assert not [path for path in _listing(tmp_path) if path.endswith((".tmp", ".partial", "idx3-ubyte.raw"))]


OPTIONS = {
    "no such folder": (("--data-folder", "nowhere"), ("nowhere", "no such folder", "hint:")),
    "batch size 0": (("--batch-size", 0), ("--batch-size", "0", "1 or more")),
    "batch size in words": (("--batch-size", "fifty"), ("--batch-size", "fifty", "whole number")),
    "learning rate nan": (("--learning-rate", "nan"), ("--learning-rate", "nan", "0.001")),
    "learning rate 0": (("--learning-rate", 0), ("--learning-rate", "0.001")),
    "no epochs": (("--epochs", 0), ("--epochs", "1 or more")),
    "seed below 0": (("--seed", -1), ("--seed", "-1", "4294967295")),
    "nothing to train on": (("--validation-fraction", 1), ("--validation-fraction", "below 1")),
    "no neurons": (("--first-layer-neurons", 0), ("--first-layer-neurons", "0")),
    "unknown data set": (("--dataset", "mnits"), ("mnits", "did you mean 'mnist'?")),
    "unknown model": (("--model", "dnnn"), ("dnnn", "did you mean 'dnn'?")),
    "unknown backend": (("--backend", "locale"), ("locale", "did you mean 'local'?")),
    "unknown option": (("--epoch", 3), ("--epoch", "--epochs")),
    "no such model file": (
        ("--model", "none.py"),
        ("none.py", "No such file", "hint: check the path given with --model"),
    ),
    "no such plugin file": (
        ("-p", "none.py"),
        ("can't load the plugin none.py", "no such file", "hint: check the path"),
    ),
    "no such run": (("--resume", "20260101"), ("20260101", "there are no runs in runs", " train`")),
    "a name with a slash": (("--name", "a/b"), ("--name must be a name of 1 to 64 letters", "a/b")),
}


@pytest.mark.parametrize("kind", OPTIONS)
def test_bad_options_are_refused_and_nothing_is_left_behind(tmp_path: Path, kind: str):
    arguments, words = OPTIONS[kind]
    done = stoker("train", *arguments, cwd=tmp_path, STOKER_CACHE_DIR=str(tmp_path / "cache"))
    assert done.returncode == 2, done.stderr
    for word in ("error:", *words):
        assert word in done.stderr, f"{word!r} is not in:\n{done.stderr}"
    assert "Traceback" not in done.stderr
    assert _listing(tmp_path) - {"cache"} == set()


@pytest.mark.parametrize(
    ("model", "hint"),
    [("mine", "mine.py"), ("mine:make", "mine.py:make"), ("my net", "'my net.py'"), ("other", ""), ("x" * 5000, "")],
)
def test_an_unknown_model_names_the_form_of_a_file_and_the_file_that_is_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], model: str, hint: str
):
    monkeypatch.chdir(tmp_path)
    for name in ("mine.py", "my net.py"):
        (tmp_path / name).write_text("def build(config): ...\n")
    assert main(["plan", "--model", model]) == 2
    printed = capsys.readouterr().err
    assert ", or FILE.py:FUNCTION\n" in printed
    assert (f"hint: did you mean --model {hint}?\n" if hint else "error:") in printed


def test_runs_are_not_started_below_a_path_that_is_a_file(tmp_path: Path):
    tiny.write(tmp_path / "data")
    (tmp_path / "runs").write_text("")
    done = stoker("train", "--data-folder", "data", cwd=tmp_path)
    assert done.returncode == 2
    assert "can't write" in done.stderr
    assert "hint:" in done.stderr


def test_too_few_labels_for_a_held_out_part_are_reported(tmp_path: Path):
    tiny.write(tmp_path / "data", train=3)
    done = stoker("train", "--data-folder", "data", "--validation-fraction", 0.9, cwd=tmp_path)
    assert done.returncode == 2
    assert "--validation-fraction" in done.stderr


PATHS = (
    *("train --data-folder {}", "train --runs-dir {}", "train --model {}.py", "train --model {}.py:build"),
    *("train --class-weight {}", "train --tensorboard-folder {}", "train --dry-run {}", "-p {}.py plugins"),
    *("runs list --runs-dir {}", "runs fetch --output {}", "models --runs-dir {}", "data verify --data-folder {}"),
)


@pytest.mark.parametrize(
    "words",
    [
        *(
            "train --dry-run --model pipe.py:build",
            "train --dry-run --class-weight pipe.py",
            "-p pipe.py train --dry-run",
        ),
        "train --dry-run --backend azureml --model pipe.py",
        *(
            "train --dry-run --backend azureml --azureml-environment pipe.py",
            "azureml cleanup --azureml-config pipe.py",
        ),
    ],
)
def test_a_pipe_is_refused_and_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: str
):
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe.py")
    assert main(words.split()) == 2
    assert "not a plain file" in capsys.readouterr().err


@pytest.mark.parametrize("words", PATHS)
def test_a_home_folder_of_nobody_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: str
):
    monkeypatch.chdir(tmp_path)
    assert main(words.format("~nosuchuser/x").split()) == 2
    said = capsys.readouterr().err
    assert "there is no home folder of ~nosuchuser" in said
    assert "write ./ in front" in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["runs-dir", "data-folder", "model", "plugin", "class-weight"])
@pytest.mark.parametrize("text", ["./a\\u0000b.py", "~nosuchuser/x.py"])
def test_a_settings_file_with_what_can_be_no_path_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, text: str
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "stoker.toml").write_text(f'{name} = ["{text}"]' if name == "plugin" else f'{name} = "{text}"')
    assert main(["train", "--dry-run"]) == 2
    said = capsys.readouterr().err
    assert "NUL" in said or "there is no home folder of ~nosuchuser" in said

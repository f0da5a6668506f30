"""`stoker data`: what a user sees of data sets, and what happens when something is wrong."""

from __future__ import annotations

import gzip
import hashlib
import os
import pty
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from stoker.datasets import idx
from stoker.datasets.sample_sheet import choose, terminal_sheet, write_png
from stoker.datasets.source.catalogue import CATALOGUE
from stoker.engine.data import Dataset, Split, classes_in_words
from stoker.engine.errors import DatasetError

from ..patience import PATIENCE_S

CLI = Path(__file__).resolve().parents[2] / "cli.py"
NAMES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
PNG = b"\x89PNG\r\n"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Returns an environment without a network: every address goes to a proxy that doesn't exist."""
    nowhere = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), "http://127.0.0.1:9")
    kept = {name: value for name, value in os.environ.items() if name.lower() != "no_proxy"}
    return {**kept, **nowhere, "STOKER_CACHE_DIR": str(tmp_path / "cache"), "COLUMNS": "100"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Writes a small data set into a folder with a difficult name."""
    place = tmp_path / "my data; it's $mine\n数字"
    place.mkdir()
    pixels = np.zeros((6, 8, 8), np.uint8)
    pixels[:, 2:6, 3:5] = 255
    arrays = (pixels, np.arange(6, dtype=np.uint8) % 3, pixels[:3], np.arange(3, dtype=np.uint8))
    for name, array in zip(NAMES, arrays, strict=True):
        idx.write(place / name, array)
    return place


def stoker(environment: dict[str, str], *words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(CLI), "data", *map(str, words)]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=PATIENCE_S, cwd="/", check=False
    )


def said(environment: dict[str, str], *words: str | Path) -> str:
    done = stoker(environment, *words)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def complained(environment: dict[str, str], *words: str | Path) -> str:
    done = stoker(environment, *words)
    assert done.returncode in {1, 2}
    assert done.stderr.startswith("error:")
    assert "hint:" in done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


def test_info_lists_all_data_sets(environment: dict[str, str]) -> None:
    lines = said(environment, "info").splitlines()
    assert {*CATALOGUE, "folder"} <= {line.split()[0] for line in lines}


def test_info_describes_a_folder(environment: dict[str, str], folder: Path) -> None:
    text = said(environment, "info", "--data-folder", folder)
    assert "6 examples of uint8 [8, 8], 2 in each of 3 classes\n" in text
    assert str(folder / NAMES[0]) in text


def relabel(folder: Path, train: list[int], test: list[int]) -> None:
    """Gives the examples of a folder other labels."""
    for name, labels in ((NAMES[1], train), (NAMES[3], test)):
        idx.write(folder / name, np.array(labels, np.uint8))


ODD = {
    "gaps": ([0, 2, 5, 0, 2, 5], [0, 2, 5], "6 (0 to 5; no training example has 1, 3 or 4)"),
    "from one": ([1, 2, 3, 1, 2, 3], [1, 2, 3], "4 (0 to 3; no training example has 0)"),
    "one class": ([0] * 6, [0] * 3, "1 (every training example has the label 0, so there is nothing to learn)"),
    "one class of several": (
        [3] * 6,
        [3] * 3,
        "4 (0 to 3; every training example has the label 3, so there is nothing to learn)",
    ),
    "many gaps": (
        [0, 99] * 3,
        [0, 0, 99],
        "100 (0 to 99; no training example has 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, … and",
    ),
    "usual": ([0, 1, 2, 0, 1, 2], [0, 1, 2], "3\n"),
}


@pytest.mark.parametrize(("train", "test", "words"), ODD.values(), ids=ODD)
def test_info_says_what_is_odd_about_labels(
    environment: dict[str, str], folder: Path, train: list[int], test: list[int], words: str
) -> None:
    relabel(folder, train, test)
    text = said(environment, "info", "--data-folder", folder)
    assert f"{'classes':<10}  {words}" in text
    assert f"in each of {len(set(train))} class" in text


def test_info_counts_the_classes_that_a_split_has(environment: dict[str, str], folder: Path) -> None:
    relabel(folder, [0, 1, 1, 2, 2, 2], [2, 2, 2])
    text = said(environment, "info", "--data-folder", folder)
    assert "6 examples of uint8 [8, 8], 1 to 3 in each of 3 classes\n" in text
    assert "3 examples of uint8 [8, 8], 3 in each of 1 class\n" in text


def test_classes_of_the_test_set_only_are_named_where_a_reader_lets_them_pass() -> None:
    images = np.zeros((3, 2, 2), np.uint8)
    train = Split(images=images, labels=np.array([0, 1, 1], np.int32))
    test = Split(images=images, labels=np.array([0, 3, 4], np.int32))
    odd = Dataset(name="odd", train=train, test=test, classes=5)
    assert (
        classes_in_words(odd) == "5 classes (0 to 4; no training example has 2, 3 or 4; only the test set has 3 and 4)"
    )
    assert classes_in_words(Dataset(name="plain", train=train, test=train, classes=2)) == "2 classes"


def test_info_says_what_the_digest_of_a_compressed_file_is_of(environment: dict[str, str], folder: Path) -> None:
    for name in NAMES:
        (folder / f"{name}.gz").write_bytes(gzip.compress((folder / name).read_bytes()))
    digest = hashlib.sha256((folder / NAMES[0]).read_bytes()).hexdigest()
    for name in NAMES:
        (folder / name).unlink()
    text = said(environment, "info", "--data-folder", folder)
    assert f"{NAMES[0]}.gz  sha256:{digest}, of the content, decompressed\n" in text


def test_info_of_a_bundled_set_reads_the_copy_and_says_nothing_of_a_network(environment: dict[str, str]) -> None:
    text = said(environment, "info", "mnist")
    assert "60,000 examples of uint8 [28, 28]" in text
    assert not any(word in text for word in ("offline", "mirror", "download", "note"))


def test_mnist_is_fetched_described_and_verified_without_a_network(environment: dict[str, str]) -> None:
    text = said(environment, "fetch", "mnist")
    assert "60,000 examples of uint8 [28, 28]" in text
    assert "mirror" not in text
    assert "in the cache, 55 MB" in said(environment, "info")
    text = said(environment, "verify")
    assert text.count("the SHA-256 in stoker's catalogue") == 4
    assert "kmnist" in text.splitlines()[-1]


def test_a_set_that_was_never_fetched_says_how_to_fetch_it(environment: dict[str, str]) -> None:
    assert "data fetch kmnist\n" in said(environment, "info", "kmnist")
    assert "nothing to verify" in said(environment, "verify", "kmnist")
    assert "data fetch kmnist`" in complained(environment, "show", "kmnist", "--offline")


@pytest.mark.parametrize("name", ["kmnist", "fashion-mnist"])
def test_mirrors_that_do_not_answer_are_named_on_a_short_line_each(environment: dict[str, str], name: str) -> None:
    lines = complained(environment, "fetch", name).splitlines()
    assert lines[1] == "  received:"
    faults = lines[2 : next(place for place, line in enumerate(lines) if line.startswith("  expected"))]
    assert [line.split("//")[1].split("/")[0] for line in faults] == [
        mirror.split("//")[1].split("/")[0] for mirror in CATALOGUE[name].mirrors
    ]
    assert all(line.endswith("Connection refused") and len(line) < 250 and "('" not in line for line in faults)


def test_a_folder_is_verified_to_the_last_byte(environment: dict[str, str], folder: Path) -> None:
    text = said(environment, "verify", "--data-folder", folder)
    assert text.count("not from a data set that stoker knows") == 4
    assert "6 + 3 examples, all in order" in text
    assert "is not train-images-idx3-ubyte of mnist" in complained(
        environment, "verify", "mnist", "--data-folder", folder
    )
    (folder / NAMES[1]).write_bytes(b"<html>log in</html>")
    assert "it looks like an HTML page" in complained(environment, "verify", "--data-folder", folder)


def test_wrong_words_are_refused(environment: dict[str, str], folder: Path, tmp_path: Path) -> None:
    assert "did you mean 'mnist'?" in complained(environment, "fetch", "mnits")
    assert "can't be fetched: it is what lies below --data-folder" in complained(environment, "fetch", "folder")
    assert "fashion-mnist, kmnist, mnist" in stoker(environment, "fetch", "foldr").stderr
    for count in ("-1", "0", "301", "60000"):
        assert "--count must be a whole number from 1 to 300" in complained(
            environment, "show", "--data-folder", folder, "--count", count
        )
    assert "PNG" in complained(environment, "show", "--data-folder", folder, "--output", tmp_path / "a.jpg")
    assert "can't write" in complained(environment, "show", "--data-folder", folder, "--output", "/no/such/a.png")


def test_samples_are_drawn_into_a_png(environment: dict[str, str], folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "sheet of 数字.PNG"
    assert said(environment, "show", "--data-folder", folder, "--output", target) == f"wrote {target}\n"
    assert target.read_bytes().startswith(PNG)


def test_samples_are_drawn_as_characters_where_there_are_no_colours(environment: dict[str, str], folder: Path) -> None:
    lines = said(environment, "show", "--data-folder", folder, "--count", "3").splitlines()
    assert lines[0].split() == ["0", "1", "2"]
    assert "@@" in lines[2]
    assert "\x1b" not in "".join(lines)


def test_samples_are_drawn_in_colours_on_a_terminal(environment: dict[str, str], folder: Path) -> None:
    environment |= {"TERM": "xterm-256color", "COLORTERM": "truecolor", "PYTHONUTF8": "1"}
    environment.pop("NO_COLOR", None)
    ours, theirs = pty.openpty()
    command = [sys.executable, str(CLI), "data", "show", "--data-folder", str(folder), "--count", "3"]
    with subprocess.Popen(command, env=environment, stdout=theirs, stderr=subprocess.PIPE, cwd="/") as process:
        os.close(theirs)
        drawn = b""
        while piece := _read(ours):
            drawn += piece
        assert process.wait(PATIENCE_S) == 0
    os.close(ours)
    assert "▀▀".encode() in drawn
    assert b"\x1b[38;2;255;255;255" in drawn


def _read(descriptor: int) -> bytes:
    """Returns what a terminal shows next; its end is an error on Linux."""
    try:
        return os.read(descriptor, 65_536)
    except OSError:
        return b""


def dataset(images: np.ndarray, name: str = "some") -> Dataset:
    labels = np.arange(len(images), dtype=np.int32) % 3
    split = Split(images=images, labels=labels)
    return Dataset(name=name, train=split, test=split, classes=3)


@pytest.mark.parametrize("name", ["$x^{", "a\nb", "数字", "<b>[red]"])
@pytest.mark.parametrize("shape", [(7, 5, 4), (7, 5, 4, 1), (7, 5, 4, 3), (7, 5, 4, 4)])
def test_pictures_of_any_kind_and_name_are_drawn(tmp_path: Path, name: str, shape: tuple[int, ...]) -> None:
    images = np.linspace(-1, 3, int(np.prod(shape)), dtype=np.float32).reshape(shape)
    write_png(dataset(images, name), "train", 5, tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(PNG)
    lines = terminal_sheet(dataset(images, name), "test", 5, width=10, colours=False)
    assert all(line.cell_len <= 14 for line in lines)


def test_examples_that_are_no_pictures_are_not_drawn(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="can't be drawn"):
        write_png(dataset(np.zeros((4, 9), np.uint8)), "train", 3, tmp_path / "a.png")
    assert list(tmp_path.iterdir()) == []


def test_samples_show_each_class_in_turn() -> None:
    labels = np.array([5, 5, 1, 5, 1, 9], np.int32)
    split = Split(images=np.zeros((6, 2, 2), np.uint8), labels=labels)
    assert labels[choose(split, 100)].tolist() == [1, 5, 9, 1, 5, 5]
    assert choose(split, 2) == [2, 0]

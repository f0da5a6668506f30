"""The benchmarks: how contenders take turns, what is made of the measurements, and that the contenders train."""

from __future__ import annotations

import json
import py_compile
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stoker.benchmarks import command, corpus, phases, process, report
from stoker.benchmarks.bench import Bench, Laps
from stoker.benchmarks.contest import ContenderError, Contest, hold
from stoker.benchmarks.corpus import Corpus
from stoker.benchmarks.machine import describe, in_words
from stoker.benchmarks.peer import load
from stoker.benchmarks.section import Section, Target
from stoker.benchmarks.sections import batch, epoch, heavy
from stoker.benchmarks.task import Task

FOLDER = Path(command.__file__).resolve().parent
SCRIPTS = sorted(FOLDER.rglob("*.py"))
PEERS = sorted(path.stem for path in (FOLDER / "peers").glob("*.py") if path.stem != "networks")


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with 600 images of MNIST to train on, and 200 to test with."""
    return Corpus(tmp_path_factory.mktemp("corpus")).part(600, 200)


class PretendBench:
    """Stands for `Bench`: no process is started, and JAX is not installed."""

    full = False

    def __init__(self, tmp_path: Path, accuracy: float = 0.97) -> None:
        self.corpus = Corpus(tmp_path)
        self.trained: list[str] = []
        self._accuracy = accuracy

    def versions(self, name: str) -> dict[str, str]:
        return {package: "" if package == "jax" else "1.2" for package in load(name).NEEDS}

    def train(self, name: str, data: Path, **terms: Any) -> list[Laps]:
        if name == "torch_compile":
            raise ContenderError("no compiler")
        self.trained.append(name)
        took = {"stoker_train": 0.5, "keras_fit": 2.5}.get(name, 1.0)
        return [Laps(laps_s=[9.0, took, took], accuracy=self._accuracy)]


def test_contenders_take_turns():
    turns: list[str] = []

    def measure(name: str) -> list[float]:
        turns.append(name)
        return [1.0]

    hold("ABC", 3, measure)
    assert "".join(turns) == "ABCABCABC"


def test_a_contender_that_fails_is_named_and_left_out():
    def measure(name: str) -> list[float]:
        if name == "B":
            raise ContenderError("it can't")
        return [1.0]

    contest = hold("ABC", 2, measure)
    assert contest.failed == {"B": "it can't"}
    assert contest.rounds == {"A": [[1.0], [1.0]], "C": [[1.0], [1.0]]}


def test_a_machine_that_slows_down_does_not_change_ratios():
    contest = Contest(rounds={"A": [[1.0], [2.0], [4.0]], "B": [[3.0], [6.0], [12.0]]}, failed={})
    ratio = contest.ratio("B", "A")
    assert (ratio.value, ratio.low, ratio.high) == (3.0, 3.0, 3.0)


def test_one_disturbed_measurement_does_not_change_the_median():
    contest = Contest(rounds={"A": [[1.0, 1.1], [1.2, 50.0], [1.0, 1.2]]}, failed={})
    assert contest.median("A") == pytest.approx(1.15)
    assert contest.shortest("A") == 1.0


@pytest.mark.parametrize(
    ("measured", "least", "met"), [(4.6, True, True), (4.4, True, False), (4.4, False, True), (4.6, False, False)]
)
def test_a_target_is_reached_on_its_side_of_the_limit(measured: float, least: bool, met: bool):
    assert Target(what="x", measured=measured, limit=4.5, least=least).met is met


def test_the_epoch_section_names_who_is_missing_and_why(tmp_path: Path):
    section = epoch.measure(PretendBench(tmp_path))  # type: ignore[arg-type]
    assert "JAX and optax, lax.scan is missing: jax not installed." in section.notes
    assert "PyTorch, torch.compile of the step is missing: no compiler." in section.notes
    assert section.rows[0][0] == "stoker"
    assert {target.what: target.met for target in section.targets}["the tutorial's epoch, in stoker's"]


def test_a_contender_that_learns_nothing_does_not_take_part(tmp_path: Path):
    section = epoch.measure(PretendBench(tmp_path, accuracy=0.4))  # type: ignore[arg-type]
    assert section.rows == []
    assert "stoker is missing: its accuracy is 0.400 after 3 epochs, below 0.96." in section.notes


def test_batch_sizes_and_heavy_models_make_tables(tmp_path: Path):
    bench = PretendBench(tmp_path)
    assert [row[0] for row in batch.measure(bench).rows] == ["50", "128", "512", "4,096"]  # type: ignore[arg-type]
    assert all(target.met for target in heavy.measure(bench).targets)  # type: ignore[arg-type]


def results(tmp_path: Path) -> dict[str, Any]:
    """Results as a run gives them."""
    bench = PretendBench(tmp_path)
    sections = [section.measure(bench).to_json() for section in (epoch, batch)]  # type: ignore[arg-type]
    return {"machine": describe(), "seconds": 90, "sections": sections}


def test_results_are_written_as_a_page_as_json_and_as_charts(tmp_path: Path):
    written = report.write(tmp_path / "out", results(tmp_path))
    assert [path.name for path in written] == ["results.json", "table.md", "epoch.svg", "batch.svg"]
    assert json.loads(written[0].read_text())["sections"][0]["name"] == "epoch"
    page = written[1].read_text()
    assert "| the tutorial's epoch, in stoker's | 5.00× | at least 4.5× | yes |" in page
    assert in_words(describe()).partition(" load")[0] in page
    assert all("<svg" in path.read_text() for path in written[2:])


def test_a_section_that_is_measured_again_stands_beside_the_others_with_its_own_machine(tmp_path: Path):
    before = results(tmp_path)
    one, *others = [section["name"] for section in before["sections"]]
    machine = {**before["machine"], "date": "2030-01-02"}
    again = {**before["sections"][0], "title": "Again"}
    found = report.beside({"machine": machine, "seconds": 5, "sections": [again]}, before, [*others, one])
    assert [section["name"] for section in found["sections"]] == [*others, one]
    assert found["seconds"] == before["seconds"] + 5
    page = report.table(found)
    assert page.count("Measured apart: ") == 1
    assert "2030-01-02" in page.partition("## Again")[2]


def test_a_chart_of_the_same_results_has_the_same_bytes(tmp_path: Path):
    found = results(tmp_path)
    one, two = (report.write(tmp_path / name, found) for name in ("one", "two"))
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two]


def test_a_cell_with_a_bar_stays_one_cell(tmp_path: Path):
    section = Section(name="x", title="X", columns=("a", "b"), rows=[["1|2", "3"]])
    page = report.table({"machine": describe(), "seconds": 1, "sections": [section.to_json()]})
    assert "| 1\\|2 | 3 |" in page


def test_a_process_is_measured_from_start_to_exit(tmp_path: Path):
    body = "import sys; held = b'x' * 50_000_000; print(sum(held[:3]))"
    finished = process.run([sys.executable, "-c", body], tmp_path)
    assert finished.output == "360\n"
    assert finished.memory_bytes > 50_000_000
    assert 0 < finished.seconds < 60


def test_a_process_that_fails_says_why(tmp_path: Path):
    with pytest.raises(ContenderError, match=r"^ValueError: no good$"):
        process.run([sys.executable, "-c", "raise ValueError('no good')"], tmp_path)


def test_settings_of_the_user_do_not_reach_a_contender(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("STOKER_EPOCHS", "99")
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "0")
    body = "import os; print(sorted(name for name in os.environ if name.startswith(('STOKER_', 'TF_'))))"
    assert process.run([sys.executable, "-c", body], tmp_path, {"STOKER_OFFLINE": "true"}).output == (
        "['STOKER_OFFLINE']\n"
    )


def test_the_steps_of_the_tutorial_are_distinguished():
    lines = ("mark import 12", "mark build 13", "mark epoch 16", "a line", "mark epoch 18", "mark save 19")
    finished = process.Finished(started_s=10.0, seconds=10.5, memory_bytes=0, private_bytes=0, output="\n".join(lines))
    steps, first = phases.of_tutorial(finished)
    assert steps == {"import": 2.0, "build": 1.0, "epoch": 5.0, "save": 1.0, "exit": 1.5}
    assert first == 6.0
    assert phases.last_epoch(finished) == 2.0


def test_the_large_set_is_the_small_one_moved_about(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(corpus, "SHIFTS", ((0, 0), (1, -1)))
    made = Corpus(tmp_path)
    large, whole = (Task(data=folder, epochs=1) for folder in (made.tenfold(), made.whole()))
    images, copied = whole.images("train"), large.images("train")
    assert copied.shape == (120_000, 28, 28)
    assert (copied[:60_000:999] == images[::999]).all()
    assert (copied[60_000] == np.roll(images[0], (1, -1), (0, 1))).all()
    assert (large.labels("train") == np.tile(whole.labels("train"), 2)).all()


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_each_script_compiles(path: Path, tmp_path: Path):
    py_compile.compile(str(path), str(tmp_path / "compiled"), doraise=True)


@pytest.mark.parametrize("name", PEERS)
def test_each_contender_says_what_it_is_and_needs(name: str):
    module = load(name)
    assert module.TITLE
    assert module.DIFFERS
    assert isinstance(module.NEEDS, Sequence)
    assert callable(module.train)


def test_numpy_by_hand_learns(small: Path):
    task = Task(data=small, epochs=6)
    load("numpy_hand").train(task)
    assert len(task.laps_s) == 6
    assert task.accuracy > 0.75


@pytest.mark.parametrize("name", [epoch.STOKER, epoch.TUTORIAL])
def test_stoker_and_the_tutorial_train_as_contenders(name: str, small: Path, tmp_path: Path):
    (laps,) = Bench(work=tmp_path, peers=sys.executable).train(name, small, epochs=4)
    assert len(laps.laps_s) == 4
    assert len(laps.warm_s) == 3
    assert laps.accuracy > 0.6


def test_a_package_that_is_not_there_has_no_version(tmp_path: Path):
    found = Bench(work=tmp_path, peers=sys.executable).versions("keras_fit")
    assert set(found) == {"tensorflow", "keras"}
    assert all(found.values())


def test_a_section_that_does_not_exist_is_refused(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit, match="2"):
        command.main(["epok"])
    assert "there is no section epok; there are epoch, whole, memory, batch, cost, heavy" in capsys.readouterr().err

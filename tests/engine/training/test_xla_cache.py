"""Compiled programs: a later run finds them again, and skips those that are damaged or of another machine or user."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from stoker.engine.cache import VARIABLE
from stoker.engine.job import TrainJob
from stoker.engine.runs.find import list_runs
from stoker.engine.training import environment, xla_cache
from stoker.engine.training.xla_cache import XlaCache

from ... import tiny
from ...stoker_process import stoker

JOB = ("--epochs", 2, "--batch-size", 20, "--first-layer-neurons", 12, "--second-layer-neurons", 8)


MODEL = """
from stoker.models.dnn import build as dnn

def build(config):
    model = dnn(config)  # so few steps that XLA would not pay, but asked for
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"], jit_compile=True)
    return model
"""


@pytest.fixture
def cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, in a process that TensorFlow is said not to be in."""
    monkeypatch.setenv(VARIABLE, str(tmp_path / "cache"))
    monkeypatch.delenv("TF_XLA_FLAGS", raising=False)
    monkeypatch.delitem(xla_cache.sys.modules, "tensorflow", raising=False)
    return tmp_path / "cache" / "programs"


def kept(folder: Path) -> list[Path]:
    """The programs in a cache."""
    return sorted(folder.glob("*/*.pb.*"))


def compile_in(own: Path, job: TrainJob, **made: bytes) -> set[str]:
    """A run that compiles some programs; the names of those that it found."""
    with XlaCache(job, own) as here:
        found = {path.name for path in own.iterdir()}
        for name, content in made.items():
            (own / f"{name}.pb").write_bytes(content)
        here.store()
    assert not own.exists()
    return found


def test_a_later_run_compiles_nothing_and_ends_with_the_same_bits(tmp_path: Path):
    place = tmp_path / 'a "folder" of\tmine'
    tiny.write(place / "data")
    (place / "model.py").write_text(MODEL)
    found = []
    for attempt in ("first", "second", "damaged"):
        done = stoker(
            *("train", "--data-folder", "data", *JOB, "--model", "model.py", "--runs-dir", attempt),
            cwd=place,
            **{VARIABLE: f"{place}/c"},
        )
        assert (done.returncode, done.stderr) == (0, "")
        (run,) = list_runs(place / attempt)
        assert not (run.path / ".programs").exists()
        bits = hashlib.sha256((run.checkpoints / "000002" / "variables.npz").read_bytes()).hexdigest()
        states = {path.name: path.stat().st_ino for path in kept(place / "c" / "programs")}
        found.append((bits, states))
        if attempt == "second":
            for path in kept(place / "c" / "programs"):
                path.write_bytes(path.read_bytes()[:-100])
    assert len({bits for bits, _ in found}) == 1
    assert found[0][1] == found[1][1] != {}
    assert len(found[2][1]) == len(found[0][1])
    assert not set(found[2][1].values()) & set(found[0][1].values())


def test_a_run_finds_what_an_earlier_one_of_the_same_model_compiled(cache_folder: Path, tmp_path: Path):
    assert compile_in(tmp_path / "own", TrainJob(), a=b"code", b=b"more") == set()
    assert compile_in(tmp_path / "own", TrainJob(seed=7)) == {"a.pb", "b.pb"}
    assert compile_in(tmp_path / "own", TrainJob(threads=7)) == set()
    assert compile_in(tmp_path / "own", TrainJob(model="other")) == set()


@pytest.mark.parametrize(("field", "value"), [("model name", "other"), ("flags", "sse2")])
def test_another_processor_has_programs_of_its_own(
    cache_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, field: str, value: str
):
    compile_in(tmp_path / "own", TrainJob(), a=b"code")
    real = environment._of_processor
    monkeypatch.setattr(environment, "_of_processor", lambda asked: value if asked == field else real(asked))
    assert compile_in(tmp_path / "own", TrainJob()) == set()


def test_a_damaged_program_is_removed_and_compiled_again(cache_folder: Path, tmp_path: Path):
    compile_in(tmp_path / "own", TrainJob(), a=b"code", b=b"more")
    damaged = next(path for path in kept(cache_folder) if path.name.startswith("a"))
    damaged.write_bytes(b"c0de")
    assert compile_in(tmp_path / "own", TrainJob(), a=b"code") == {"b.pb"}
    assert [path.read_bytes() for path in kept(cache_folder)] == [b"code", b"more"]


def test_a_program_of_somebody_else_is_not_run(cache_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    compile_in(tmp_path / "own", TrainJob(), a=b"code", b=b"more")
    kept(cache_folder)[0].chmod(0o666)
    assert compile_in(tmp_path / "own", TrainJob()) == {"b.pb"}
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    assert compile_in(tmp_path / "own", TrainJob()) == set()


def test_the_oldest_programs_go_when_there_are_too_many(
    cache_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(xla_cache, "MOST_BYTES", 10)
    for age, name in enumerate(("old", "middle", "new")):
        compile_in(tmp_path / "own", TrainJob(model=name), **{name: b"four"})
        for path in cache_folder.glob(f"*/{name}.pb.*"):
            os.utime(path, (age, age))
    compile_in(tmp_path / "own", TrainJob(model="newest"), newest=b"four")
    assert {path.name.partition(".")[0] for path in kept(cache_folder)} == {"new", "newest"}


def test_flags_of_the_users_own_are_left_alone(cache_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TF_XLA_FLAGS", "--tf_xla_auto_jit=2")
    with XlaCache(TrainJob(), tmp_path / "own") as here:
        assert os.environ["TF_XLA_FLAGS"] == "--tf_xla_auto_jit=2"
        assert not (tmp_path / "own").exists()
        here.store()
    assert not cache_folder.exists()


def test_a_cache_that_can_not_be_written_stops_nothing(cache_folder: Path, tmp_path: Path):
    cache_folder.parent.mkdir()
    cache_folder.write_text("in the way")
    with XlaCache(TrainJob(), tmp_path / "own") as here:
        here.store()
    cache_folder.unlink()
    assert compile_in(tmp_path / "own", TrainJob(), a=b"code") == set()
    assert compile_in(tmp_path / "own", TrainJob()) == {"a.pb"}


def test_what_a_killed_run_left_behind_is_cleared_away(cache_folder: Path, tmp_path: Path):
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "torn.pb").write_bytes(b"to")
    assert compile_in(tmp_path / "own", TrainJob()) == set()

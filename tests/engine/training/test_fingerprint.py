"""What a run is made from beside its job has digests: the user's own code, and the data."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from stoker.engine.data import Dataset, Split
from stoker.engine.files import sha256_file
from stoker.engine.plugin.discovery import import_file
from stoker.engine.training.environment import drift
from stoker.engine.training.fingerprint import code_digests, data_digest


def dataset(**changed: Any) -> Dataset:
    images = np.arange(5000 * 6, dtype=np.uint8).reshape(5000, 2, 3)
    labels = np.arange(5000, dtype=np.int32) % 4
    parts = {"images": images, "labels": labels} | changed
    test = Split(images=images[:100], labels=labels[:100])
    return Dataset(name="x", train=Split(**parts), test=test, classes=4)


def test_the_data_have_one_digest_however_often_they_are_read():
    assert data_digest(dataset()) == data_digest(dataset())


def test_one_label_makes_another_digest():
    labels = dataset().train.labels.copy()
    labels[3001] = 0
    assert data_digest(dataset(labels=labels)) != data_digest(dataset())


@pytest.mark.parametrize(
    "images",
    [
        dataset().train.images + 1,
        dataset().train.images.astype("int8"),
        dataset().train.images.reshape(5000, 3, 2),
    ],
    ids=["values", "dtype", "shape"],
)
def test_other_examples_make_another_digest(images: Any):
    assert data_digest(dataset(images=images)) != data_digest(dataset())


def test_examples_that_are_large_are_looked_at_in_part(monkeypatch: pytest.MonkeyPatch):
    class Counted(np.ndarray[Any, Any]):
        rows = 0

        def __getitem__(self, key: Any) -> Any:
            if isinstance(key, np.ndarray):
                Counted.rows += len(key)
            return super().__getitem__(key)

    images = np.zeros((600, 1024, 64), np.uint8).view(Counted)
    data_digest(dataset(images=images, labels=np.zeros(600, np.int32)))
    assert Counted.rows == 64  # 4 MiB of 64 KiB each


def test_the_users_files_and_the_modules_that_they_import_have_digests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "beside_own.py").write_text("VALUE = 1\n")
    (tmp_path / "own.py").write_text("import json, numpy, beside_own\n")
    before = code_digests()
    import_file(tmp_path / "own.py")
    new = {name: digest for name, digest in code_digests().items() if name not in before}
    assert new == {
        name: sha256_file(tmp_path / path) for name, path in (("own.py", "own.py"), ("beside_own", "beside_own.py"))
    }
    del sys.modules["beside_own"]


def test_files_of_one_name_are_both_there(tmp_path: Path):
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "same.py").write_text(f"WHERE = {folder!r}\n")
        import_file(tmp_path / folder / "same.py")
    digests = code_digests()
    assert digests["same.py"] == sha256_file(tmp_path / "one" / "same.py")
    assert digests["same.py (2)"] == sha256_file(tmp_path / "two" / "same.py")


@pytest.mark.parametrize("name", ["__autograph_generated_filexyz", "__mp_main__", "stoker.own"])
def test_what_tracing_and_starting_leave_among_the_modules_is_not_the_users(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
):
    path = tmp_path / "left.py"
    path.write_text("")
    module = ModuleType(name)
    module.__file__ = str(path)
    before = code_digests()
    monkeypatch.setitem(sys.modules, name, module)
    assert code_digests() == before


def test_a_module_that_is_imported_when_it_is_asked_stays_as_it_is(monkeypatch: pytest.MonkeyPatch):
    class Lazy(ModuleType):
        def __getattr__(self, name: str) -> Any:
            raise ImportError("it is not installed")

    monkeypatch.setitem(sys.modules, "lazy", Lazy("lazy"))
    assert "lazy" not in code_digests()


def test_only_what_both_attempts_have_imported_can_have_changed():
    before = {"code": {"a": "1", "b": "2"}}
    assert drift(before, {"code": {"a": "1", "c": "3"}}) == []
    assert drift(before, {"code": {"a": "9"}}) == ["the code of a has changed"]


def test_any_dtype_has_a_digest():
    import ml_dtypes

    images = np.zeros((5000, 2, 3), ml_dtypes.bfloat16)
    assert len(data_digest(dataset(images=images))) == 64


def test_neither_python_nor_packages_nor_stoker_are_the_users_code():
    assert [name for name in code_digests() if name.partition(".")[0] in {"stoker", "numpy", "json", "keras"}] == []

"""Rows are the same whether they are taken from memory, from a mapping, or read from a large file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from stoker.engine.errors import StorageError
from stoker.engine.training import gather
from stoker.engine.training.gather import row_reader

from ...conftest import ROOT

COUNT, SHAPE = 50, (3, 4)


@pytest.fixture(autouse=True)
def _every_file_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gather, "LARGE_BYTES", 0)


def write(path: Path, dtype: str, header: bytes = b"some header") -> NDArray[Any]:
    """A file with a header and numbers, and the numbers."""
    numbers = np.random.default_rng(0).integers(0, 200, (COUNT, *SHAPE)).astype(dtype)
    path.write_bytes(header + numbers.tobytes())
    return numbers


def taken(array: NDArray[Any], which: NDArray[np.int64]) -> NDArray[Any]:
    """Some rows of an array, in a block with room for more."""
    block = np.full((len(which) + 3, *SHAPE), 99, array.dtype.newbyteorder("="))
    row_reader(array)(which, block)
    assert (block[len(which) :] == 99).all()
    return block[: len(which)]


@pytest.mark.parametrize("dtype", ["u1", "<f4", ">f4", ">i2"])
@pytest.mark.parametrize("kind", ["memory", "map", "slice of a map", "view of a map", "map with an offset"])
def test_rows_are_those_of_the_array(tmp_path: Path, dtype: str, kind: str):
    numbers = write(tmp_path / "file", dtype)
    offset = len(b"some header")
    whole = np.memmap(tmp_path / "file", np.uint8, "r")
    array = {
        "memory": numbers,
        "map": np.memmap(tmp_path / "file", dtype, "r", offset, numbers.shape),
        "slice of a map": whole[offset:].view(dtype).reshape(numbers.shape),
        "view of a map": np.asarray(whole[offset:]).view(dtype).reshape(numbers.shape),
        "map with an offset": np.memmap(tmp_path / "file", dtype, "r", offset, numbers.shape)[10:],
    }[kind]
    assert (gather._reader(array) is None) == (kind == "memory")
    which = np.random.default_rng(1).permutation(len(array))[:20]
    np.testing.assert_array_equal(taken(array, which), array[which])


def test_rows_that_do_not_lie_together_come_from_the_mapping(tmp_path: Path):
    numbers = write(tmp_path / "file", "u1", b"")
    array = np.memmap(tmp_path / "file", np.uint8, "r", shape=numbers.shape)[::2]
    assert gather._reader(array) is None
    np.testing.assert_array_equal(taken(array, np.array([3, 1])), numbers[::2][[3, 1]])


def test_a_file_that_another_has_replaced_is_not_read(tmp_path: Path):
    numbers = write(tmp_path / "file", "u1", b"")
    array = np.memmap(tmp_path / "file", np.uint8, "r", shape=numbers.shape)
    (tmp_path / "other").write_bytes(bytes(numbers.nbytes))
    (tmp_path / "other").replace(tmp_path / "file")
    np.testing.assert_array_equal(taken(array, np.array([5, 6])), numbers[5:7])
    (tmp_path / "file").unlink()
    np.testing.assert_array_equal(taken(array, np.array([5, 6])), numbers[5:7])


def test_a_file_that_is_cut_short_is_an_error_that_names_it(tmp_path: Path):
    numbers = write(tmp_path / "file", "u1", b"")
    array = np.memmap(tmp_path / "file", np.uint8, "r", shape=numbers.shape)
    take = row_reader(array)
    with (tmp_path / "file").open("r+b") as stream:
        stream.truncate(100)
    with pytest.raises(StorageError, match="cut short") as caught:
        take(np.array([COUNT - 1]), np.empty((1, *SHAPE), np.uint8))
    assert caught.value.path == str(tmp_path / "file")


def test_reading_leaves_the_file_out_of_the_memory_of_the_process(tmp_path: Path):
    path = tmp_path / "large"
    with path.open("wb") as stream:
        stream.truncate(200 << 20)
    script = f"""
import resource, runpy
runpy.run_path({str(ROOT / "tests" / "conftest.py")!r})
import numpy as np
from stoker.engine.training.gather import row_reader
array = np.memmap({str(path)!r}, np.uint8, "r", shape=(50 << 12, 1024))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
order = np.random.default_rng(0).permutation(len(array))
take, block = row_reader(array), np.empty((4096, 1024), np.uint8)
for first in range(0, len(order), len(block)):
    take(order[first : first + len(block)], block)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    grown = int(subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout)
    assert grown * (1 if sys.platform == "darwin" else 1024) < 30 << 20

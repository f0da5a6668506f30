"""The IDX format: what is written is read back, and a damaged file is refused with a reason and a remedy."""

from __future__ import annotations

import contextlib
import gzip
import os
import random
import struct
import threading
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as numpy_strategies

from stoker.datasets import idx
from stoker.engine.errors import DatasetError

NAMES = ("uint8", "int8", "int16", "int32", "float32", "float64")
IMAGES = struct.pack(">HBBIII", 0, 8, 3, 2, 3, 4) + bytes(range(24))
HOSTILE = ("a b.idx", 'it\'s "quoted".idx', "semi;colon & $HOME.idx", "new\nline.idx", "Ziffern-数字-é.idx")


def file_with(folder: Path, content: bytes, name: str = "train-images-idx3-ubyte") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def refused(path: Path) -> DatasetError:
    """Returns the error of a file that nothing may accept; it has all that a user needs."""
    with pytest.raises(DatasetError) as caught:
        idx.read(path)
    error = caught.value
    assert str(path) in error.what
    assert error.path == str(path)
    assert error.received
    assert error.expected
    assert error.hint
    return error


arrays = st.sampled_from(NAMES).flatmap(
    lambda name: numpy_strategies.arrays(
        np.dtype(name), numpy_strategies.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4)
    )
)


@settings(max_examples=150, deadline=None)
@given(array=arrays, suffix=st.sampled_from(("", ".gz")))
def test_what_is_written_is_read_back(array: np.ndarray, suffix: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("roundtrip", numbered=True) / f"array{suffix}"
    idx.write(path, array)
    found = idx.read(path)
    assert found.dtype == array.dtype
    assert found.shape == array.shape
    assert found.tobytes() == array.tobytes()
    assert found.flags.writeable
    assert idx.read_header(path).shape == array.shape
    if not suffix:
        mapped = idx.open_mapped(path)
        assert mapped.shape == array.shape
        assert mapped.astype(array.dtype).tobytes() == array.tobytes()


@settings(max_examples=300, deadline=None)
@given(content=st.binary(max_size=80), compress=st.booleans())
@example(content=b"", compress=True)
@example(content=b"\x1f\x8b", compress=False)
@example(content=bytes((0, 0, 0x0E, 255)), compress=False)
def test_no_bytes_raise_anything_but_a_dataset_error(
    content: bytes, compress: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    header = bytes((0, 0)) if content[:1] < b"\x80" else b""
    path = tmp_path_factory.mktemp("fuzz", numbered=True) / "file"
    path.write_bytes(gzip.compress(header + content) if compress else header + content)
    for read in (idx.read, idx.open_mapped, idx.read_header):
        with contextlib.suppress(DatasetError):
            read(path)


def test_the_bytes_are_those_that_the_format_describes(tmp_path: Path) -> None:
    idx.write(tmp_path / "a", np.array([[1, 2, 3], [-1, 256, 0]], np.int16))
    expected = bytes((0, 0, 0x0B, 2, 0, 0, 0, 2, 0, 0, 0, 3)) + bytes((0, 1, 0, 2, 0, 3, 255, 255, 1, 0, 0, 0))
    assert (tmp_path / "a").read_bytes() == expected


def test_gzip_is_recognized_by_content_and_not_by_name(tmp_path: Path) -> None:
    assert idx.read(file_with(tmp_path, gzip.compress(IMAGES), "raw-by-its-name")).shape == (2, 3, 4)
    assert idx.read(file_with(tmp_path, IMAGES, "compressed-by-its-name.gz")).shape == (2, 3, 4)


def test_gzip_of_several_members_is_one_file(tmp_path: Path) -> None:
    path = file_with(tmp_path, gzip.compress(IMAGES[:20]) + gzip.compress(IMAGES[20:]))
    assert idx.read(path).tobytes() == IMAGES[16:]


def test_a_mapped_file_is_not_copied_and_not_written(tmp_path: Path) -> None:
    path = tmp_path / "large"
    with path.open("wb") as stream:
        stream.write(struct.pack(">HBBI", 0, 0x0D, 1, 1 << 26))
        stream.truncate(8 + (4 << 26))
    tracemalloc.start()
    mapped = idx.open_mapped(path)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert mapped.dtype == np.dtype(">f4")
    assert mapped.nbytes == 256 << 20
    assert peak_bytes < 1 << 20
    with pytest.raises(ValueError, match="read-only"):
        mapped[0] = 1


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_read_and_written(tmp_path: Path, name: str) -> None:
    idx.write(tmp_path / name, np.arange(6, dtype=np.uint8))
    assert idx.read(tmp_path / name).tolist() == list(range(6))
    assert idx.open_mapped(tmp_path / name).tolist() == list(range(6))
    refused(file_with(tmp_path, b"no", name))


@pytest.mark.parametrize("compress", [False, True])
def test_a_file_cut_off_anywhere_is_refused(tmp_path: Path, compress: bool) -> None:
    content = gzip.compress(IMAGES) if compress else IMAGES
    for size in range(len(content)):
        error = refused(file_with(tmp_path, content[:size]))
        assert error.what.startswith(("the IDX file", "the gzip file", str(tmp_path)))


def test_a_gzip_file_with_a_flipped_bit_is_refused_or_unharmed(tmp_path: Path) -> None:
    content = gzip.compress(IMAGES)
    for position in range(len(content)):
        damaged = bytearray(content)
        damaged[position] ^= 1 << random.Random(position).randrange(8)
        path = file_with(tmp_path, bytes(damaged))
        with contextlib.suppress(DatasetError):
            assert idx.read(path).tobytes() == IMAGES[16:]


def test_a_wrong_checksum_of_gzip_is_refused(tmp_path: Path) -> None:
    content = bytearray(gzip.compress(IMAGES))
    content[-8] ^= 0xFF
    assert "CRC" in refused(file_with(tmp_path, bytes(content))).received


@pytest.mark.parametrize("extra", [b"\0", b"\n", b"x" * 5000])
@pytest.mark.parametrize("compress", [False, True])
def test_bytes_after_the_end_are_refused(tmp_path: Path, extra: bytes, compress: bool) -> None:
    content = IMAGES + extra
    error = refused(file_with(tmp_path, gzip.compress(content) if compress else content))
    assert "after its end" in error.what


@pytest.mark.parametrize(
    ("content", "seen"),
    [
        (b"", "empty"),
        (b"<!DOCTYPE html><html><body>Please log in</body></html>", "an HTML page"),
        (b"\n  <html>403</html>", "an HTML page"),
        (b'<?xml version="1.0"?><Error>AccessDenied</Error>', "an XML document"),
        (b"Not found\n", "text: 'Not found"),
        ("Straße".encode(), "text: 'Straße"),
        (b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer"),
        (b"PK\x03\x04 and more", "a zip archive"),
        (b"\x93NUMPY\x01\x00", "a NumPy file"),
        (b"\x00\x01\x08\x03", "bytes that begin with 00 01 08 03"),
    ],
)
@pytest.mark.parametrize("compress", [False, True])
def test_another_file_under_the_name_is_recognised(tmp_path: Path, content: bytes, seen: str, compress: bool) -> None:
    error = refused(file_with(tmp_path, gzip.compress(content) if compress else content))
    assert seen in error.what


def test_a_login_page_is_called_one(tmp_path: Path) -> None:
    assert "login" in refused(file_with(tmp_path, b"<html>Welcome to our Wi-Fi</html>")).hint


@pytest.mark.parametrize("code", [0x00, 0x07, 0x0A, 0x0F, 0xFF])
def test_an_unknown_type_code_is_refused(tmp_path: Path, code: int) -> None:
    error = refused(file_with(tmp_path, bytes((0, 0, code, 1, 0, 0, 0, 0))))
    assert f"0x{code:02X}" in error.received
    assert "0x08 uint8" in error.expected


@pytest.mark.parametrize("shape", [(1 << 31, 1 << 9), (0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 255])
@pytest.mark.parametrize("compress", [False, True])
def test_a_header_that_claims_too_much_takes_no_memory(tmp_path: Path, shape: tuple[int, ...], compress: bool) -> None:
    content = struct.pack(f">HBB{len(shape)}I", 0, 8, len(shape), *shape) + bytes(1000)
    path = file_with(tmp_path, gzip.compress(content) if compress else content)
    tracemalloc.start()
    error = refused(path)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert "cut off" in error.what
    assert peak_bytes < 1 << 20


@pytest.mark.parametrize("claimed", [1, 1 << 20, (1 << 28) - 1, (1 << 28) + 1])
def test_a_decompression_bomb_is_refused_in_little_memory(tmp_path: Path, claimed: int) -> None:
    path = tmp_path / "bomb"
    with gzip.open(path, "wb", compresslevel=1) as stream:
        stream.write(struct.pack(">HBBI", 0, 8, 1, claimed))
        for _ in range(256):
            stream.write(bytes(1 << 20))
    tracemalloc.start()
    refused(path)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 64 << 20


def test_more_dimensions_than_numpy_has_are_refused_with_that_reason(tmp_path: Path) -> None:
    content = struct.pack(">HBB255I", 0, 8, 255, *[1] * 255) + b"x"
    error = refused(file_with(tmp_path, content))
    assert "NumPy can't hold" in error.what
    assert idx.read_header(tmp_path / "train-images-idx3-ubyte").shape == (1,) * 255


def test_paths_that_are_no_files_are_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    reader = threading.Thread(target=lambda: refused(tmp_path / "pipe"), daemon=True)
    reader.start()
    reader.join(5)
    assert not reader.is_alive()
    refused(tmp_path)
    assert "no such file" in refused(tmp_path / "missing").what
    refused(Path("nul\0byte"))


def test_a_compressed_file_is_not_mapped(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="compressed"):
        idx.open_mapped(file_with(tmp_path, gzip.compress(IMAGES)))


@pytest.mark.parametrize("array", [np.zeros(3, bool), np.zeros(3, np.int64), np.zeros(3, np.uint16), np.array(["a"])])
def test_types_that_the_format_lacks_are_not_written(tmp_path: Path, array: np.ndarray) -> None:
    with pytest.raises(DatasetError, match="IDX can't hold") as caught:
        idx.write(tmp_path / "a", array)
    assert str(array.dtype) in caught.value.received
    assert list(tmp_path.iterdir()) == []


def test_arrays_in_any_byte_order_and_layout_are_written_alike(tmp_path: Path) -> None:
    array = np.arange(12, dtype=np.int32).reshape(3, 4)
    idx.write(tmp_path / "a", array)
    idx.write(tmp_path / "b", np.asfortranarray(array.astype(">i4")))
    idx.write(tmp_path / "c", array[::-1].astype("<i4")[::-1])
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes() == (tmp_path / "c").read_bytes()


def test_a_path_may_be_text(tmp_path: Path) -> None:
    path = str(tmp_path / "labels-idx1-ubyte")
    idx.write(path, np.array([7, 2], np.uint8))
    assert idx.read(path).tolist() == idx.open_mapped(path).tolist() == [7, 2]
    assert idx.read_header(path).shape == (2,)

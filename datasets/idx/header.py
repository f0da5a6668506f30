"""The header of an IDX file: parsed, and compared with the size of the file."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass

from ...engine.errors import DatasetError
from .content import GET_AGAIN, Content, looks_like

DTYPES = {0x08: "|u1", 0x09: "|i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
"""The type codes of the format and what they mean, in NumPy's spelling."""

NAMES = {"|u1": "uint8", "|i1": "int8", ">i2": "int16", ">i4": "int32", ">f4": "float32", ">f8": "float64"}
"""The types of the format by their usual names."""

_DEFLATE_LIMIT = 1032
"""Deflate, the method of gzip, shrinks data by this factor at most (zlib's technical notes)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Header:
    """What the beginning of an IDX file declares about the rest.

    Attributes:
        dtype: The type of an item with its byte order, in NumPy's spelling: one of the values of `DTYPES`.
        shape: The dimensions; () for a single item.
    """

    dtype: str
    shape: tuple[int, ...]

    @property
    def offset_bytes(self) -> int:
        """Where the items begin."""
        return 4 + 4 * len(self.shape)

    @property
    def data_bytes(self) -> int:
        """How many bytes the items take."""
        return int(self.dtype[2]) * math.prod(self.shape)

    @property
    def total_bytes(self) -> int:
        """How many bytes the whole file takes, decompressed."""
        return self.offset_bytes + self.data_bytes

    def encode(self) -> bytes:
        """Returns the header as it is written in a file."""
        code = next(code for code, dtype in DTYPES.items() if dtype == self.dtype)
        return struct.pack(f">2xBB{len(self.shape)}I", code, len(self.shape), *self.shape)

    def __str__(self) -> str:
        return f"{NAMES[self.dtype]} {list(self.shape)}"


def parse(content: Content) -> Header:
    """Reads the header at the beginning of `content` and compares it with the size of the file.

    Raises:
        DatasetError: It is not an IDX file, or too short or too long for its header.
    """
    magic = content.read(4)
    if not magic or any(magic[:2]):
        raise _not_idx(content, magic)
    if len(magic) < 4:
        raise cut_off(content, f"{len(magic)} bytes", "a header of 4 bytes or more")
    if magic[2] not in DTYPES:
        raise _unknown_type(content, magic)
    sizes = content.read(4 * magic[3])
    if len(sizes) < 4 * magic[3]:
        raise cut_off(content, f"{4 + len(sizes)} bytes", f"a header of {4 + 4 * magic[3]} bytes")
    header = Header(dtype=DTYPES[magic[2]], shape=struct.unpack(f">{magic[3]}I", sizes))
    _check_size(content, header)
    return header


def cut_off(content: Content, received: str, expected: str) -> DatasetError:
    """Returns the error for a file that ends too early."""
    return DatasetError(
        f"the IDX file {content.path} is cut off",
        received=received,
        expected=expected,
        hint=GET_AGAIN,
        path=content.path,
    )


def too_long(content: Content, header: Header) -> DatasetError:
    """Returns the error for a file that continues after its end."""
    return DatasetError(
        f"the IDX file {content.path} has bytes after its end",
        received="more than that, decompressed" if content.compressed else f"{content.size_bytes} bytes",
        expected=claim(header),
        hint=GET_AGAIN,
        path=content.path,
    )


def claim(header: Header) -> str:
    """Returns how large the file has to be, and why."""
    return f"{header.total_bytes} bytes, for the header says {header}"


def _check_size(content: Content, header: Header) -> None:
    if content.compressed:
        if header.total_bytes > (content.size_bytes + 64) * _DEFLATE_LIMIT:
            raise cut_off(content, f"a gzip file of {content.size_bytes} bytes, too small for that", claim(header))
    elif content.size_bytes < header.total_bytes:
        raise cut_off(content, f"{content.size_bytes} bytes", claim(header))
    elif content.size_bytes > header.total_bytes:
        raise too_long(content, header)


def _not_idx(content: Content, magic: bytes) -> DatasetError:
    kind, hint = looks_like(magic + content.read(252)) if magic else ("an empty file", GET_AGAIN)
    return DatasetError(
        f"{content.path} is not an IDX file: it looks like {kind}" if magic else f"{content.path} is empty",
        received=kind,
        expected="an IDX file: two zero bytes, a type code, the number of dimensions, …",
        hint=hint,
        path=content.path,
    )


def _unknown_type(content: Content, magic: bytes) -> DatasetError:
    return DatasetError(
        f"{content.path} is not a readable IDX file: its type code is unknown",
        received=f"code 0x{magic[2]:02X} in the header {magic.hex(' ')}",
        expected=", ".join(f"0x{code:02X} {NAMES[dtype]}" for code, dtype in DTYPES.items()),
        hint="the file may be damaged, or of another format: copy or download it again",
        path=content.path,
    )

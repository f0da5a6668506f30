"""Finds known secrets in bytes, in every form that programs give them, and in what is packed."""

from __future__ import annotations

import base64
import gzip
import io
import urllib.parse
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path


def forms(text: str) -> dict[str, bytes]:
    """A secret as it is, and as programs write it for others; of base64 what no neighbour changes."""
    raw, quoted = text.encode(), urllib.parse.quote(text, safe="")
    made = {"plain": raw, "quoted": quoted.encode(), "quoted twice": urllib.parse.quote(quoted).encode()}
    made |= {"hexadecimal": raw.hex().encode(), "JSON": text.replace("/", "\\/").encode()}
    for before in range(3):
        whole = base64.b64encode(b" " * before + raw)
        sure = whole[-(-before * 4 // 3) : (before + len(raw)) * 4 // 3]
        made[f"base64 at {before}"] = sure
        made[f"URL-safe base64 at {before}"] = sure.translate(bytes.maketrans(b"+/", b"-_"))
    return made


def found(data: bytes, secrets: Mapping[str, str]) -> list[str]:
    """Which secrets are in some bytes, and in which form.

    Args:
        data: A file, a message, a request.
        secrets: {where it was planted: what it says}.
    """
    inside = list(_unpacked(data))
    wanted = [(place, form, code) for place, text in secrets.items() for form, code in forms(text).items()]
    return [f"{place}, {form}" for place, form, code in wanted if any(code in one for one in inside)]


def found_in(paths: Iterable[Path], secrets: Mapping[str, str]) -> list[str]:
    """Which secrets are in files, and in the names of files and folders."""
    read = [(path, path.read_bytes() if path.is_file() else b"") for path in paths]
    assert read
    named = ((path, found(str(path).encode(), secrets) + found(data, secrets)) for path, data in read)
    return [f"{path}: {one}" for path, all_of_it in named for one in all_of_it]


def _unpacked(data: bytes) -> Iterator[bytes]:
    """The bytes themselves, and those of what is packed in them."""
    yield data
    if data[:2] == b"\x1f\x8b":
        yield from _unpacked(gzip.decompress(data))
    if zipfile.is_zipfile(io.BytesIO(data)):
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            for name in packed.namelist():
                yield from _unpacked(packed.read(name))

"""The files of a data folder: which of them would be uploaded, which stay here and why, and their digests."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ....engine import files
from ....engine.backend import Reporter
from ....engine.errors import DatasetError, few
from ....engine.packaging.names import refuse_names
from ....engine.packaging.never import secret_name
from ....engine.terminal.text import in_line
from ..progress import bytes_reported

PIECE_BYTES = 4 << 20
"""How much of a file is read at once."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Folder:
    """What is in a data folder; nothing is read but names and sizes.

    Attributes:
        path: The folder.
        sizes: {file to upload, relative, with "/": its size in bytes}, sorted.
        left_out: {what stays here: why}.
    """

    path: Path
    sizes: Mapping[str, int] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, path: Path) -> Folder:
        """Lists a folder of data.

        Hidden files stay here, those whose names look like secrets, links out of the folder or to folders, and what is
        no plain file. The contents of data are not searched.

        Raises:
            DatasetError: A file has a name that can't be sent, or may not be.
            StorageError: A folder can't be read.
        """
        found = dict(sorted(_walk(path, path)))
        sizes = {name: one for name, one in found.items() if isinstance(one, int)}
        refuse_names({name: path / name for name in sizes}, DatasetError)
        return cls(
            path=path,
            sizes=sizes,
            left_out={in_line(name): one for name, one in found.items() if isinstance(one, str)},
        )

    @property
    def size_bytes(self) -> int:
        """The size of all files to upload."""
        return sum(self.sizes.values())

    def require_files(self) -> None:
        """Refuses a folder with nothing to upload.

        Raises:
            DatasetError: It says what stays here, and why.
        """
        if not self.sizes:
            stays = few((f"{name} ({why})" for name, why in self.left_out.items()), 3)
            raise DatasetError(
                f"{self.path} holds no files to upload",
                received=f"what stays here: {stays}" if stays else "",
                expected="the data set's",
                path=self.path,
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class Content:
    """What a file held when it was read.

    Attributes:
        sha256: Its SHA-256, in hexadecimal.
        md5: Its MD5, which is what Blob Storage knows of a blob.
        size_bytes: Its size.
    """

    sha256: str
    md5: bytes
    size_bytes: int


def contents(folder: Folder, report: Reporter) -> dict[str, Content]:
    """Reads the files to upload, each once, and returns {file: what it holds}.

    Args:
        folder: The folder.
        report: Takes lines about the progress.

    Raises:
        StorageError: A file can't be read.
    """
    found: dict[str, Content] = {}
    read, total = 0, folder.size_bytes
    with bytes_reported(report) as progress:
        for name, size in folder.sizes.items():
            progress("reading", read, total)
            with files.storage_errors(folder.path / name, doing="read"):
                found[name] = _content(folder.path / name)
            read += size
    return found


def checked_pieces(path: Path, expected: Content) -> Iterator[bytes]:
    """Yields a file in pieces, and raises an error after the last one if they are not what was expected.

    Args:
        path: The file.
        expected: What it held before.

    Raises:
        DatasetError: It has changed meanwhile.
        StorageError: It can't be read.
    """
    digest, size, grows = hashlib.sha256(), 0, False
    with files.storage_errors(path, doing="read"):
        for piece in _pieces(path):
            digest.update(piece)
            size += len(piece)
            if grows := size > expected.size_bytes:
                break
            yield piece
    if digest.hexdigest() != expected.sha256:
        raise DatasetError(
            f"{path} changed while it was sent",
            received=f"{'more than ' if grows else ''}{min(size, expected.size_bytes):,} bytes of another digest",
            expected=f"{expected.size_bytes:,} bytes, sha256:{expected.sha256}",
            hint="nothing was registered; submit again when nothing writes into the folder",
            path=path,
        )


def _content(path: Path) -> Content:
    sha256, md5, size = hashlib.sha256(), hashlib.md5(usedforsecurity=False), 0
    for piece in _pieces(path):
        sha256.update(piece)
        md5.update(piece)
        size += len(piece)
    return Content(sha256=sha256.hexdigest(), md5=md5.digest(), size_bytes=size)


def _pieces(path: Path) -> Iterator[bytes]:
    with files.open_plain(path) as stream:
        while piece := stream.read(PIECE_BYTES):
            yield piece


def _walk(top: Path, folder: Path) -> Iterator[tuple[str, int | str]]:
    """Yields what is below a folder: each file with its size, or with why it stays here; a hidden folder by itself."""
    with files.storage_errors(folder, doing="read"), os.scandir(folder) as entries:
        names = sorted(entry.name for entry in entries)
    for name in names:
        path = folder / name
        relative = path.relative_to(top).as_posix()
        if name.startswith("."):
            yield relative, "hidden"
            continue
        with files.storage_errors(path, doing="read"):
            state = path.lstat()
        if stat.S_ISDIR(state.st_mode):
            yield from _walk(top, path)
            continue
        why = secret_name(relative)
        if not why and stat.S_ISLNK(state.st_mode):
            why = _of_link(top, path)
        if why:
            yield relative, why
            continue
        with files.storage_errors(path, doing="read"):
            state = path.stat()
        yield relative, state.st_size if stat.S_ISREG(state.st_mode) else "no plain file"


def _of_link(top: Path, path: Path) -> str:
    """Returns why a link stays here; "" if it leads to a file of the folder that may go by its own name too."""
    try:
        target = Path(os.path.realpath(path, strict=True))
    except OSError:
        return "a link that leads nowhere"
    real = top.resolve()
    if not target.is_relative_to(real):
        return "a link out of the folder"
    if target.is_dir():
        return "a link to a folder"
    relative = target.relative_to(real)
    hidden = any(part.startswith(".") for part in relative.parts)
    return "a link to a hidden file" if hidden else secret_name(relative.as_posix())

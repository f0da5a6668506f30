"""Files that are never half-written: write beside, fsync, rename. stoker writes everything through these functions."""

from __future__ import annotations

import codecs
import contextlib
import errno
import fcntl
import hashlib
import itertools
import os
import re
import shutil
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from . import strict_json
from .errors import StorageError

__all__ = [
    "append_line",
    "atomic_folder",
    "atomic_writer",
    "copy_tree",
    "decode",
    "hidden_beside",
    "is_unfinished",
    "make_folder",
    "open_plain",
    "read_plain",
    "recover",
    "remove_tree",
    "replace",
    "sha256_file",
    "storage_errors",
    "sync_file",
    "sync_folder",
    "write_bytes",
    "write_json",
]


_UNFINISHED = r"[0-9a-f]{8}\.tmp"
"""How the name ends of what is still being filled, as a pattern."""
_NEW, _OLD = "new", "old"
"""What the hidden folder of `atomic_folder` holds."""
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2
"""Of linux/fcntl.h and linux/fs.h; macOS' RENAME_SWAP is 2 too."""


@contextlib.contextmanager
def storage_errors(path: Path, *, doing: str = "write") -> Iterator[None]:
    """Turns an `OSError` of the body into a `StorageError` that names `path`.

    Args:
        path: The file or folder.
        doing: What the body does with it: "write" or "read".

    Raises:
        StorageError: The body raised an `OSError`.
    """
    try:
        yield
    except OSError as error:
        raise StorageError.from_os(error, path, doing=doing) from error


def sync_folder(folder: Path) -> None:
    """Makes the names in `folder` durable, not only the contents of its files."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_file(stream: BinaryIO) -> None:
    """Flushes `stream` to the disk."""
    stream.flush()
    os.fsync(stream.fileno())


def replace(source: Path, target: Path) -> None:
    """Renames `source` to `target` (replacing it) and makes the new name durable."""
    source.replace(target)
    sync_folder(target.parent)


def make_folder(folder: Path) -> Path:
    """Creates `folder` and its parents where they don't exist, and makes the new names durable.

    Raises:
        StorageError: It can't be created; the message has the reason.
    """
    with storage_errors(folder):
        missing = list(itertools.takewhile(lambda one: not one.exists(), (folder, *folder.parents)))
        for one in missing:
            if one.is_symlink():
                what = f"can't write {folder}: {one} is a link to {one.readlink()}, which does not exist"
                raise StorageError(what, hint="create that folder, or remove the link")
        folder.mkdir(parents=True, exist_ok=True)
        for made in missing:
            with contextlib.suppress(PermissionError):  # a folder that may be written and not read
                sync_folder(made.parent)
    return folder


@contextlib.contextmanager
def atomic_writer(path: Path, *, durable: bool = True) -> Iterator[BinaryIO]:
    """Opens a file that appears under `path` when the block ends without an error, whole, or not at all.

    Args:
        path: The final name; its folder must exist.
        durable: False leaves out fsync, for a file that only the running machine needs.

    Raises:
        StorageError: Nothing could be written; no temporary file is left.

    Example:
        >>> with atomic_writer(folder / "report.txt") as stream:
        ...     size_bytes = stream.write(b"all of it")
        >>> (folder / "report.txt").read_bytes()
        b'all of it'
    """
    temporary = _temporary(path)
    try:
        with storage_errors(path):
            with temporary.open("xb") as stream:
                yield stream
                if durable:
                    sync_file(stream)
            temporary.replace(path)
            if durable:
                sync_folder(path.parent)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


@contextlib.contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Lets a folder appear whole or not at all: yields a folder to make and fill, which becomes `path` at the end.

    The caller makes the folder: it lies in a hidden folder beside `path` that no other process uses. A folder that is
    at `path` already changes places with it, in one step of the system where that has one (Linux and macOS), and is
    then removed. So a process that is killed leaves the old folder or the new one at `path`, and the next call for the
    same path removes what it has left beside.

    Raises:
        StorageError: It could not be written; the old folder is as it was, and nothing temporary is left.

    Example:
        >>> with atomic_folder(folder / "model") as beside:
        ...     beside.mkdir()
        ...     write_bytes(beside / "weights", b"1 2 3")
        >>> [path.name for path in (folder / "model").iterdir()]
        ['weights']
    """
    with storage_errors(path):
        recover(path)
        held = _hold(path)
    try:
        with storage_errors(path):
            try:
                yield held.folder / _NEW
            except OSError as error:
                if error.filename and held.folder not in (read := Path(error.filename), *read.parents):
                    raise StorageError.from_os(error, read, doing="read") from error
                raise
            _put_in_place(held.folder, path)
    finally:
        remove_tree(held.folder)
        os.close(held.descriptor)


class _Held(NamedTuple):
    """A hidden folder, and the descriptor that keeps its lock: without a lock, its process is gone."""

    folder: Path
    descriptor: int


def _hold(path: Path) -> _Held:
    """Makes a hidden folder beside `path` for what becomes `path`, and locks it."""
    while True:
        folder = _temporary(path)
        folder.mkdir()
        with contextlib.suppress(FileNotFoundError):  # a process that tidies has taken it for one that was left
            descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
            with contextlib.suppress(OSError):  # a file system without locks, where nothing is tidied
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            if folder.is_dir():
                return _Held(folder, descriptor)
            os.close(descriptor)


def recover(path: Path) -> None:
    """Puts back, or removes, what processes that were killed have left of `atomic_folder`, which begins with this.

    These are hidden folders beside `path` whose names only stoker makes, and that no process has locked. A folder that
    was at `path` is in one of them if the system can't exchange two folders in one step.
    """
    name = re.compile(re.escape(hidden_beside(path, "").name) + _UNFINISHED)
    for left in [each for each in path.parent.iterdir() if name.fullmatch(each.name)] if path.parent.is_dir() else []:
        with contextlib.suppress(OSError):
            descriptor = os.open(left, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if not path.exists() and (left / _OLD).is_dir():
                    (left / _OLD).replace(path)
                remove_tree(left)
            finally:
                os.close(descriptor)


def _put_in_place(held: Path, path: Path) -> None:
    """Renames the new folder to `path`, or exchanges the two."""
    try:
        replace(held / _NEW, path)  # which takes the place of an empty folder only
    except OSError as error:
        if error.errno not in {errno.ENOTEMPTY, errno.EEXIST}:
            raise
        if not _exchange(held / _NEW, path):
            _replace_in_two_steps(held, path)
        sync_folder(path.parent)


def _replace_in_two_steps(held: Path, path: Path) -> None:
    """Does what `_exchange` does where the system can't; `recover` helps whoever comes after a kill in between."""
    sync_folder(held.parent)  # the hidden folder must be on the disk before the old one is in it
    path.replace(held / _OLD)
    try:
        (held / _NEW).replace(path)
    except OSError:
        (held / _OLD).replace(path)
        raise


def _exchange(one: Path, other: Path) -> bool:
    """Lets two paths change places in one step; returns False where the system, or the file system, can't."""
    import ctypes

    library = ctypes.CDLL(None, use_errno=True)
    names = os.fsencode(one), os.fsencode(other)
    if hasattr(library, "renameat2"):  # Linux; glibc 2.28 and newer
        failed = library.renameat2(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE)
    elif hasattr(library, "renamex_np"):  # macOS
        failed = library.renamex_np(*names, _RENAME_EXCHANGE)
    else:
        return False
    number = ctypes.get_errno()
    if failed and number not in {errno.ENOSYS, errno.EINVAL, errno.ENOTSUP}:
        raise OSError(number, os.strerror(number), str(other))
    return not failed


def hidden_beside(path: Path, ending: str) -> Path:
    """Returns a name for something temporary beside `path`: `.NAME.ENDING`, with a long NAME cut short."""
    return path.with_name(f".{path.name[:40]}.{ending}")


def _temporary(path: Path) -> Path:
    """Returns a name beside `path` that no other process uses, for what is still being filled."""
    return hidden_beside(path, f"{os.urandom(4).hex()}.tmp")


def is_unfinished(name: str) -> bool:
    """Returns whether a file or folder of this name is what `atomic_writer` or `atomic_folder` is still filling."""
    return re.fullmatch(rf"\..*\.{_UNFINISHED}", name, re.DOTALL) is not None


def write_bytes(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Writes `data` to `path` atomically; see `atomic_writer`."""
    with atomic_writer(path, durable=durable) as stream:
        stream.write(data)


def decode(content: bytes) -> str:
    """Decodes a text that a user wrote: UTF-8, or what the byte order mark of a Windows editor says.

    Args:
        content: What the file holds; its lines may end as on Windows.

    Raises:
        UnicodeDecodeError: It is no such text.

    Example:
        >>> decode("epochs = 3".encode("utf-16"))
        'epochs = 3'
    """
    utf_16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return content.decode("utf-16" if utf_16 else "utf-8-sig").replace("\r\n", "\n")


def read_plain(path: Path, offset: int = 0) -> bytes:
    """Reads a file, and nothing else that may have its name: a pipe or a device would be waited for.

    Args:
        path: The file.
        offset: Where to begin, in bytes.

    Raises:
        OSError: It can't be read, or is no plain file.
    """
    with open_plain(path) as stream:
        stream.seek(offset)
        return stream.read()


def open_plain(path: Path) -> BinaryIO:
    """Opens a file to read it, and nothing else that may have its name: a pipe or a device would be waited for.

    Args:
        path: The file.

    Raises:
        OSError: It can't be read, or is no plain file.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a plain file", str(path))
    return os.fdopen(descriptor, "rb")


def write_json(path: Path, value: Mapping[str, Any], *, durable: bool = True) -> None:
    """Writes `value` to `path` as indented JSON, atomically; see `atomic_writer` and `engine.strict_json`."""
    write_bytes(path, (strict_json.dumps(value, indent=2) + "\n").encode(), durable=durable)


def append_line(path: Path, line: str) -> None:
    """Appends one line in a single write, so that lines of several writers never mix.

    A last line that a crash has cut short stays a line by itself. Two writers at the same moment may leave an empty
    line between theirs: one saw only a part of the other's line and took it for cut short.

    Raises:
        StorageError: It can't be written.

    Example:
        >>> append_line(folder / "events.txt", "started")
        >>> append_line(folder / "events.txt", "ended")
        >>> (folder / "events.txt").read_text().splitlines()
        ['started', 'ended']
    """
    with storage_errors(path), path.open("a+b", buffering=0) as stream:
        size = stream.seek(0, os.SEEK_END)
        torn = size > 0 and os.pread(stream.fileno(), 1, size - 1) != b"\n"
        data = (b"\n" if torn else b"") + line.encode() + b"\n"
        if stream.write(data) != len(data):  # the disk is full but for a few bytes
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def sha256_file(path: Path) -> str:
    """Returns the SHA-256 of a file's content, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def copy_tree(source: Path, target: Path) -> None:
    """Copies the folders and files of `source` into the new folder `target`, down to the disk.

    Leaves out links, which could lead anywhere, pipes, sockets and devices, and what a killed process has not finished.

    Raises:
        OSError: Something can't be read or written; what was copied so far stays.
    """
    target.mkdir()
    for path in sorted(source.iterdir()):
        if path.is_symlink() or is_unfinished(path.name):
            continue
        if path.is_dir():
            copy_tree(path, target / path.name)
        elif path.is_file():
            _copy_file(path, target / path.name)
    sync_folder(target)


def _copy_file(source: Path, target: Path) -> None:
    with source.open("rb") as reader, target.open("xb") as writer:
        shutil.copyfileobj(reader, writer, 1 << 20)
        sync_file(writer)


def remove_tree(folder: Path) -> None:
    """Removes a folder and everything below it; a folder that does not exist is no error."""
    shutil.rmtree(folder, ignore_errors=True)

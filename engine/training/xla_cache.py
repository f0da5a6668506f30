"""Programs that XLA has compiled, kept on this machine's disk: the next run of a model starts a second sooner.

TensorFlow can read and write them itself, but a run fails when it meets a damaged one. So each run has a folder of
its own for them, filled from the cache with what is whole; what it compiles itself goes into the cache.

    <cache>/programs/<digest of environment and model>/<TensorFlow's name>.<sha256>
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from .. import cache, files
from ..errors import StokerError
from ..job import TrainJob
from .environment import compiles_for

MOST_BYTES = 256 << 20
"""Of all programs together; the oldest go."""

_MOST_BYTES_READ = 32 << 20
_FLAGS = "TF_XLA_FLAGS"


class XlaCache:
    """The compiled programs of one run; a context that must be entered before TensorFlow is imported.

    Whatever goes wrong here, a disk that is full or a folder that can't be written, costs the second and nothing else.
    """

    def __init__(self, job: TrainJob, own: Path) -> None:
        """Reads and writes nothing yet.

        Args:
            job: What will be trained; a model finds the programs of its own earlier runs.
            own: A folder for the programs of this run, which is removed at the end.
        """
        self._job, self._own = job, own
        self._known: set[str] = set()
        self._flags = (
            f"--tf_xla_persistent_cache_directory={_quoted(own)} "
            "--tf_xla_persistent_cache_read_only=false --tf_xla_persistent_cache_device_types=CPU"
        )

    def __enter__(self) -> XlaCache:
        if _FLAGS not in os.environ and "tensorflow" not in sys.modules:
            with contextlib.suppress(OSError, StokerError):
                files.remove_tree(self._own)
                self._own.mkdir()
                self._fill()
                os.environ[_FLAGS] = self._flags
        return self

    def __exit__(self, *exception: object) -> None:
        if os.environ.get(_FLAGS) == self._flags:
            del os.environ[_FLAGS]
        files.remove_tree(self._own)

    def store(self) -> None:
        """Puts what was compiled since into the cache."""
        with contextlib.suppress(OSError, StokerError):
            new = [path for path in self._own.glob("*.pb") if path.name not in self._known]
            for path in new:
                self._known.add(path.name)
                content = path.read_bytes()
                files.make_folder(self._kept)
                target = self._kept / f"{path.name}.{hashlib.sha256(content).hexdigest()}"
                with files.atomic_writer(target, durable=False) as stream:
                    stream.write(content)
            if new:
                _tidy(self._kept.parent)

    @property
    def _kept(self) -> Path:
        """Where in the cache the programs of this model are that run here; those for another processor would crash."""
        key = json.dumps([compiles_for(self._job.threads), self._job.model])
        return cache.root() / "programs" / hashlib.sha256(key.encode()).hexdigest()[:16]

    def _fill(self) -> None:
        room = _MOST_BYTES_READ
        for path in _newest_first(self._kept):
            name, _, sha256 = path.name.rpartition(".")
            room -= path.stat().st_size
            if room < 0:
                return
            content = path.read_bytes()
            if hashlib.sha256(content).hexdigest() != sha256:
                path.unlink()
            elif name not in self._known and _is_ours(path):
                self._known.add(name)
                (self._own / name).write_bytes(content)
                os.utime(path)


def _newest_first(folder: Path) -> Iterator[Path]:
    yield from sorted(folder.glob("*.pb.*"), key=lambda path: path.stat().st_mtime, reverse=True)


def _is_ours(path: Path) -> bool:
    """Whether this user wrote it: a program is code, and a cache may be in a folder that others can write to."""
    state = path.stat()
    return state.st_uid == os.getuid() and not state.st_mode & 0o002


def _tidy(programs: Path) -> None:
    """Removes the programs that were used least recently."""
    total = 0
    for path in sorted(programs.glob("*/*.pb.*"), key=lambda path: path.stat().st_mtime, reverse=True):
        total += path.stat().st_size
        if total > MOST_BYTES:
            path.unlink(missing_ok=True)


def _quoted(path: Path) -> str:
    """A path as TensorFlow's parser of flags wants it: with spaces in it, in quotes."""
    return '"' + str(path).replace("\\", "\\\\").replace('"', '\\"') + '"'

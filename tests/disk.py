"""A disk that may lose power: what `engine.files` does to a folder, and what a machine may find there after a crash.

POSIX promises little: the content of a file is on the disk after its fsync, the names in a folder after the fsync of
the folder. Until then, each change of a name may or may not have arrived, in any order, and a content may be whole,
empty, cut short or zeros. A rename itself, between two folders too, happens or does not, as ext4, XFS, Btrfs and APFS
have it.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from stoker.engine import files


@dataclass(eq=False)
class Node:
    """A file or a folder, whatever its name is.

    Attributes:
        names: What a folder holds; None of a file.
        content: What a file holds now.
        on_disk: What of it is on the disk for certain; None if nothing is.
    """

    names: dict[str, Node] | None = None
    content: bytes = b""
    on_disk: bytes | None = None


@dataclass(eq=False)
class Change:
    """A change of names that happens as one: each folder and name with what is there afterwards, None for nothing.

    Attributes:
        after: The names.
        is_durable: Whether it is on the disk for certain.
    """

    after: list[tuple[Node, str, Node | None]]
    is_durable: bool = False


@dataclass
class Disk:
    """Watches one folder.

    Attributes:
        root: The folder.
        moments: Called after each step, with a description of it.
    """

    root: Path
    top: Node = field(default_factory=lambda: Node(names={}))
    changes: list[Change] = field(default_factory=list)
    moments: Callable[[str], None] = lambda _: None

    def watch(self, patch: pytest.MonkeyPatch) -> None:
        """Watches every function of the system through which `engine.files` changes names, and fsync."""
        self.look()
        for name in ("replace", "rename"):
            self._wrap(patch, os, name, self._renamed)
        for name in ("unlink", "remove", "rmdir"):
            self._wrap(patch, os, name, self._removed)
        self._wrap(patch, os, "fsync", self._synced)
        self._wrap(patch, files, "_exchange", self._exchanged)

    def images(self, chance: random.Random, count: int) -> Iterator[Node]:
        """Yields what the machine may find if the power goes now: the least, the most, and `count` in between."""
        yield self._image(lambda: False, lambda node: node.on_disk or b"")
        yield self._image(lambda: True, lambda node: node.content)
        for _ in range(count):
            share = chance.random()
            yield self._image(lambda share=share: chance.random() < share, lambda node: _content(node, chance))

    def look(self) -> None:
        """Takes in the files and folders that are new, and what the files hold."""
        for folder, folders, names in os.walk(self.root):
            parent = self._find(Path(folder))
            assert parent.names is not None
            for name in sorted(folders):
                if name not in parent.names:
                    self._change([(parent, name, Node(names={}))])
            for name in sorted(names):
                if name not in parent.names:
                    self._change([(parent, name, Node())])
                parent.names[name].content = (Path(folder) / name).read_bytes()

    def _wrap(self, patch: pytest.MonkeyPatch, module: Any, name: str, note: Callable[..., None]) -> None:
        original = getattr(module, name)

        def call(*arguments: Any, **options: Any) -> Any:
            self.look()
            paths = [_path(argument, options.get("dir_fd")) for argument in arguments]
            result = original(*arguments, **options)
            if paths[0].is_relative_to(self.root) and (name != "_exchange" or result):
                note(*paths)
                self.moments(f"{name} {' '.join(map(str, paths))}")
            return result

        patch.setattr(module, name, call)

    def _change(self, after: list[tuple[Node, str, Node | None]]) -> None:
        _apply(after)
        self.changes.append(Change(after=after))

    def _renamed(self, source: Path, target: Path) -> None:
        node = self._find(source)
        self._change([(self._find(source.parent), source.name, None), (self._find(target.parent), target.name, node)])

    def _exchanged(self, one: Path, other: Path) -> None:
        first, second = self._find(one), self._find(other)
        self._change([(self._find(one.parent), one.name, second), (self._find(other.parent), other.name, first)])

    def _removed(self, path: Path) -> None:
        self._change([(self._find(path.parent), path.name, None)])

    def _synced(self, path: Path) -> None:
        node = self._find(path)
        if node.names is None:
            node.on_disk = node.content
        for change in self.changes:
            change.is_durable |= any(folder is node for folder, _, _ in change.after)

    def _find(self, path: Path) -> Node:
        node = self.top
        for part in path.relative_to(self.root).parts:
            assert node.names is not None
            node = node.names[part]
        return node

    def _image(self, arrives: Callable[[], bool], content: Callable[[Node], bytes]) -> Node:
        """Builds what is found: the durable changes, those of the others that `arrives`, and contents."""
        copies: dict[Node, Node] = {}

        def copy(node: Node) -> Node:
            if node not in copies:
                copies[node] = Node(names=None if node.names is None else {}, content=content(node))
            return copies[node]

        for change in self.changes:
            if change.is_durable or arrives():
                _apply([(copy(folder), name, node and copy(node)) for folder, name, node in change.after])
        return copy(self.top)


def write_image(image: Node, folder: Path) -> None:
    """Writes an image into a folder that is not there yet."""
    folder.mkdir()
    for name, node in (image.names or {}).items():
        if node.names is None:
            (folder / name).write_bytes(node.content)
        else:
            write_image(node, folder / name)


def _apply(after: list[tuple[Node, str, Node | None]]) -> None:
    for folder, name, node in after:
        assert folder.names is not None
        if node is None:
            folder.names.pop(name, None)
        else:
            folder.names[name] = node


def _content(node: Node, chance: random.Random) -> bytes:
    """Returns what the disk may have of a file."""
    if node.on_disk == node.content:
        return node.content
    size = len(node.content)
    return chance.choice((node.on_disk or b"", node.content, node.content[: size // 2], bytes(size), b""))


def _path(argument: Any, folder: int | None) -> Path:
    """Returns the path of what a function of the system was given: a path, a name in an open folder, a descriptor."""
    if isinstance(argument, int):
        return Path(f"/proc/self/fd/{argument}").readlink()
    base = Path(f"/proc/self/fd/{folder}").readlink() if folder is not None else Path.cwd()
    return base / os.fsdecode(argument)

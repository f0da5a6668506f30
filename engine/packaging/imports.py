"""What a Python file imports, read without running it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .. import files
from ..errors import InputError


@dataclass(frozen=True, kw_only=True, slots=True)
class Import:
    """An import in a Python file.

    Attributes:
        module: The dotted name of the module; "" in `from . import x`.
        names: What comes from it, which may be modules too; () in `import x`.
        level: How many dots are before the name.
        line: Where, counted from 1.
        optional: Whether the file copes without it.
    """

    module: str
    names: tuple[str, ...] = ()
    level: int = 0
    line: int
    optional: bool


def imports(path: Path) -> Iterator[Import]:
    """Yields what a Python file imports.

    Raises:
        InputError: It can't be read, or is no Python.
    """
    try:
        tree = ast.parse(files.read_plain(path), filename=str(path))
    except OSError as error:
        raise InputError(f"can't read {path}", received=error.strerror, path=path) from error
    except (SyntaxError, ValueError) as error:
        raise InputError(f"{path} is no Python", received=str(error), path=path) from error
    yield from _walk(tree, optional=False)


def _walk(node: ast.AST, *, optional: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}:
            continue
        if isinstance(child, ast.Import):
            yield from (Import(module=alias.name, line=child.lineno, optional=optional) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            names = tuple(alias.name for alias in child.names)
            module, level = child.module or "", child.level
            yield Import(module=module, names=names, level=level, line=child.lineno, optional=optional)
        copes = isinstance(child, ast.Try) and any(_copes(handler) for handler in child.handlers)
        yield from _walk(child, optional=optional or copes)


def _copes(handler: ast.ExceptHandler) -> bool:
    """Returns whether what catches errors catches a failed import."""
    caught = ast.unparse(handler.type) if handler.type else "Exception"
    return any(name in caught for name in ("ImportError", "ModuleNotFoundError", "Exception"))

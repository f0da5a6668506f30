"""What a Python file imports, read without running it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from ..errors import InputError


def imports(path: Path) -> Iterator[tuple[str, int, bool]]:
    """Yields what a Python file imports: name, line, and whether it copes without.

    Raises:
        InputError: It can't be read, or is no Python.
    """
    try:
        tree = ast.parse(path.read_bytes(), filename=str(path))
    except OSError as error:
        raise InputError(f"can't read {path}", received=error.strerror, path=path) from error
    except (SyntaxError, ValueError) as error:
        raise InputError(f"{path} is no Python", received=str(error), path=path) from error
    yield from _walk(tree, optional=False)


def _walk(node: ast.AST, *, optional: bool) -> Iterator[tuple[str, int, bool]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}:
            continue
        if isinstance(child, ast.Import):
            yield from ((alias.name, child.lineno, optional) for alias in child.names)
        elif isinstance(child, ast.ImportFrom) and not child.level and child.module:
            yield child.module, child.lineno, optional
        copes = isinstance(child, ast.Try) and any(_copes(handler) for handler in child.handlers)
        yield from _walk(child, optional=optional or copes)


def _copes(handler: ast.ExceptHandler) -> bool:
    """Returns whether what catches errors catches a failed import."""
    caught = ast.unparse(handler.type) if handler.type else "Exception"
    return any(name in caught for name in ("ImportError", "ModuleNotFoundError", "Exception"))

"""Models from the user's own files: `--model PATH.py:FUNCTION`."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

from ..engine.errors import InputError, UnknownNameError
from ..engine.hookspecs import hookimpl
from ..engine.model import ModelBuilder, ModelConfig
from ..engine.plugin.discovery import import_file

DEFAULT_FUNCTION = "build"


@hookimpl
def stoker_get_model(name: str) -> ModelBuilder | None:
    """Returns the builder in a Python file: the named function, or `build` if the name has none.

    Raises:
        InputError: There is no such file, or it is not Python.
        UnknownNameError: It has no such function.
    """
    stem, dot_py, function = name.partition(".py")
    if not dot_py:
        return None
    path, function = Path(stem + dot_py), function.removeprefix(":") or DEFAULT_FUNCTION
    check(path, function)

    def build(config: ModelConfig) -> Any:
        return getattr(import_file(path), function)(config)

    return build


def check(path: Path, function: str) -> None:
    """Checks that a file defines a function, without running the file: it may import Keras.

    Raises:
        InputError: There is no such file, or it is not Python.
        UnknownNameError: It has no such function.
    """
    try:
        tree = ast.parse(path.read_bytes(), filename=str(path))
    except OSError as error:
        hint = "check the path given with --model"
        raise InputError(
            f"can't read the model's file {path}", received=error.strerror, hint=hint, path=path
        ) from error
    except (SyntaxError, ValueError) as error:
        what = f"the model's file {path} is not valid Python"
        raise InputError(what, received=str(error), hint="fix the file", path=path) from error
    known = [node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    imported = [
        alias.asname or alias.name for node in tree.body if isinstance(node, ast.ImportFrom) for alias in node.names
    ]
    if function not in {*known, *imported}:
        hint = "" if known else f"define one: def {function}(config): … return a compiled Keras model"
        raise UnknownNameError(f"function in {path}", function, known, hint=hint)

"""Models from the user's own files: `--model PATH.py:FUNCTION`."""

from __future__ import annotations

import ast
import shlex
from pathlib import Path
from typing import Any

from ..engine import files
from ..engine.errors import InputError, UnknownNameError
from ..engine.hookspecs import hookimpl
from ..engine.model import ModelBuilder, ModelConfig
from ..engine.plugin.discovery import import_file

DEFAULT_FUNCTION = "build"

_DEFINE = "define one: def build(config): … return a compiled Keras model"


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
        UnknownNameError: It has no such function; the error has those that build models.
    """
    try:
        tree = ast.parse(files.read_plain(path), filename=str(path))
    except OSError as error:
        hint = "check the path given with --model"
        raise InputError(
            f"can't read the model's file {path}", received=error.strerror, hint=hint, path=path
        ) from error
    except (SyntaxError, ValueError) as error:
        what = f"the model's file {path} is not valid Python"
        raise InputError(what, received=str(error), hint="fix the file", path=path) from error
    defined = [node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    imported = [
        alias.asname or alias.name for node in tree.body if isinstance(node, ast.ImportFrom) for alias in node.names
    ]
    if function not in {*defined, *imported}:
        known = builders(tree)
        shown = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
        hint = f"say which one: --model {shlex.quote(f'{shown}:{known[0]}')}" if known else _DEFINE
        raise UnknownNameError(f"function in {path}", function, known, hint=hint)


def builders(tree: ast.Module) -> list[str]:
    """Returns the functions of a file that look like builders of models, in their order.

    A builder takes a configuration and nothing else that has no default. Where some functions say that it is one, by
    the name `config` or the type `ModelConfig`, only they are builders; else those are that no other function calls.
    """
    public = [
        node
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_") and _takes_one(node)
    ]
    sure = [node.name for node in public if _first(node).arg == "config" or _is_config(_first(node).annotation)]
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    helpers = {
        each.id for node in functions for each in ast.walk(node) if isinstance(each, ast.Name) and each.id != node.name
    }
    return sure or [node.name for node in public if node.name not in helpers]


def _takes_one(node: ast.FunctionDef) -> bool:
    """Returns whether a function can be called with one argument, by its place."""
    given = node.args
    places = [*given.posonlyargs, *given.args]
    needed = len(places) - len(given.defaults)
    return bool(places) and needed <= 1 and None not in given.kw_defaults


def _first(node: ast.FunctionDef) -> ast.arg:
    return [*node.args.posonlyargs, *node.args.args][0]


def _is_config(annotation: ast.expr | None) -> bool:
    return annotation is not None and "ModelConfig" in ast.unparse(annotation)

"""Models from the user's own files: `--model PATH.py:FUNCTION`."""

from __future__ import annotations

from pathlib import Path

from ..engine.errors import InputError, UnknownNameError
from ..engine.hookspecs import hookimpl
from ..engine.model import ModelBuilder
from ..engine.plugin import import_file

DEFAULT_FUNCTION = "build"


@hookimpl
def stoker_get_model(name: str) -> ModelBuilder | None:
    """The function in a Python file; `build` if the name has none."""
    path, _, function = name.partition(".py:") if ".py:" in name else (name.removesuffix(".py"), "", DEFAULT_FUNCTION)
    if ".py" not in name:
        return None
    return load(Path(f"{path}.py"), function)


def load(path: Path, function: str) -> ModelBuilder:
    """The function of that name in a file.

    Raises:
        InputError: There is no such file, or it can't be imported.
        UnknownNameError: It has no such function.
    """
    try:
        module = import_file(path)
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"{path} can't be imported", received=f"{type(error).__name__}: {error}", path=path) from error
    builder = getattr(module, function, None)
    if not callable(builder):
        known = [name for name, value in vars(module).items() if callable(value) and not name.startswith("_")]
        raise UnknownNameError(f"function in {path}", function, known)
    found: ModelBuilder = builder
    return found

"""Finds plugins: the built-in ones, those of installed packages, and those that `-p` names."""

from __future__ import annotations

import ast
import hashlib
import importlib
import importlib.metadata
import importlib.util
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from .. import VERSION
from ..errors import InputError
from ..hookspecs import CONTRACT, PROJECT
from ..paths import expanded
from .record import OURS, PluginRecord

Found = tuple[PluginRecord, Callable[[], Any]]
"""A plugin, and the function that imports it."""

BUILT_IN = (
    "stoker.plugins.commands.train",
    "stoker.plugins.commands.execute",
    "stoker.plugins.commands.rehearse",
    "stoker.plugins.commands.runs.plugin",
    "stoker.plugins.commands.verify_resume",
    "stoker.plugins.commands.models",
    "stoker.plugins.commands.plugins",
    "stoker.plugins.commands.config",
    "stoker.plugins.commands.completion",
    "stoker.plugins.local.plugin",
    "stoker.plugins.azureml.plugin",
    "stoker.plugins.azureml_emulator.plugin",
    "stoker.plugins.trackers.tensorboard",
    "stoker.plugins.trackers.mlflow.plugin",
    "stoker.datasets.plugin",
    "stoker.models.dnn",
    "stoker.models.file",
)
"""The plugins that come with stoker; they use the same hooks as all others."""


def built_in() -> list[Found]:
    """Returns the plugins that come with stoker."""
    return [
        (
            PluginRecord(name=short_name(module), origin=OURS, version=VERSION, contract=CONTRACT),
            partial(_import_built_in, module),
        )
        for module in BUILT_IN
    ]


def installed() -> list[Found]:
    """Returns the plugins of installed packages."""
    try:
        return [_of_entry(entry) for entry in importlib.metadata.entry_points(group=PROJECT)]
    except Exception:  # noqa: BLE001 - one package's damaged list hides all others, so each is read by itself
        return [found for package in _packages() for found in _of_package(package)]


def requested(name: str, asked_by: str = "-p") -> Found:
    """Returns the plugin that `-p NAME` means, or a settings file, or a variable of the environment."""
    source = source_of(name)
    load = partial(import_file, Path(source)) if source.endswith(".py") else partial(importlib.import_module, source)
    return PluginRecord(name=short_name(name), origin=f"{asked_by} {name}"), load


def source_of(name: str) -> str:
    """Returns what `-p NAME` means, however it is written: a module, or the absolute path of a file."""
    return str(expanded(name).resolve()) if name.endswith(".py") else name


def to_load(names: Iterable[str]) -> list[str]:
    """Returns what `-p` wants loaded."""
    return [name for name in names if not name.startswith("no:")]


def to_leave_out(names: Iterable[str]) -> set[str]:
    """Returns what `-p no:NAME` wants left out."""
    return {name.removeprefix("no:") for name in names if name.startswith("no:")}


def short_name(module: str) -> str:
    """Returns a plugin's short name: "datasets" for `stoker.datasets.plugin`, "local" for `./local.py`."""
    if module.endswith(".py"):
        return Path(module).stem
    return module.removesuffix(".plugin").rpartition(".")[2]


def import_file(path: Path) -> ModuleType:
    """Imports the module in a file, under a name that no other module has.

    The modules beside it can be imported too, as from a script; one that is installed wins over one of the same name.

    Raises:
        InputError: There is no such file, or it can't be imported as a script.
    """
    path = expanded(path).resolve()
    if not path.is_file():
        what = "not a plain file" if path.exists() else "no such file"
        raise InputError(f"{what}: {path}", hint="check the path", path=path)
    name = f"stoker_file_{path.stem}_{hashlib.sha256(os.fsencode(path)).hexdigest()[:8]}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise InputError(f"not a Python file: {path}", path=path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    is_new = str(path.parent) not in sys.path
    if is_new:
        sys.path.append(str(path.parent))
    try:
        _check_modules_beside(path)
        spec.loader.exec_module(module)
    except BaseException as error:
        del sys.modules[name]
        if is_new:
            sys.path.remove(str(path.parent))
        if isinstance(error, ImportError) and "no known parent package" in str(error):
            hint = "leave out the dot: from parts import …"
            raise InputError(f"{path} imports relative to a package, and is in none", hint=hint, path=path) from error
        raise
    return module


def _check_modules_beside(path: Path) -> None:
    """Refuses a file whose import of a module beside it would give it one of the same name beside another file."""
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):  # the import will say so
        return
    imported = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    imported += [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and not node.level]
    for name in dict.fromkeys(each.partition(".")[0] for each in imported):
        own = next(
            (file for file in (path.parent / f"{name}.py", path.parent / name / "__init__.py") if file.is_file()), None
        )
        there = getattr(sys.modules.get(name), "__file__", None)
        if own and there and Path(there).resolve() != own and _is_beside_a_file(Path(there)):
            raise InputError(
                f"{path} imports {name}, and another module of that name has been imported",
                received=there,
                expected=own,
                hint="rename one of the two",
                path=path,
            )


def _is_beside_a_file(module: Path) -> bool:
    """Returns whether a module was found because `import_file` has imported a file beside it."""
    files = [Path(str(each.__file__)) for name, each in list(sys.modules.items()) if name.startswith("stoker_file_")]
    return any(file.parent in module.resolve().parents for file in files)


def _import_built_in(module: str) -> ModuleType:
    """Imports a built-in plugin; one whose folder is missing offers nothing: a packaged job leaves some behind."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module.rpartition(".")[0]:
            raise
        return ModuleType(module)


def _packages() -> Iterator[importlib.metadata.Distribution]:
    """Yields all installed packages, each once: the one that Python imports."""
    seen = set()
    for package in importlib.metadata.distributions():
        name = _metadata(package, "Name")
        if not name or name not in seen:
            seen.add(name)
            yield package


def _of_package(package: importlib.metadata.Distribution) -> list[Found]:
    """Returns the plugins of one package; if its list is damaged, one that fails with the reason."""
    try:
        return [_of_entry(entry) for entry in package.entry_points.select(group=PROJECT)]
    except Exception as error:  # noqa: BLE001 - a damaged file may raise anything
        return [(_record(_metadata(package, "Name") or "unknown", package), partial(_refuse, error))]


def _refuse(error: Exception) -> None:
    raise InputError("its list of entry points is damaged", received=error, hint="install it again")


def _of_entry(entry: importlib.metadata.EntryPoint) -> Found:
    return _record(entry.name, entry.dist), entry.load


def _record(name: str, package: importlib.metadata.Distribution | None) -> PluginRecord:
    origin = _metadata(package, "Name") or "unknown package"
    return PluginRecord(name=name, origin=origin, version=_metadata(package, "Version"))


def _metadata(package: importlib.metadata.Distribution | None, key: str) -> str:
    """Returns what a package's metadata say; "" if they don't."""
    metadata = package.metadata if package else None
    return metadata[key] if metadata and key in metadata else ""

"""Runs in the other process of `process.Child`: makes a backend there and calls it."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import reduce
from importlib.machinery import ModuleSpec
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

from ...backend import Backend
from ...errors import BackendError, InputError, StokerError
from ...rundir import RunDirectory
from ...status import Handle
from .interrupt import Interrupt
from .process import MARK


def main(given: Mapping[str, Any]) -> None:
    """Does one thing with a new backend, and prints the result."""
    case = reduce(getattr, given["case"].split("."), _load(given["module"], Path(given["file"])))
    backend: Backend = case().make_backend()
    try:
        _answer({"value": _ACTIONS[given["action"]](backend, **given["arguments"])})
    except StokerError as error:
        kind = next(kind for kind in (BackendError, InputError, StokerError) if isinstance(error, kind))
        _answer({"error": kind.__name__, "message": f"{error} {error.hint}"})
    except Exception as error:  # noqa: BLE001 - a backend may raise anything; the suite says so
        _answer({"error": type(error).__name__, "message": str(error)})


def _answer(value: Mapping[str, Any]) -> None:
    sys.stdout.write(f"\n{MARK}{json.dumps(value)}\n")
    sys.stdout.flush()


def _load(name: str, file: Path) -> Any:
    """Loads the module of a test from its file, with the packages around it."""
    packages = name.split(".")[:-1]
    for depth in range(len(packages), 0, -1):
        folder = file.parents[len(packages) - depth]
        _make_package(".".join(packages[:depth]), folder)
    spec = spec_from_file_location(name, file)
    assert spec
    assert spec.loader
    module = sys.modules[name] = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _make_package(name: str, folder: Path) -> None:
    """Makes a package of that name from a folder's modules, without running its `__init__.py`."""
    spec = ModuleSpec(name, None, is_package=True)
    spec.submodule_search_locations = [str(folder)]
    sys.modules.setdefault(name, module_from_spec(spec))


def _status(backend: Backend, handle: str) -> Any:
    return backend.status(Handle.parse(handle)).to_json()


def _logs(backend: Backend, handle: str, *, offset: int = 0, follow: bool = False) -> str:
    return b"".join(backend.logs(Handle.parse(handle), offset, follow=follow)).decode("latin-1")


def _cancel(backend: Backend, handle: str) -> None:
    backend.cancel(Handle.parse(handle))


def _fetch(backend: Backend, handle: str, target: str) -> Any:
    return dict(backend.fetch(Handle.parse(handle), Path(target)).files)


def _register(backend: Backend, handle: str, name: str) -> Any:
    return asdict(backend.register(Handle.parse(handle), "model", name))


def _submit_and_die(backend: Backend, run_dir: str) -> None:
    run = RunDirectory(Path(run_dir))
    _answer({"value": str(backend.submit(run.job(), run.path))})
    os.kill(os.getpid(), signal.SIGKILL)


def _fetch_and_die(backend: Backend, handle: str, target: str, moment: int) -> int:
    """Fetches, and is killed at the file operation `moment`; returns how many there were if it survives."""
    with Interrupt(Path(target).parent, moment, lambda: os.kill(os.getpid(), signal.SIGKILL)) as interrupt:
        backend.fetch(Handle.parse(handle), Path(target))
    return interrupt.count


_ACTIONS: dict[str, Callable[..., Any]] = {
    "status": _status,
    "logs": _logs,
    "cancel": _cancel,
    "fetch": _fetch,
    "register": _register,
    "submit and die": _submit_and_die,
    "fetch and die": _fetch_and_die,
}

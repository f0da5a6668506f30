"""The suite tests this checkout, installed or not: its folder is the package `stoker`."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from importlib.util import module_from_spec
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() != ROOT]
_spec = ModuleSpec("stoker", None, is_package=True)
_spec.submodule_search_locations = [str(ROOT)]
sys.modules["stoker"] = module_from_spec(_spec)

from stoker.engine.cache import VARIABLE  # noqa: E402 - the package is made above


@pytest.fixture(scope="session", autouse=True)
def signals_arrive() -> None:
    """Has the processes that the suite starts obey signals that `nohup`, or a shell's `&`, made it ignore.

    A child inherits what is ignored, but not a handler: with one in its place, the child has the default.
    """
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, lambda *_: None)


@pytest.hookimpl(optionalhook=True)  # where xdist is not loaded, there is no such hook
def pytest_xdist_auto_num_workers() -> int:
    """Returns how many workers `--numprocesses auto` starts: one more than there are cores, since tests wait a lot."""
    return (os.cpu_count() or 1) + 1


@pytest.fixture(scope="session", autouse=True)
def session_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A cache for the processes that the suite starts: they share it, and the user's own stays as it is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def keras() -> Any:
    """The module `keras`, imported as the training process imports it."""
    from stoker.engine.training.runtime import import_keras

    return import_keras()[1]

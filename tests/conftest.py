"""The suite tests this checkout, installed or not: its folder is the package `stoker`."""

from __future__ import annotations

import sys
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


@pytest.fixture(scope="session")
def keras() -> Any:
    """The module `keras`, imported as the training process imports it."""
    from stoker.engine.tensorflow import import_keras

    return import_keras()[1]

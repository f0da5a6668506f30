"""The conformance suite for plugin authors: subclass a contract, name your plugin, and pytest runs every test.

    from stoker.engine.testing import BackendContract
    from stoker_ray.plugin import RayBackend


    class TestRay(BackendContract):
        def make_backend(self):
            return RayBackend()

A contract is loaded when it is asked for: the training process loads `trial` from here and needs no pytest.
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .contract import BackendContract
    from .dataset import DatasetContract
    from .model import ModelContract

__all__ = ["BackendContract", "DatasetContract", "ModelContract"]

_PLACES = {"BackendContract": "contract", "DatasetContract": "dataset", "ModelContract": "model"}
_WITH_ASSERTIONS = (
    "attaching",
    "cancelling",
    "case",
    "contract",
    "dataset",
    "faults",
    "fetching",
    "hostile",
    "life",
    "model",
    "planning",
    "process",
    "reading",
    "registering",
    "secrecy",
    "submitting",
    "unknown",
)

if sys.modules.get("pytest"):  # before any of them is imported, so that a failed assertion shows its values
    sys.modules["pytest"].register_assert_rewrite(*(f"{__name__}.{module}" for module in _WITH_ASSERTIONS))


def __getattr__(name: str) -> Any:
    """The contract of that name.

    Raises:
        ModuleNotFoundError: pytest is not installed.
    """
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        import pytest  # noqa: F401
    except ModuleNotFoundError as error:
        what = f"{name} needs pytest, which is not installed here; try: pip install 'stoker[testing]'"
        raise ModuleNotFoundError(what, name=error.name) from None
    return getattr(importlib.import_module(f"{__name__}.{_PLACES[name]}"), name)

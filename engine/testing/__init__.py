"""The conformance suite for plugin authors: subclass a contract, return your plugin, and pytest runs every test.

    from stoker.engine.testing import BackendContract
    from stoker_ray.plugin import RayBackend


    class TestRay(BackendContract):
        def make_backend(self):
            return RayBackend()

Each contract is loaded when it is asked for, because the training process loads `backend.payload_plugin` from here and
needs no pytest.
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .backend.contract import BackendContract
    from .dataset import DatasetContract
    from .model import ModelContract

__all__ = ["BackendContract", "DatasetContract", "ModelContract"]

_PLACES = {"BackendContract": "backend.contract", "DatasetContract": "dataset", "ModelContract": "model"}
_WITH_ASSERTIONS = (
    "backend.case",
    "backend.contract",
    "backend.elsewhere",
    "backend.interrupt",
    "backend.planning",
    "backend.process",
    "backend.promise_1_submit",
    "backend.promise_2_attach",
    "backend.promise_3_lost",
    "backend.promise_4_states",
    "backend.promise_5_logs",
    "backend.promise_6_cancel",
    "backend.promise_7_fetch",
    "backend.promise_7_hostile",
    "backend.promise_8_register",
    "backend.promise_9_faults",
    "backend.secrecy",
    "dataset",
    "model",
)

if sys.modules.get("pytest"):  # before any of them is imported, so that a failed assertion shows its values
    sys.modules["pytest"].register_assert_rewrite(*(f"{__name__}.{module}" for module in _WITH_ASSERTIONS))


def __getattr__(name: str) -> Any:
    """Returns the contract of that name, loaded when it is asked for.

    Raises:
        ModuleNotFoundError: pytest is not installed.
    """
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        import pytest  # noqa: F401
    except ModuleNotFoundError as error:
        from ..plugin.extras import missing_package

        missing = missing_package(name, "pytest", "testing")
        raise ModuleNotFoundError(f"{missing.what}; try: {missing.hint}", name=error.name) from None
    return getattr(importlib.import_module(f"{__name__}.{_PLACES[name]}"), name)

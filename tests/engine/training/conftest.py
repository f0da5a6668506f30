"""What several tests of the training need."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture
def float64(keras: Any) -> Iterator[None]:
    """Float64 throughout: in float32, rounding near a zero gradient moves weights by more than any error would."""
    for name in ("float64", "float32"):
        keras.config.set_floatx(name)
        keras.config.set_dtype_policy(name)
        if name == "float64":
            yield

"""The cases of a long table that `make test` tries; `make faults` tries the others."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import pytest


def sample(cases: Iterable[Any], tried: Collection[Any]) -> list[Any]:
    """Returns the parameters of a test, those marked `faults` that are not in `tried`."""
    found = list(cases)
    assert set(tried) <= set(found)
    return [pytest.param(case, marks=[] if case in tried else pytest.mark.faults) for case in found]

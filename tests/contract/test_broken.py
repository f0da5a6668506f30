"""For each promise, a backend that breaks it and no other: the suite fails its tests, and none of the others."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ..sample import sample
from .outcomes import outcomes

PROMISES = range(1, 10)


@pytest.mark.parametrize("promise", sample(PROMISES, {1, 4, 7}))
def test_a_backend_that_breaks_one_promise_fails_tests_of_that_promise_and_no_others(
    tmp_path: Path, promise: int
) -> None:
    case = f"TestPromise{promise}"
    ended = outcomes(tmp_path, "broken_backends.py", case)[case]
    assert ended.failed
    assert [name for name in sorted(ended.failed) if not name.startswith(f"test_promise_{promise}_")] == []
    names = ended.passed | ended.failed
    assert {int(match[1]) for name in names if (match := re.match(r"test_promise_(\d)_", name))} == set(PROMISES)

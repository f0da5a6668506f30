"""For each promise, a backend that breaks it and no other: the suite fails its tests, and none of the others."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ..sample import sample
from .outcomes import outcomes

PROMISES = range(1, 10)
CASES = [*(f"TestPromise{number}" for number in PROMISES), "TestPromise7Short"]


@pytest.mark.parametrize("case", sample(CASES, {"TestPromise1", "TestPromise4", "TestPromise7", "TestPromise7Short"}))
def test_a_backend_that_breaks_one_promise_fails_tests_of_that_promise_and_no_others(tmp_path: Path, case: str) -> None:
    promise = case.removeprefix("TestPromise")[0]
    ended = outcomes(tmp_path, "broken_backends.py", case)[case]
    assert ended.failed
    assert [name for name in sorted(ended.failed) if not name.startswith(f"test_promise_{promise}_")] == []
    names = ended.passed | ended.failed
    assert {int(match[1]) for name in names if (match := re.match(r"test_promise_(\d)_", name))} == set(PROMISES)

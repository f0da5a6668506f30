"""For each promise, a backend that breaks it and no other: the suite fails its tests, and none of the others."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from .outcomes import Outcomes, outcomes

PROMISES = range(1, 10)
AT_ONCE = 4
"""How many suites run beside each other: they mostly wait."""


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Outcomes]:
    """Returns how the suite ends on the backend that breaks each promise."""

    def run(promise: int) -> Outcomes:
        case = f"TestPromise{promise}"
        return outcomes(tmp_path_factory.mktemp(case), "broken_backends.py", case)[case]

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return dict(zip(PROMISES, pool.map(run, PROMISES), strict=True))


@pytest.mark.parametrize("promise", PROMISES)
def test_a_backend_that_breaks_one_promise_fails_tests_of_that_promise_and_no_others(
    ended: dict[int, Outcomes], promise: int
) -> None:
    failed = ended[promise].failed
    assert failed
    assert [name for name in sorted(failed) if not name.startswith(f"test_promise_{promise}_")] == []


@pytest.mark.parametrize("promise", PROMISES)
def test_the_tests_of_all_promises_were_run_on_each_broken_backend(ended: dict[int, Outcomes], promise: int) -> None:
    names = ended[promise].passed | ended[promise].failed
    assert {int(match[1]) for name in names if (match := re.match(r"test_promise_(\d)_", name))} == set(PROMISES)

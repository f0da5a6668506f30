"""The summary of a run survives JSON, and names the registered version if there is one."""

from __future__ import annotations

import contextlib
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from stoker.engine.backend import ModelVersion
from stoker.engine.summary import RunSummary

from .. import hostile

VERSIONS = st.none() | st.builds(
    ModelVersion, name=st.text(min_size=1), version=st.integers(1), digest=st.text(), location=st.text()
)
SUMMARIES = st.builds(
    RunSummary.of,
    metrics=st.dictionaries(st.text(), st.floats(allow_nan=False)),
    epochs=st.integers(0, 10**6),
    version=VERSIONS,
)
VERSION = ModelVersion(name="mnist", version=2, digest="0" * 64, location="/somewhere")
GOOD = RunSummary.of({"Final test loss": 0.25}, 3, VERSION).to_json()


@given(SUMMARIES)
def test_a_summary_is_the_same_after_json(summary: RunSummary):
    assert RunSummary.from_json(json.loads(json.dumps(summary.to_json()))) == summary


def test_a_summary_has_these_keys():
    whole = {"metrics": {"Final test loss": 0.25}, "epochs": 3, "model": "outputs/model"}
    assert {**whole, "registered": {"name": "mnist", "version": 2}} == GOOD
    assert RunSummary.of({"Final test loss": 0.25}, 3).to_json() == whole


@settings(max_examples=200)
@given(hostile.near(GOOD))
def test_any_json_is_a_summary_or_raises_what_is_documented(value: dict[str, Any]):
    with contextlib.suppress(KeyError, TypeError, ValueError, OverflowError):
        RunSummary.from_json(value)

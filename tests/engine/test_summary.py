"""The summary of a run survives JSON, and names the registered version if there is one."""

from __future__ import annotations

import contextlib
import json
from dataclasses import fields, replace
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
    lambda version, **fields: RunSummary(**fields).registered_as(version) if version else RunSummary(**fields),
    metrics=st.dictionaries(st.text(), st.floats(allow_nan=False)),
    epochs=st.integers(0, 10**6),
    not_finite_weights=st.integers(0, 10**6),
    version=VERSIONS,
)
VERSION = ModelVersion(name="mnist", version=2, digest="0" * 64, location="/somewhere")
PLAIN = RunSummary(metrics={"Final test loss": 0.25}, epochs=3)
GOOD = replace(PLAIN.registered_as(VERSION), not_finite_weights=7).to_json()


@given(SUMMARIES)
def test_a_summary_is_the_same_after_json(summary: RunSummary):
    assert RunSummary.from_json(json.loads(json.dumps(summary.to_json()))) == summary


def test_a_summary_has_these_keys():
    whole = {"metrics": {"Final test loss": 0.25}, "epochs": 3, "model": "outputs/model"}
    assert {**whole, "registered": {"name": "mnist", "version": 2}, "not_finite_weights": 7} == GOOD
    assert GOOD.keys() == {field.name for field in fields(RunSummary)}
    assert PLAIN.to_json() == whole


def test_a_summary_says_what_is_not_finite():
    assert PLAIN.not_finite == ""
    assert replace(PLAIN, not_finite_weights=1234).not_finite == "1,234 of its weights are NaN or infinite"
    broken = RunSummary(metrics={"Final test loss": float("inf")}, epochs=1, not_finite_weights=1)
    assert broken.not_finite == "its final test loss is inf, 1 of its weights are NaN or infinite"


@settings(max_examples=200)
@given(hostile.near(GOOD))
def test_any_json_is_a_summary_or_raises_what_is_documented(value: dict[str, Any]):
    with contextlib.suppress(KeyError, TypeError, ValueError, OverflowError):
        RunSummary.from_json(value)

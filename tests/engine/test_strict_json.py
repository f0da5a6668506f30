"""JSON without NaN and infinity, whose text stands beside."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stoker.engine import strict_json

NUMBERS = st.floats() | st.integers()
NAMES = st.text(max_size=5).filter(lambda name: name != "not_finite")
VALUES = st.recursive(
    NUMBERS | st.text() | st.booleans() | st.none(),
    lambda inner: st.lists(inner) | st.dictionaries(NAMES, inner),
    max_leaves=20,
)


def refuse(name: str) -> Any:
    raise AssertionError(f"{name} is not JSON")


@given(st.dictionaries(NAMES, VALUES), st.sampled_from([None, 2]))
def test_what_is_written_is_json_and_reads_back_the_same(value: dict[str, Any], indent: int | None):
    text = strict_json.dumps(value, indent)
    json.loads(text, parse_constant=refuse)
    assert repr(strict_json.loads(text)) == repr(value)  # NaN equals nothing, not even itself


def test_the_text_stands_beside_the_null():
    value = {"a": math.inf, "b": [1.0, [math.nan]], "c": {"d": -math.inf}, "e": 0.5}
    assert json.loads(strict_json.dumps(value)) == {
        "a": None,
        "b": [1.0, [None]],
        "c": {"d": None, "not_finite": {"d": "-inf"}},
        "e": 0.5,
        "not_finite": {"a": "inf", "b": [None, ["nan"]]},
    }


def test_finite_values_are_written_as_json_writes_them():
    value = {"loss": 0.1, "names": ["ä"], "nothing": None, "pair": (1, 2)}
    assert strict_json.dumps(value, 2) == json.dumps(value, indent=2)


@pytest.mark.parametrize(
    "text",
    [
        '{"loss": null, "not_finite": {"loss": "a lot"}}',
        '{"loss": null, "not_finite": {"loss": ["nan"]}}',
        '{"loss": null, "not_finite": {"loss": 5}}',
    ],
)
def test_a_text_that_is_no_number_changes_nothing(text: str):
    assert strict_json.loads(text) == {"loss": None}


@pytest.mark.parametrize("texts", ["true", '"nan"', "[1]"])
def test_a_figure_may_have_the_name_that_the_texts_have(texts: str):
    text = f'{{"loss": 0.5, "not_finite": {texts}}}'
    assert strict_json.loads(text) == json.loads(text)


@pytest.mark.parametrize(("value", "text"), [(math.nan, "null"), ([math.inf, 1.0], "[null, 1.0]")])
def test_a_number_outside_of_every_mapping_becomes_null_alone(value: Any, text: str):
    assert strict_json.dumps(value) == text


@pytest.mark.parametrize("text", ["[" * 450 + "]" * 450, '{"a":' * 450 + "1" + "}" * 450])
def test_what_is_nested_more_deeply_than_any_record_is_refused(text: str):
    with pytest.raises(ValueError, match="100 levels"):
        strict_json.loads(text)


def test_what_is_nested_less_is_read():
    assert strict_json.loads("[" * 90 + "]" * 90)

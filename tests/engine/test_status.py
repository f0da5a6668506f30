"""How a run stands and how it is found again, as values that survive JSON and text."""

from __future__ import annotations

import contextlib
import json
import os
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stoker.engine.errors import InputError
from stoker.engine.status import Handle, Progress, RunState, RunStatus

from .. import hostile

COUNTS = st.integers(0, 10**9)
FIGURES = st.floats(allow_nan=False)
PROGRESS = st.builds(
    Progress,
    epoch=COUNTS,
    epochs=COUNTS,
    step=COUNTS,
    steps=COUNTS,
    metrics=st.dictionaries(st.text(), FIGURES),
    step_rate=FIGURES,
)
STATUSES = st.builds(
    RunStatus,
    state=st.sampled_from(RunState),
    attempt=st.integers(1),
    message=st.text(),
    progress=st.none() | PROGRESS,
)
HANDLES = st.builds(
    Handle,
    backend=st.from_regex(r"[a-z][a-z0-9-]*", fullmatch=True),
    reference=st.text(min_size=1) | st.binary(min_size=1).filter(lambda raw: b"\0" not in raw).map(os.fsdecode),
)
GOOD = RunStatus(
    state=RunState.RUNNING,
    progress=Progress(epoch=1, epochs=2, step=3, steps=4, metrics={"loss": 0.5}),
).to_json()


@given(STATUSES)
def test_a_status_is_the_same_after_json(status: RunStatus):
    assert RunStatus.from_json(json.loads(json.dumps(status.to_json()))) == status


def test_fields_of_a_newer_version_are_left_out():
    value = {**GOOD, "mood": "good", "progress": {**GOOD["progress"], "joules": 3}}
    assert RunStatus.from_json(value) == RunStatus.from_json(GOOD)


@settings(max_examples=200)
@given(hostile.near(GOOD) | hostile.near(GOOD["progress"]).map(lambda progress: {**GOOD, "progress": progress}))
def test_any_json_is_a_status_or_raises_what_is_documented(value: dict[str, Any]):
    with contextlib.suppress(KeyError, TypeError, ValueError, OverflowError):
        RunStatus.from_json(value).to_json()


def test_the_states_that_end_a_run_are_four():
    assert {state for state in RunState if state.ended} == {"completed", "failed", "cancelled", "lost"}


@given(HANDLES)
def test_a_handle_is_the_same_after_text(handle: Handle):
    assert Handle.parse(str(handle)) == handle


@given(HANDLES)
def test_the_text_of_a_handle_is_one_word_of_plain_characters(handle: Handle):
    assert str(handle).isascii()
    assert str(handle).split() == [str(handle)]


@pytest.mark.parametrize("name", hostile.NAMES)
def test_a_handle_keeps_any_path(name: str):
    handle = Handle(backend="local", reference=f"/runs/{name}")
    assert Handle.parse(str(handle)) == handle


@pytest.mark.parametrize("text", ["", "://", "local://", "://x", "local", "local:/x", "C:\\runs"])
def test_what_is_no_handle_is_refused_with_the_form_of_one(text: str):
    with pytest.raises(InputError, match="not a handle") as caught:
        Handle.parse(text)
    assert caught.value.expected == "BACKEND://REFERENCE"


@settings(max_examples=200)
@given(st.text() | st.tuples(st.text(), st.text()).map("://".join))
def test_any_text_is_a_handle_or_refused_as_input(text: str):
    with contextlib.suppress(InputError):
        assert Handle.parse(text).reference

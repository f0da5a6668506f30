"""Events survive JSON."""

from __future__ import annotations

import contextlib
import json
import time
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from stoker.engine.event import EventKind, RunEvent
from stoker.engine.status import RunState

from .. import hostile

EVENTS = st.builds(
    RunEvent,
    kind=st.sampled_from(EventKind),
    run_id=st.text(),
    time_s=st.floats(allow_nan=False),
    data=st.dictionaries(st.text(), st.text() | st.integers() | st.floats(allow_nan=False) | st.none()),
)
GOOD = RunEvent(kind=EventKind.EPOCH, run_id="x", time_s=1.0, data={"epoch": 1}).to_json()


@given(EVENTS)
def test_an_event_is_the_same_after_json(event: RunEvent):
    assert RunEvent.from_json(json.loads(json.dumps(event.to_json()))) == event


def test_an_event_happens_now_unless_a_time_is_given():
    before = time.time()
    assert before <= RunEvent(kind=EventKind.STARTED, run_id="x").time_s <= time.time()


@settings(max_examples=200)
@given(hostile.near(GOOD))
def test_any_json_is_an_event_or_raises_what_is_documented(value: dict[str, Any]):
    with contextlib.suppress(KeyError, TypeError, ValueError, OverflowError):
        RunEvent.from_json(value)


def test_each_end_of_a_run_but_its_loss_has_an_event() -> None:
    """Else `append_end` would record nothing, and a run like that would be asked for again and again."""
    ends = {kind.end_state for kind in EventKind} - {None}
    assert ends == {state for state in RunState if state.ended} - {RunState.LOST}

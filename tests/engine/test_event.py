"""Events survive JSON; the line of an epoch is for people and is read back by programs."""

from __future__ import annotations

import contextlib
import json
import math
import time
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from stoker.engine.event import EpochReport, EventKind, RunEvent

from .. import hostile

FIGURES = st.floats(-1e300, 1e300) | st.sampled_from([math.inf, -math.inf, math.nan])
EVENTS = st.builds(
    RunEvent,
    kind=st.sampled_from(EventKind),
    run_id=st.text(),
    time_s=st.floats(allow_nan=False),
    data=st.dictionaries(st.text(), st.text() | st.integers() | st.floats(allow_nan=False) | st.none()),
)
REPORTS = st.builds(
    EpochReport,
    epoch=st.integers(1, 10**6),
    epochs=st.integers(1, 10**6),
    metrics=st.dictionaries(st.text(min_size=1).filter(lambda name: name.split() == [name]), FIGURES),
    seconds=st.floats(0, 1e7),
)
GOOD = RunEvent(kind=EventKind.EPOCH, run_id="x", time_s=1.0, data={"epoch": 1}).to_json()


def close(one: float, other: float) -> bool:
    """Whether a figure is another one as it was written: four digits behind the point, or four in all."""
    if math.isnan(one):
        return math.isnan(other)
    return one == other or math.isclose(one, other, rel_tol=1e-3, abs_tol=5e-5)


@given(EVENTS)
def test_an_event_is_the_same_after_json(event: RunEvent):
    assert RunEvent.from_json(json.loads(json.dumps(event.to_json()))) == event


def test_an_event_happens_now_unless_told_otherwise():
    before = time.time()
    assert before <= RunEvent(kind=EventKind.STARTED, run_id="x").time_s <= time.time()


@settings(max_examples=200)
@given(hostile.near(GOOD))
def test_any_json_is_an_event_or_raises_what_is_documented(value: dict[str, Any]):
    with contextlib.suppress(KeyError, TypeError, ValueError, OverflowError):
        RunEvent.from_json(value)


def test_the_line_of_an_epoch_reads_like_a_sentence():
    report = EpochReport(epoch=3, epochs=20, metrics={"loss": 0.05123, "val_loss": 1e-5}, seconds=0.361)
    assert report.line() == "epoch  3/20  loss 0.0512  val_loss 1.000e-05  0.36 s"


@given(REPORTS)
@example(EpochReport(epoch=1, epochs=1, metrics={"loss": math.inf, "accuracy": math.nan}, seconds=0))
@example(EpochReport(epoch=7, epochs=999_999, metrics={"epoch": -1e30, "s": 1e-30}, seconds=86400))
def test_the_line_of_an_epoch_is_read_back_as_it_was_rounded(report: EpochReport):
    found = EpochReport.parse(report.line())
    assert found is not None
    assert (found.epoch, found.epochs, list(found.metrics)) == (report.epoch, report.epochs, list(report.metrics))
    assert all(close(found.metrics[name], value) for name, value in report.metrics.items())
    assert math.isclose(found.seconds, report.seconds, abs_tol=0.0051)


@given(REPORTS)
def test_the_line_of_an_epoch_is_one_line(report: EpochReport):
    assert len(report.line().splitlines()) == 1


def test_a_name_with_spaces_is_written_as_one_word():
    line = EpochReport(epoch=1, epochs=1, metrics={"top 5\naccuracy": 0.5}, seconds=1).line()
    assert line == "epoch 1/1  top_5_accuracy 0.5000  1.00 s"


@pytest.mark.parametrize(
    "line",
    [
        "",
        "epoch",
        "epoch 1/2",
        "epoch 1/2  loss 0.5",
        "epoch 1/2  loss x  1.00 s",
        "epoch 1/2  loss 0.5  1.0.0 s",
        "epoch 1/2  loss --1  1.00 s",
        "Epoch 1/2  loss 0.5  1.00 s",
        "epoch 1/2  loss 0.5  1.00 s\n",
        " epoch 1/2  loss 0.5  1.00 s",
        "epoch " + "9" * 5000 + "/2  1.00 s",
    ],
)
def test_any_other_line_is_no_report(line: str):
    assert EpochReport.parse(line) is None


@settings(max_examples=200)
@given(st.text() | st.from_regex(r"epoch +\d+/\d+(  \S* [-+.\dainfe]+)*  [\d.]+ s", fullmatch=True))
def test_any_text_is_a_report_or_none(line: str):
    report = EpochReport.parse(line)
    assert report is None or report.epoch >= 0


def test_a_line_that_is_ten_times_as_long_takes_about_ten_times_as_long():
    def cost_s(figures: int) -> float:
        started = time.process_time()
        assert EpochReport.parse("epoch 1/2" + "  loss 0.5" * figures + " !") is None
        return time.process_time() - started

    assert min(cost_s(200_000) for _ in range(3)) < 40 * min(cost_s(20_000) for _ in range(3))

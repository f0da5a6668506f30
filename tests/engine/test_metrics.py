"""Figures have one name each and one form; the line of an epoch is for people and is read back by programs."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from stoker.engine import metrics
from stoker.engine.metrics import EpochReport

FIGURES = st.floats(-1e300, 1e300) | st.sampled_from([math.inf, -math.inf, math.nan])
REPORTS = st.builds(
    EpochReport,
    epoch=st.integers(1, 10**6),
    epochs=st.integers(1, 10**6),
    metrics=st.dictionaries(st.text(min_size=1).filter(lambda name: name.split() == [name]), FIGURES),
    seconds=st.floats(0, 1e7),
)


def close(one: float, other: float) -> bool:
    """Whether a figure is another one as it was written: four digits behind the point, or four in all."""
    if math.isnan(one):
        return math.isnan(other)
    return one == other or math.isclose(one, other, rel_tol=1e-3, abs_tol=5e-5)


NAMES = {
    "loss": "Training loss",
    "val_loss": "Loss",
    "top_5_accuracy": "Training top 5 accuracy",
    "val_top_5_accuracy": "Top 5 accuracy",
    "validity": "Training validity",
    "learning_rate": "Learning rate",
}


def test_the_figures_of_an_epoch_have_the_tutorials_names():
    assert metrics.epoch_names(dict.fromkeys(NAMES, 0.5)) == dict.fromkeys(NAMES.values(), 0.5)


def test_each_figure_of_an_epoch_is_of_the_training_or_the_validation_or_is_the_learning_rate():
    assert [name for name in NAMES if metrics.is_training(name)] == ["loss", "top_5_accuracy", "validity"]
    assert [name for name in NAMES if metrics.is_validation(name)] == ["val_loss", "val_top_5_accuracy"]


def test_a_final_figure_is_known_by_its_name():
    named = metrics.final_names({"loss": 0.1, "top_5_accuracy": 0.9})
    assert named == {"Final test loss": 0.1, "Final test top 5 accuracy": 0.9}
    assert all(map(metrics.is_final, named))
    assert not any(map(metrics.is_final, NAMES.values()))


def test_figures_of_the_validation_are_called_as_in_an_evaluation():
    assert metrics.validation({"loss": 0.2, "val_loss": 0.1, "val_auc": 0.9}) == {"loss": 0.1, "auc": 0.9}


def test_well_known_figures_come_first_under_short_labels():
    names = metrics.ordered(["auc", "val_accuracy", "val_loss", "accuracy", "loss", "learning_rate"])
    assert [metrics.label(name) for name in names] == ["loss", "acc", "val loss", "val acc", "auc", "lr"]


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.12345, "0.1235"), (0.0, "0.0000"), (1e-5, "1.000e-05"), (-2.5e7, "-2.500e+07"), (math.nan, "nan"), (None, "-")],
)
def test_a_value_has_four_decimals_where_those_are_useful(value: float | None, text: str):
    assert metrics.format_value(value) == text


@pytest.mark.parametrize(("rate", "text"), [(0.001, "0.001"), (np.float32(1e-5), "1e-05"), (0.0012345, "0.001234")])
def test_a_learning_rate_is_short_in_the_line_of_an_epoch_and_has_four_digits(rate: float, text: str):
    report = EpochReport(epoch=1, epochs=1, metrics={"loss": 0.5, "learning_rate": float(rate)}, seconds=1)
    assert report.line() == f"epoch 1/1  loss 0.5000  learning_rate {text}  1.00 s"
    found = EpochReport.parse(report.line())
    assert found is not None
    assert found.metrics["learning_rate"] == pytest.approx(float(rate), rel=1e-3)


def test_final_figures_are_found_in_a_log_as_they_stand_there():
    lines = [
        "epoch 1/1  loss 0.5000  1.00 s",
        "Final test loss: 1.000e-05",
        "Final test accuracy: 0.9816",
        "Final test",
    ]
    assert metrics.final_figures(lines) == {"Final test loss": "1.000e-05", "Final test accuracy": "0.9816"}


@pytest.mark.parametrize("name", ["AUC", "F1", "top-5", "recall@0.5", "d_loss", "mAP"])
def test_a_figure_keeps_its_name_from_the_model_to_the_log_and_back(name: str):
    (final,) = metrics.final_names({name: 0.5})
    assert metrics.final_figures([f"{final}: 0.5000"]) == {final: "0.5000"}
    assert metrics.epoch_name(f"val_{name}").lower() == name.replace("_", " ").lower()
    assert metrics.epoch_name(f"val_{name}")[1:] == name.replace("_", " ")[1:]


@pytest.mark.parametrize("name", ["loss", "val_loss", "d_loss", "val_g_loss", "Training d loss", "Final test d loss"])
def test_any_loss_that_is_not_finite_is_said(name: str):
    assert metrics.not_finite_losses({name: float("inf"), "weightloss": float("nan")}) == {name: float("inf")}


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

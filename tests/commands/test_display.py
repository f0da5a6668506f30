"""What a person, a pipe or a program sees of a run."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from stoker.engine.errors import UnknownNameError
from stoker.engine.metrics import EpochReport
from stoker.engine.status import Progress, RunState, RunStatus
from stoker.engine.terminal.text import clean, duration
from stoker.plugins.commands.display import dashboard, display
from stoker.plugins.commands.display.display import MODES, PATIENCE_S, display_mode, open_display
from stoker.plugins.commands.display.live import LiveDisplay
from stoker.plugins.commands.follow import _ENDED

from .. import patience

RUNNING = RunStatus(state=RunState.RUNNING)
WEIRD = [
    "\x1b[31mred\x1b[0m and \x1b]0;title\x07back",
    "\x1b[2J\x1b[Hwiped\x1b",
    "[red]markup[/red] [/] [link=x]",
    "long " * 400,
    "größe 模型 ✓ :smile:",
    "a\tb\tc",
    "10%\r50%\r100%\r",
    "nul \x00 bell \x07 csi \x9b31m bidi \u202e surrogate \udc80",
    "",
]


class Clock:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.TextIOWrapper):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def epoch_line(epoch: int, epochs: int = 20, **extra: float) -> str:
    metrics = {"loss": 0.5 / epoch, "accuracy": 0.9, "val_loss": 0.1234, "val_accuracy": 0.9712, **extra}
    return EpochReport(epoch=epoch, epochs=epochs, metrics=metrics, seconds=0.5).line()


def at_step(epoch: int, step: int, *, attempt: int = 1) -> RunStatus:
    progress = Progress(
        epoch=epoch, epochs=20, step=step, steps=1200, metrics={"loss": 0.0312, "accuracy": 0.9901}, step_rate=3412.0
    )
    return RunStatus(state=RunState.RUNNING, progress=progress, attempt=attempt)


class Screen:
    """A live display and the terminal that it writes to."""

    def __init__(self, width: int = 100, height: int = 40, **console: object) -> None:
        self.stream = io.StringIO()
        self.clock = Clock()
        options = {"force_terminal": True, "color_system": "standard", "_environ": {}, **console}
        self.console = Console(file=self.stream, width=width, height=height, **options)
        self.display = LiveDisplay("mnist-dnn", self.console, self.clock)

    def show(self, status: RunStatus, *lines: str) -> str:
        """Feeds lines and a status, when it is time to draw; returns what was written for it, without styles."""
        for line in lines:
            self.display.line(line)
        self.clock.now += 1
        before = len(self.stream.getvalue())
        self.display.status(status)
        return self.text(before)

    def close(self) -> str:
        before = len(self.stream.getvalue())
        self.display.close()
        return self.text(before)

    def text(self, since: int = 0) -> str:
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.stream.getvalue()[since:]).replace("\r", "")


# which display


@pytest.mark.parametrize(
    ("quiet", "as_json", "term", "encoding", "mode"),
    [
        (True, True, "xterm", "utf-8", "quiet"),
        (False, True, "xterm", "utf-8", "json"),
        (False, False, "xterm", "utf-8", "live"),
        (False, False, "dumb", "utf-8", "plain"),
        (False, False, "xterm", "ascii", "plain"),
    ],
)
def test_a_terminal_gets_the_live_display_unless_asked_otherwise_or_unable(
    monkeypatch, quiet, as_json, term, encoding, mode
):
    monkeypatch.setenv("TERM", term)
    stream = Terminal(io.BytesIO(), encoding=encoding)
    assert display_mode(quiet=quiet, json=as_json, stream=stream) == mode


def test_a_pipe_gets_plain_lines():
    assert display_mode(quiet=False, json=False, stream=io.StringIO()) == "plain"


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_takes_a_whole_run_and_a_second_close(mode):
    display = open_display(mode, "run", io.StringIO(), clock=Clock())
    display.status(RunStatus(state=RunState.QUEUED))
    display.line(epoch_line(1))
    display.status(RunStatus(state=RunState.COMPLETED))
    display.close()
    display.close()


def test_an_unknown_mode_is_refused_with_the_known_ones():
    with pytest.raises(UnknownNameError) as caught:
        open_display("fancy", "run", io.StringIO())
    assert caught.value.known == tuple(sorted(MODES))


def test_the_quiet_display_writes_nothing():
    stream = io.StringIO()
    display = open_display("quiet", "run", stream)
    display.line("text")
    display.status(RunStatus(state=RunState.FAILED, message="why"))
    display.close()
    assert stream.getvalue() == ""


def test_rich_is_loaded_for_a_live_display_only():
    code = (
        "import conftest, io, sys\n"
        "from stoker.plugins.commands.display.display import open_display\n"
        "open_display('plain', 'run', io.StringIO()); assert 'rich' not in sys.modules\n"
        "open_display('live', 'run', io.StringIO()).close(); assert 'rich' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[1], check=True, timeout=patience.PATIENCE_S)


# plain


def plain() -> tuple[io.StringIO, Clock, object]:
    stream, clock = io.StringIO(), Clock()
    return stream, clock, open_display("plain", "run", stream, clock=clock)


def test_plain_lines_are_those_of_the_log():
    stream, _, display = plain()
    for line in ("data: mnist", epoch_line(1), "  [red]x[/red]\t\x1b[1mbold", ""):
        display.line(line)
        display.status(at_step(1, 10))
    display.status(RunStatus(state=RunState.COMPLETED))
    assert stream.getvalue() == f"data: mnist\n{epoch_line(1)}\n  [red]x[/red]\t\x1b[1mbold\n\n"


def test_plain_says_what_a_run_waits_for_once_and_again_when_the_reason_changes():
    stream, _, display = plain()
    for state, message in [("queued", "no free node"), ("queued", "no free node"), ("queued", "quota\nused up")]:
        display.status(RunStatus(state=RunState(state), message=message))
    display.status(RunStatus(state=RunState.PREPARING, message="building the image"))
    display.status(RunStatus(state=RunState.RUNNING, message="going"))
    assert stream.getvalue() == "queued: no free node\nqueued: quota used up\npreparing: building the image\n"


def test_plain_mentions_a_wait_without_a_reason_only_when_it_lasts():
    stream, clock, display = plain()
    display.status(RunStatus(state=RunState.QUEUED))
    assert stream.getvalue() == ""
    for _ in range(3):
        clock.now += PATIENCE_S
        display.status(RunStatus(state=RunState.QUEUED))
    assert stream.getvalue() == "queued\n"


def test_plain_reports_a_new_attempt_once():
    stream, _, display = plain()
    for attempt in (1, 2, 2, 3):
        display.status(RunStatus(state=RunState.RUNNING, attempt=attempt))
    assert stream.getvalue() == "started again, attempt 2\nstarted again, attempt 3\n"


def test_plain_writes_escapes_for_what_the_encoding_lacks():
    data = io.BytesIO()
    stream = io.TextIOWrapper(data, encoding="ascii")
    open_display("plain", "run", stream).line("schön \udc80")
    assert data.getvalue() == b"sch\\xf6n \\udc80\n"


def test_plain_lets_a_broken_pipe_out():
    class Closed(io.StringIO):
        def flush(self) -> None:
            raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        open_display("plain", "run", Closed()).line("text")


# JSON


def test_json_has_one_object_per_line_for_lines_epochs_and_states():
    stream = io.StringIO()
    display = open_display("json", "run", stream)
    for line in ["data: mnist", epoch_line(1), *WEIRD]:
        display.line(line)
        display.status(at_step(1, 10))
        display.status(at_step(1, 20))
    display.status(RunStatus(state=RunState.FAILED, message="no space"))
    values = [json.loads(line) for line in stream.getvalue().splitlines()]
    metrics = {"loss": 0.5, "accuracy": 0.9, "val_loss": 0.1234, "val_accuracy": 0.9712}
    assert values == [
        {"kind": "line", "text": "data: mnist"},
        {"kind": "status", "state": "running", "attempt": 1, "message": ""},
        {"kind": "epoch", "epoch": 1, "epochs": 20, "metrics": metrics, "seconds": 0.5},
        *({"kind": "line", "text": line} for line in WEIRD),
        {"kind": "status", "state": "failed", "attempt": 1, "message": "no space"},
    ]


def test_json_has_the_figures_of_the_run_where_they_are_known_and_else_those_of_the_log():
    stream = io.StringIO()
    open_display("json", "run", stream, exact=lambda report: {"loss": 0.1 * report.epoch}).line(epoch_line(3))
    metrics = json.loads(stream.getvalue())["metrics"]
    assert (metrics["loss"], metrics["val_loss"]) == (0.1 * 3, 0.1234)


def test_json_writes_figures_that_are_not_finite_as_null_with_their_text_beside():
    stream = io.StringIO()
    open_display("json", "run", stream).line(epoch_line(1, loss=float("nan"), val_loss=float("-inf")))
    metrics = json.loads(stream.getvalue(), parse_constant=pytest.fail)["metrics"]
    assert (metrics["loss"], metrics["val_loss"]) == (None, None)
    assert metrics["not_finite"] == {"loss": "nan", "val_loss": "-inf"}


# live


@pytest.mark.parametrize("width", [60, 80, 100, 160, 200])
def test_live_shows_epoch_rate_time_left_and_figures_within_the_width(width):
    screen = Screen(width)
    text = screen.show(at_step(7, 712), *(epoch_line(epoch) for epoch in range(1, 7)))
    for part in ("mnist-dnn", "● running", "epoch  7/20", "712/1200", "3,412 steps/s", "7 s left", "now"):
        assert part in text
    for part in ("loss 0.0312", "acc 0.9901", "epoch 6  val loss 0.1234  val acc 0.9712", "━ train  ┅ val"):
        assert part in text
    assert [line.split()[0] for line in text.splitlines() if line.lstrip()[:1].isdigit()][:5] == list("23456")
    assert max(map(cell_len, (text + screen.close()).splitlines())) <= width


@pytest.mark.parametrize("width", [1, 5, 12, 24, 36, 47])
@pytest.mark.parametrize("state", list(RunState))
def test_live_stays_within_narrow_terminals(width, state):
    screen = Screen(width)
    progress = at_step(7, 712).progress
    status = RunStatus(state=state, progress=progress, message="a reason of some length", attempt=2)
    text = screen.show(status, *(epoch_line(epoch, top_5_accuracy=1.0) for epoch in range(1, 7)))
    assert max(map(cell_len, (text + screen.close()).splitlines())) <= width


@pytest.mark.parametrize("height", [3, 8, 12, 18, 24])
def test_live_leaves_out_the_last_panels_where_there_are_too_few_lines(height):
    screen = Screen(60, height)
    text = screen.show(at_step(7, 712), *(epoch_line(epoch) for epoch in range(1, 7)))
    assert "mnist-dnn" in text
    assert len(text.splitlines()) <= height
    assert ("712/1200" in text) == (height >= 8)
    assert "┅ val" in screen.close()


def test_live_shows_how_long_a_run_waits_and_for_what():
    screen = Screen()
    queued = RunStatus(state=RunState.QUEUED, message="no free node")
    screen.show(queued)
    screen.clock.now += 79
    text = screen.show(queued)
    assert "● queued  ○ preparing  ○ running  ○ finalizing" in text
    assert "no free node, 1 min 20 s so far" in text
    assert "✓ queued  ● preparing" in screen.show(RunStatus(state=RunState.PREPARING))


def test_live_shows_whole_epochs_where_the_backend_knows_no_steps():
    text = Screen().show(RUNNING, *(epoch_line(epoch) for epoch in range(1, 7)))
    for part in ("epoch  6/20", "30%", "7 s left", "epoch 6  loss 0.0833  acc 0.9000  val loss 0.1234"):
        assert part in text
    assert "steps/s" not in text


def test_live_estimates_the_first_epoch_by_the_rate_of_its_steps():
    assert "8 s left" in Screen().show(at_step(1, 0))


def test_live_shows_the_attempt_and_drops_the_epochs_that_it_trains_again():
    screen = Screen()
    screen.show(at_step(7, 1), *(epoch_line(epoch) for epoch in range(1, 7)))
    text = screen.show(at_step(4, 1, attempt=2), epoch_line(3, val_loss=0.7777))
    assert "attempt 2" in text
    assert "epoch 3  val loss 0.7777" in text
    assert "0.0833" not in text


@pytest.mark.parametrize(
    ("state", "mark"),
    [
        (RunState.COMPLETED, "✓ completed"),
        (RunState.FAILED, "✗ failed"),
        (RunState.CANCELLED, "■ cancelled"),
        (RunState.LOST, "? lost"),
    ],
)
def test_live_leaves_the_end_of_the_run_and_gives_the_cursor_back(state, mark):
    screen = Screen(60)
    screen.show(at_step(7, 712), *(epoch_line(epoch) for epoch in range(1, 7)))
    screen.show(RunStatus(state=state, message="can't write [red]x[/red]: no space is left on the device, disk full"))
    text = screen.close()
    for part in (mark, "can't write [red]x[/red]: no space", "disk full", "6 of 20 epochs, 3.00 s of training"):
        assert part in text
    assert "712/1200" not in text
    assert screen.stream.getvalue().rstrip("\n").endswith("\x1b[?25h")


@pytest.mark.parametrize("state", RunState)
def test_live_and_plain_and_json_take_every_state(state):
    assert str(state) in Screen(200).show(RunStatus(state=state))
    for mode in ("plain", "json"):
        stream = io.StringIO()
        open_display(mode, "run", stream, clock=Clock()).status(RunStatus(state=state, message="a reason"))
        assert (str(state) in stream.getvalue()) == (mode == "json" or state in display._WAITING)


def test_every_state_is_in_each_table_of_the_display():
    ended = {state for state in RunState if state.ended}
    assert set(dashboard._ENDS) == ended
    assert set(dashboard._PHASES) == set(RunState) - ended
    before_it_runs = set(dashboard._PHASES[: dashboard._PHASES.index(RunState.RUNNING)])
    assert before_it_runs == set(dashboard._WAITING) == display._WAITING
    assert set(_ENDED) == ended - {RunState.COMPLETED}


def test_live_puts_lines_of_the_log_above_the_dashboard_in_their_order():
    screen = Screen(60)
    text = screen.show(RUNNING, "first", epoch_line(1), "second " + "x" * 100, "third")
    assert text.startswith("first\nsecond " + "x" * 100 + "\nthird\n")
    assert "first" not in screen.show(RUNNING)


def test_live_loses_no_line_that_comes_after_the_last_status():
    screen = Screen()
    screen.show(RUNNING)
    screen.display.line("Traceback (most recent call last):")
    assert "Traceback (most recent call last):\n" in screen.close()


def test_live_writes_the_log_of_a_run_that_never_had_a_status():
    screen = Screen()
    screen.display.line("text")
    assert screen.close().split() == ["text"]


def test_live_attached_late_draws_once_for_the_whole_log():
    screen = Screen()
    screen.show(RUNNING)
    text = screen.show(at_step(20, 3), *(epoch_line(epoch) for epoch in range(1, 20)), "noted")
    assert text.count("mnist-dnn") == 1
    assert "epoch 19  val loss" in text


def test_live_draws_at_most_a_dozen_times_a_second():
    screen = Screen()
    screen.show(at_step(1, 1))
    before = len(screen.stream.getvalue())
    screen.clock.now += 0.01
    screen.display.status(at_step(1, 2))
    assert len(screen.stream.getvalue()) == before
    screen.display.status(RunStatus(state=RunState.FINALIZING))
    assert "● finalizing" in screen.text(before)


@pytest.mark.parametrize("line", WEIRD)
def test_live_neither_crashes_on_nor_obeys_weird_lines(line):
    screen = Screen(60)
    screen.show(RUNNING, line)
    written = screen.stream.getvalue()
    assert "\x1b[31m" not in written
    own = re.sub(r"\x1b\[(?:[0-9;]*m|2K|1A|\?25[lh])|\r", "", written)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e\udc80]", own)
    assert "● running" in own


def test_live_keeps_the_text_of_weird_lines():
    text = Screen(60).show(RUNNING, *WEIRD)
    for part in ("red and back\n", "wiped\n", WEIRD[2], WEIRD[3].strip(), WEIRD[4], "100%\n", "nul  bell  csi 31m"):
        assert part in text
    assert "50%" not in text


@given(st.text())
def test_a_clean_line_has_no_control_character_but_tabs(text):
    assert not re.search(r"[\x00-\x08\x0a-\x1f\x7f-\x9f]", clean(text))


@given(st.text(st.characters(categories=["L", "N", "P", "S", "Zs"])))
def test_cleaning_leaves_ordinary_text_alone(text):
    assert clean(text) == text


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), 1e308, -1e308, 5e-324, 0.0])
@pytest.mark.parametrize("later", [0.5, float("nan")])
def test_live_draws_curves_of_any_figures(value, later):
    screen = Screen()
    lines = [epoch_line(1, loss=value, val_loss=value), epoch_line(2, loss=later, val_loss=-later, accuracy=value)]
    assert "epoch" in screen.show(at_step(3, 0), *lines)


def test_live_takes_a_line_with_impossible_epochs_for_a_line_of_the_log():
    for line in ("epoch 0/0  1.00 s", "epoch 5/3  loss 0.1  1.00 s", f"epoch 1/{10**400}  1.00 s"):
        assert Screen().show(RUNNING, line).startswith(f"{line}\n")


def test_live_takes_progress_with_nothing_to_do():
    progress = Progress(epoch=0, epochs=0, step=0, steps=0)
    assert "0/0" in Screen().show(RunStatus(state=RunState.RUNNING, progress=progress))


def test_live_takes_epochs_without_figures_and_metrics_with_strange_names():
    text = Screen(60).show(RUNNING, "epoch 1/2  1.00 s", "epoch 2/2  [red] 0.1000  \x1b[1m模型 0.2000  1.00 s")
    assert "[red] 0.1000" in text
    assert "模型 0.2000" in text


def test_live_shows_other_metrics_as_far_as_they_fit():
    lines = [epoch_line(1, top_5_accuracy=0.5555), epoch_line(2, top_5_accuracy=0.6666)]
    assert "top 5 acc     s" in Screen(100).show(at_step(3, 0), *lines)
    assert "top 5 acc" not in Screen(50).show(at_step(3, 0), *lines)


def test_live_shows_a_long_run_from_its_first_epoch_to_its_last():
    text = Screen().show(RUNNING, *(epoch_line(epoch, 3000) for epoch in range(1, 2501)))
    assert "3000" in text.splitlines()[-1]
    assert "0.5 ⡇" in text


def test_live_uses_no_colour_where_none_is_wanted():
    colours = r"\x1b\[(?:[0-9;]*;)?(?:3[0-8]|9[0-7])[;m]"
    for environment, coloured in (({}, True), ({"NO_COLOR": "1"}, False)):
        screen = Screen(_environ=environment)
        screen.show(at_step(2, 3), epoch_line(1))
        assert bool(re.search(colours, screen.stream.getvalue())) == coloured


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (7.2, "8 s"), (59.5, "1 min 00 s"), (200, "3 min 20 s"), (7500, "2 h 05 min")]
)
def test_a_duration_has_two_units_at_most(seconds, text):
    assert duration(seconds) == text

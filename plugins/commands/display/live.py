"""The live display: the log scrolls by above a dashboard of progress bars, figures, a table and curves."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TextIO

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.segment import Segment, SegmentLines
from rich.text import Text

from ....engine.metrics import EpochReport
from ....engine.status import RunStatus
from ....engine.terminal.text import clean
from .dashboard import panels

WIDEST = 120
"""The most columns of the dashboard: in a wider one, what belongs together is too far apart."""

PERIOD_S = 0.08
"""The first status after this time draws the dashboard again."""

_MOST_EPOCHS = 10**7


def open_live(title: str, stream: TextIO, clock: Callable[[], float]) -> LiveDisplay:
    """Opens the live display on `stream`, a terminal."""
    return LiveDisplay(title, Console(file=stream), clock)


class LiveDisplay:
    """Shows a run in a dashboard that is redrawn in place, with the log above it; `close` leaves the last state.

    Collects lines until the next status is drawn: the long log of a run that is watched late then takes one piece of
    output and one drawing.
    """

    def __init__(self, title: str, console: Console, clock: Callable[[], float]) -> None:
        self._title = clean(title)
        self._console = console
        self._clock = clock
        self._pending: list[str] = []
        self._reports: list[EpochReport] = []
        self._status: RunStatus | None = None
        self._since = self._drawn = clock()
        self._live = Live(
            self,
            console=console,
            auto_refresh=False,
            redirect_stdout=sys.stdout.isatty(),
            redirect_stderr=sys.stderr.isatty(),
            vertical_overflow="crop",
        )
        self._live.start()

    def line(self, text: str) -> None:
        """Keeps the figures of an epoch for the table, and any other line for the log above the dashboard."""
        text = clean(text)
        report = EpochReport.parse(text)
        if report is None or not 1 <= report.epoch <= report.epochs <= _MOST_EPOCHS:
            self._pending.append(text)
            return
        while self._reports and self._reports[-1].epoch >= report.epoch:
            self._reports.pop()  # a new attempt trained this epoch again
        self._reports.append(report)

    def status(self, status: RunStatus) -> None:
        """Keeps the status, and draws it if it is time or the state is new."""
        now = self._clock()
        changed = self._status is None or status.state != self._status.state
        self._status = status
        if changed:
            self._since = now
        if changed or now - self._drawn >= PERIOD_S:
            self._drawn = now
            self._draw()

    def close(self) -> None:
        """Writes the rest of the log and the last state of the dashboard, and shows the cursor again."""
        if self._live.is_started:
            self._draw()
            self._live.stop()

    def _draw(self) -> None:
        """Draws the dashboard, and prints waiting lines of the log above it."""
        if not self._pending:
            self._live.refresh()
            return
        self._console.print(Text("\n".join(self._pending)), soft_wrap=True)
        self._pending.clear()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draws as many panels of the dashboard, from the first on, as the terminal has lines for."""
        own = console.options.update(width=min(console.width, WIDEST))  # `options` may be those of the log above
        height = console.height if self._live.is_started else sys.maxsize
        lines: list[list[Segment]] = []
        waited_s = self._clock() - self._since
        shown = panels(self._title, self._status, self._reports, waited_s, own.max_width) if self._status else ()
        for panel in shown:
            block = console.render_lines(panel, own, pad=False)
            if lines and len(lines) + 1 + len(block) > height:
                break
            lines += [[], *block]
        yield SegmentLines(lines, new_lines=True)

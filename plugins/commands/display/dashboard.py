"""The dashboard of a run: panels of phases, progress bars, figures, a table of the last epochs and curves of all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import median

from rich.cells import cell_len
from rich.console import RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ....engine.metrics import EpochReport, format_value, is_training, is_validation, label, ordered
from ....engine.status import Progress, RunState, RunStatus
from ....engine.terminal.text import clean, duration, rate
from .curves import GAP, NARROWEST, charts

_RECENT = 5
_NARROW = 48
_MOST_FIGURES = 8
_PHASES = (RunState.QUEUED, RunState.PREPARING, RunState.RUNNING, RunState.FINALIZING)
_WAITING = (RunState.QUEUED, RunState.PREPARING)
"""The phases before the training, of which the dashboard says how long they have taken."""
_ENDS = {
    RunState.COMPLETED: ("✓", "bold green"),
    RunState.FAILED: ("✗", "bold red"),
    RunState.CANCELLED: ("■", "bold yellow"),
    RunState.LOST: ("?", "bold red"),
}


def panels(
    title: str, status: RunStatus, reports: Sequence[EpochReport], waited_s: float, width: int
) -> Iterator[RenderableType]:
    """Yields the panels of the dashboard, the most important first.

    Args:
        title: The name of the run, for a person.
        status: The status of the run.
        reports: The epochs that are finished.
        waited_s: Seconds since the state changed.
        width: Columns of the dashboard.
    """
    yield _header(title, status, waited_s, width)
    yield from _progress(status, reports, width)
    if reports:
        yield from _history(reports, width)


def _header(title: str, status: RunStatus, waited_s: float, width: int) -> Text:
    """Returns the title, the phases (done, current and to come), and the message."""
    state = _state(status)
    if cell_len(title) + 3 + state.cell_len > width:
        state = Text.assemble(_mark(status.state, status.state))
    text = Text(title, style="bold")
    text.truncate(max(width - 3 - state.cell_len, 8), overflow="ellipsis")
    text = Text.assemble(text, "   ", state)
    message = "\n".join(clean(line) for line in status.message.splitlines())
    if status.state in _WAITING and waited_s >= 2:
        message = ", ".join(filter(None, (message, f"{duration(waited_s)} so far")))
    if message:
        text.append("\n" + message, "red" if status.state is RunState.FAILED else "dim")
    return text


def _state(status: RunStatus) -> Text:
    phases = _PHASES if status.state in _PHASES else (status.state,)
    text = Text("  ").join(Text.assemble(_mark(phase, status.state)) for phase in phases)
    if status.attempt > 1:
        text.append(f"   attempt {status.attempt}", "yellow")
    return text


def _mark(phase: RunState, state: RunState) -> tuple[str, str]:
    """Returns a phase as a text and its style, for a run in `state`."""
    if phase in _ENDS:
        mark, style = _ENDS[phase]
        return f"{mark} {phase}", style
    ahead = _PHASES.index(phase) - _PHASES.index(state)
    if ahead == 0:
        return f"● {phase}", "bold cyan"
    return (f"○ {phase}", "dim") if ahead > 0 else (f"✓ {phase}", "dim")


def _progress(status: RunStatus, reports: Sequence[EpochReport], width: int) -> Iterator[RenderableType]:
    """Yields the progress bars and the current figures; of an ended run, its last figures."""
    if not status.state.ended and (status.progress or reports):
        yield _progress_bars(status.progress, reports, width)
        yield _figures(status.progress, reports, width)
    elif reports:
        seconds = sum(report.seconds for report in reports)
        spent = f"{seconds:.2f} s" if seconds < 60 else duration(seconds)
        what = Text(f"{reports[-1].epoch} of {reports[-1].epochs} epochs, {spent} of training")
        yield _packed([what, _named("", reports[-1].metrics, width)], GAP, width)


def _progress_bars(progress: Progress | None, reports: Sequence[EpochReport], width: int) -> Table:
    """Draws the progress bar of the epoch, if the backend reports steps, and that of the run."""
    grid = Table.grid(padding=(0, 2, 0, 0), expand=True)
    grid.add_column(no_wrap=True)
    grid.add_column(ratio=1)
    grid.add_column(no_wrap=True, justify="right")
    if width >= _NARROW:
        grid.add_column(no_wrap=True, justify="right", min_width=len("12,345 steps/s"))
    done, epochs = _done(progress, reports)
    left = _seconds_left(progress, reports)
    what = "run" if progress else f"epoch {_of(int(done), epochs)}"
    rows = [(what, _bar(done, epochs), f"{done / epochs:.0%}", "" if left is None else f"{duration(left)} left")]
    if progress:
        bar = _bar(progress.step, progress.steps)
        step = _of(progress.step, progress.steps)
        rows.insert(0, (f"epoch {_of(progress.epoch, epochs)}", bar, step, rate(progress.step_rate)))
    for row in rows:
        grid.add_row(*row[: len(grid.columns)])
    return grid


def _of(part: int, whole: int) -> str:
    """Returns a fraction such as "712/1200", padded to one width."""
    return f"{part:>{len(str(whole))}}/{whole}"


def _bar(done: float, total: float) -> ProgressBar:
    return ProgressBar(completed=done, total=max(total, 1), complete_style="cyan", finished_style="cyan")


def _done(progress: Progress | None, reports: Sequence[EpochReport]) -> tuple[float, int]:
    """Returns how many epochs are done, with the part of the current one, and how many there are."""
    if progress is None:
        return reports[-1].epoch, reports[-1].epochs
    return progress.epoch - 1 + progress.step / max(progress.steps, 1), max(progress.epochs, 1)


def _seconds_left(progress: Progress | None, reports: Sequence[EpochReport]) -> float | None:
    """Estimates the time for the rest from the last epochs, and in the first one from its step rate."""
    done, epochs = _done(progress, reports)
    if done >= epochs:
        return None
    if reports:
        return (epochs - done) * median(report.seconds for report in reports[-_RECENT:])
    if progress and progress.step_rate > 0:
        return (epochs - done) * progress.steps / progress.step_rate
    return None


def _figures(progress: Progress | None, reports: Sequence[EpochReport], width: int) -> Text:
    """Returns the running figures, and those of the last epoch."""
    last = reports[-1].metrics if reports else {}
    validation = {name: value for name, value in last.items() if is_validation(name)}
    parts = []
    if progress:
        unknown = dict.fromkeys(filter(is_training, last))
        parts.append(_named("now", progress.metrics or unknown, width))
    if reports:
        shown = validation if progress and validation else last  # the training figures stand before them already
        parts.append(_named(f"epoch {reports[-1].epoch}", shown, width))
    return _packed(parts, GAP, width)


def _named(what: str, metrics: Mapping[str, float] | Mapping[str, None], width: int) -> Text:
    pieces = [Text(what, style="dim")] if what else []
    for name in ordered(metrics)[:_MOST_FIGURES]:
        pieces.append(Text.assemble((f"{label(name)} ", "dim"), (f"{format_value(metrics[name], name):<6}", "bold")))
    return _packed(pieces if metrics else [*pieces, Text("-")], 2, width)


def _packed(pieces: Sequence[Text], gap: int, width: int) -> Text:
    """Puts the pieces one after the other, on as few lines as they need."""
    lines: list[Text] = []
    for piece in pieces:
        if lines and lines[-1].cell_len + gap + piece.cell_len <= width:
            lines[-1] = Text(" " * gap).join([lines[-1], piece])
        else:
            lines.append(piece)
    return Text("\n").join(lines)


def _history(reports: Sequence[EpochReport], width: int) -> Iterator[RenderableType]:
    """Yields the table of the last epochs and the curves of all, side by side if there is room."""
    columns = _columns(reports[-_RECENT:], width)
    widths = [max(map(cell_len, column)) for column in columns]
    table = _table(columns, widths)
    room = width - sum(widths) - 2 * (len(widths) - 1) - GAP
    if room >= 2 * NARROWEST + GAP:
        yield _side_by_side(table, *charts(reports, room))
    else:
        yield table
        yield _side_by_side(*charts(reports, width))


def _columns(reports: Sequence[EpochReport], width: int) -> list[list[str]]:
    """Returns the columns of the table, with as many of the metrics as fit."""
    names = ordered(dict.fromkeys(name for report in reports for name in report.metrics))
    columns = [["epoch", *(str(report.epoch) for report in reports)]]
    columns += [[label(name), *(format_value(report.metrics.get(name), name) for report in reports)] for name in names]
    columns += [["s", *(f"{report.seconds:.2f}" for report in reports)]]
    while len(columns) > 2 and sum(max(map(cell_len, column)) + 2 for column in columns) > width + 2:
        columns.pop(-2)
    return columns


def _table(columns: Sequence[Sequence[str]], widths: Sequence[int]) -> Text:
    rows = [
        Text("  ".join(" " * (width - cell_len(cell)) + cell for cell, width in zip(row, widths, strict=True)))
        for row in zip(*columns, strict=True)
    ]
    rows[-1].stylize("bold")
    rows[0].stylize("dim")
    return Text("\n").join(rows)


def _side_by_side(*blocks: Text) -> Table:
    grid = Table.grid(padding=(0, GAP, 0, 0))
    grid.add_row(*blocks)
    return grid

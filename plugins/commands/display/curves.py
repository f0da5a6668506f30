"""Curves of loss and accuracy over the epochs, drawn in Braille characters."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from rich.text import Text

from ....engine.metrics import VALIDATION, EpochReport, label

GAP = 4
"""Columns between two blocks side by side."""

NARROWEST = 20
"""The least columns of a curve."""

_WIDE = 36
_ROWS = 4
_CURVES = (("━ train", "cyan", 1), ("┅ val", "magenta", 2))
_MOST_POINTS = 200
_HUGE = 1e100


def charts(reports: Sequence[EpochReport], width: int) -> list[Text]:
    """Draws the curves of loss and accuracy, or only of the loss where there is no room for two."""
    known = {name.removeprefix(VALIDATION) for name in reports[-1].metrics}
    names = [name for name in ("loss", "accuracy") if name in known]
    if width < 2 * NARROWEST + GAP:
        names = names[:1]
    each = min((width - GAP) // 2 if len(names) > 1 else width, _WIDE)
    thinned = [*reports[:1], *reports[:: -(len(reports) // _MOST_POINTS + 1)][::-1]]
    return [_chart(name, thinned, each) for name in names]


def _chart(name: str, reports: Sequence[EpochReport], width: int) -> Text:
    """Draws a metric's curves, in training and in validation, with a title and an axis of epochs."""
    curves = [_curve(name, reports), _curve(VALIDATION + name, reports)]
    title = Text(label(name), style="bold")
    for curve, (mark, style, _) in zip(curves, _CURVES, strict=True):
        if curve:
            title.append(f"  {mark}", f"not bold {style}")
    values = [value for curve in curves for value in curve.values()]
    if not values:
        return title.append("  no finite figure", "not bold dim")
    top, bottom = f"{max(values):.3g}", f"{min(values):.3g}"
    margin = max(len(top), len(bottom))
    last = min(reports[-1].epochs, max(32, 1 << (reports[-1].epoch - 1).bit_length()))
    canvas = _Canvas(width - margin - 1, _ROWS)
    for curve, (_, style, every) in zip(curves, _CURVES, strict=True):
        canvas.draw(_placed(curve, last, min(values), max(values)), style, every)
    scale = [top, *[""] * (_ROWS - 2), bottom]
    lines = [Text.assemble((f"{at:>{margin}} ", "dim"), line) for at, line in zip(scale, canvas.lines(), strict=True)]
    axis = f"{'':{margin}} 1{last:>{width - margin - 2}}"
    return Text("\n").join([title, *lines, Text(axis, style="dim")])


def _curve(name: str, reports: Sequence[EpochReport]) -> dict[int, float]:
    """Returns the figures that can be drawn, by epoch: no NaN, no infinity, nothing near it."""
    return {report.epoch: report.metrics[name] for report in reports if abs(report.metrics.get(name, math.nan)) < _HUGE}


def _placed(curve: Mapping[int, float], last: int, low: float, high: float) -> list[tuple[float, float]]:
    """Returns the points of a curve in the unit square."""
    return [((epoch - 1) / max(last - 1, 1), (value - low) / (high - low or 1)) for epoch, value in curve.items()]


class _Canvas:
    """A drawing in Braille characters. A cell has 2 by 4 dots and the style of what was drawn there last."""

    _BITS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))  # Unicode, block 2800-28FF

    def __init__(self, columns: int, rows: int) -> None:
        self._columns, self._rows = columns, rows
        self._cells: dict[tuple[int, int], tuple[int, str]] = {}

    def draw(self, points: Sequence[tuple[float, float]], style: str, every: int) -> None:
        """Draws every `every`-th dot of the line through `points`, which lie in the unit square."""
        right, bottom = 2 * self._columns - 1, 4 * self._rows - 1
        dots = [(round(x * right), round((1 - y) * bottom)) for x, y in points]
        for x, y in list(_line(dots))[::every]:
            cell = (y // 4, x // 2)
            self._cells[cell] = (self._cells.get(cell, (0, ""))[0] | self._BITS[y % 4][x % 2], style)

    def lines(self) -> list[Text]:
        """Returns the drawing line by line."""
        rows = []
        for row in range(self._rows):
            cells = [self._cells.get((row, column), (0, "")) for column in range(self._columns)]
            rows.append(Text.assemble(*((chr(0x2800 + bits) if bits else " ", style) for bits, style in cells)))
        return rows


def _line(dots: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yields all dots of the line that connects `dots`."""
    yield from dots[:1]
    for (x0, y0), (x1, y1) in pairwise(dots):
        count = max(abs(x1 - x0), abs(y1 - y0))
        for i in range(1, count + 1):
            yield x0 + round((x1 - x0) * i / count), y0 + round((y1 - y0) * i / count)

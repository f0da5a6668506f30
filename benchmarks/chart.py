"""Draws the charts: an epoch against the others, and epochs over the batch size."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from typing import Any

INK, GRID, OURS, OTHERS = "#30343b", "#e5e7eb", "#c2410c", "#94a3b8"
_LINES = (OURS, "#64748b", "#1d4ed8")

Section = Mapping[str, Any]


def draw_epoch(section: Section, path: Path) -> Path:
    """Bars: one epoch of each contender, the shortest on top."""
    data = section["data"]
    found = {
        data["titles"][name]: median(value for values in rounds for value in values)
        for name, rounds in data["rounds"].items()
    }
    names = sorted(found, key=lambda name: -found[name])
    figure, axes = _figure(8, 0.7 + 0.38 * len(names))
    values = [found[name] for name in names]
    bars = axes.barh(names, values, color=[OURS if name == "stoker" else OTHERS for name in names], height=0.68)
    axes.bar_label(bars, labels=[f"{value:.2f} s" for value in values], padding=4, color=INK)
    _title(figure, "One epoch, 60,000 images, batch 50, with validation: seconds")
    axes.set_xlim(0, max(values) * 1.12)
    axes.set_xticks([])
    axes.tick_params(axis="y", length=0, colors=INK)
    return _save(figure, axes, path)


def draw_batch(section: Section, path: Path) -> Path:
    """Lines: one epoch over the batch size, both logarithmic."""
    found, titles = section["data"]["seconds"], section["data"]["titles"]
    sizes = [int(size) for size in found]
    figure, axes = _figure(8, 4)
    for (name, title), colour in zip(titles.items(), _LINES, strict=False):
        values = [found[str(size)][name] for size in sizes]
        axes.plot(sizes, values, color=colour, label=title, marker="o", markersize=4)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
    axes.minorticks_off()
    ticks = [0.2, 0.5, 1, 2, 5]
    axes.set_yticks(ticks, [str(tick) for tick in ticks])
    axes.set_xlabel("batch size", color=INK)
    axes.grid(color=GRID)
    axes.tick_params(colors=INK, length=0)
    axes.legend(frameon=False)
    _title(figure, "One epoch, 60,000 images, with validation: seconds")
    return _save(figure, axes, path)


CHARTS: Mapping[str, Callable[[Section, Path], Path]] = {"epoch": draw_epoch, "batch": draw_batch}
"""The sections that have a chart."""


def _figure(width: float, height: float) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    return figure, figure.add_subplot()


def _title(figure: Any, text: str) -> None:
    figure.suptitle(text, x=0.01, horizontalalignment="left", color=INK, fontsize=11)


def _save(figure: Any, axes: Any, path: Path) -> Path:
    import matplotlib as mpl

    for side in ("top", "right", "bottom", "left"):
        axes.spines[side].set_visible(False)
    with mpl.rc_context({"svg.hashsalt": "stoker"}):  # the same measurements give the same bytes
        figure.savefig(path, format="svg", metadata={"Date": None, "Creator": "stoker"})
    return path

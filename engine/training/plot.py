"""Draws `Accuracy vs Loss` in a separate process: `python -P plot.py OUTPUT.png < history.json`.

The file stands alone (nothing of stoker is imported), so that it starts fast and matplotlib stays out of the training.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

_PATIENCE_S = 60.0
INK, LOSS, ACCURACY, GRID = "#30343b", "#c2410c", "#1d4ed8", "#e5e7eb"


class Drawing:
    """A picture that is drawn by another process, which imports what it needs while the training gets ready.

    Attributes:
        output: The PNG that it will be.
    """

    def __init__(self, output: Path) -> None:
        self.output = output
        self._process: subprocess.Popen[bytes] | None = None
        self._not_started = ""
        command = [sys.executable, "-P", __file__, str(output)]
        try:
            output.parent.mkdir(parents=True, exist_ok=True)
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
            )
        except OSError as error:  # a run needs no picture
            self._not_started = str(error)

    def draw(self, history: Mapping[str, Sequence[float]]) -> None:
        """Lets it draw this history; returns at once."""
        if self._process is None:
            return
        with contextlib.suppress(BrokenPipeError):  # it has died, and `finish` returns why
            if self._process.stdin:
                self._process.stdin.write(json.dumps(history).encode())
                self._process.stdin.close()
        self._process.stdin = None

    def finish(self) -> str:
        """Waits until the picture is there; "" or, in one line, why it is not."""
        if self._process is None:
            return self._not_started
        try:
            _, complaint = self._process.communicate(timeout=_PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            _, complaint = self._process.communicate()
        if not self._process.returncode:
            return ""
        return complaint.decode(errors="replace").strip().rpartition("\n")[2] or "its process was killed"


def draw(history: Mapping[str, Sequence[float]], output: Path) -> None:
    """Writes a PNG of loss and accuracy over the epochs.

    Args:
        history: Figures by Keras' names: {"loss": [0.25, …], "accuracy": …, "val_loss": …, "val_accuracy": …}.
        output: Where to write.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(8, 4.5), dpi=120, layout="constrained")
    left = figure.add_subplot()
    right = left.twinx()
    left.set_title("Accuracy vs Loss", color=INK, fontsize=13, loc="left", pad=12)
    _curves(left, history, "loss", LOSS)
    _curves(right, history, "accuracy", ACCURACY)
    left.set_xlabel("epoch", color=INK)
    left.grid(color=GRID)
    left.xaxis.set_major_locator(MaxNLocator(integer=True))
    lines = [*left.get_lines(), *right.get_lines()]
    figure.legend(lines, [str(line.get_label()) for line in lines], loc="outside lower center", ncols=4, frameon=False)
    figure.savefig(output, format="png")


def _curves(axes: Any, history: Mapping[str, Sequence[float]], name: str, colour: str) -> None:
    for key, label, style in ((name, f"{name}, training", ":"), (f"val_{name}", f"{name}, validation", "-")):
        values = history.get(key, ())
        if values:
            axes.plot(range(1, len(values) + 1), values, style, color=colour, label=label, marker="o", markersize=3)
    axes.set_ylabel(name, color=colour)
    axes.tick_params(axis="y", colors=colour)
    for side in ("top", "left", "right", "bottom"):
        axes.spines[side].set_visible(side == "bottom")


def main() -> None:
    """Reads the history from standard input and writes the picture beside its place, then there."""
    import matplotlib.backends.backend_agg
    import matplotlib.figure  # noqa: F401 - now, while the history is still being made

    history = sys.stdin.read()
    if history:  # else the training ended without one
        output = Path(sys.argv[1])
        beside = output.with_name(f".{output.name}.tmp")
        draw(json.loads(history), beside)
        beside.replace(output)


if __name__ == "__main__":
    main()

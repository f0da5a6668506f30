"""A sheet of sample images with their labels, as a PNG file or as text for a terminal."""

from __future__ import annotations

import itertools
import math
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..engine import files
from ..engine.command import command_line
from ..engine.data import Dataset, Split
from ..engine.errors import DatasetError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from rich.text import Text

_SHADES = " .:-=+*#%@"
"""From empty to full, for terminals without colours."""


def choose(split: Split, count: int) -> list[int]:
    """Chooses samples: the first one of each class, the second one of each class, and so on.

    Args:
        split: Where to choose from.
        count: How many; if there are fewer, all of them.

    Returns:
        Positions in the split, `count` of them at most.
    """
    order = np.argsort(split.labels, kind="stable")
    labels = split.labels[order]
    begins = np.r_[True, labels[1:] != labels[:-1]]
    first = np.maximum.accumulate(np.where(begins, np.arange(len(labels)), 0))
    turn = np.arange(len(labels)) - first
    return [int(position) for position in order[np.lexsort((labels, turn))][:count]]


def write_png(dataset: Dataset, split_name: str, count: int, path: Path) -> None:
    """Draws a sheet of samples into a PNG file, which appears whole or not at all.

    Args:
        dataset: The data set; its images must be pictures, [height, width] or [height, width, 1, 3 or 4].
        split_name: "train" or "test".
        count: How many samples.
        path: The PNG file.

    Raises:
        DatasetError: The images are not pictures.
        StorageError: The file can't be written.
    """
    from matplotlib.figure import Figure

    split, columns = _split(dataset, split_name), _columns(dataset, count)
    chosen = choose(split, count)
    rows = math.ceil(len(chosen) / columns)
    figure = Figure(figsize=(0.8 * columns + 0.4, 0.98 * rows + 0.8), dpi=120, layout="constrained")
    figure.suptitle(
        f"{dataset.name}: {len(chosen)} of {len(split):,} {split_name} examples, {dataset.classes} classes",
        fontsize=10,
        parse_math=False,
    )
    places = list(figure.subplots(rows, columns, squeeze=False).flat)
    for place in places:
        place.set_axis_off()
    for place, position in zip(places, chosen, strict=False):
        place.set_title(str(split.labels[position]), fontsize=9, color="tab:blue", pad=3)
        _draw(place, _picture(split.images[position]))
    with warnings.catch_warnings(), files.atomic_writer(path) as stream:
        warnings.filterwarnings("ignore", "Glyph", UserWarning)  # a name in letters that the font lacks is no error
        figure.savefig(stream, format="png")


def terminal_sheet(dataset: Dataset, split_name: str, count: int, *, width: int, colours: bool) -> list[Text]:
    """Draws samples as lines of text, two rows of pixels in each line.

    Args:
        dataset: The data set; its images must be pictures.
        split_name: "train" or "test".
        count: How many samples.
        width: Of the terminal, in characters.
        colours: Whether it shows colours; if not, characters of different weight stand for the shades.

    Raises:
        DatasetError: The images are not pictures.
    """
    from rich.text import Text

    split = _split(dataset, split_name)
    blocks = [(str(split.labels[one]), _shades(split.images[one])) for one in choose(split, count)]
    block_width = blocks[0][1].shape[1] + 2
    columns = max(1, min(_columns(dataset, count), width // block_width))
    lines = []
    for start in range(0, len(blocks), columns):
        row = blocks[start : start + columns]
        lines.append(Text("".join(label.center(block_width) for label, _ in row)))
        for upper in range(0, row[0][1].shape[0], 2):
            lines.append(Text("  ").join(_line(shades[upper : upper + 2], colours) for _, shades in row))
    return lines


def _split(dataset: Dataset, name: str) -> Split:
    return dataset.train if name == "train" else dataset.test


def _columns(dataset: Dataset, count: int) -> int:
    """Returns as many columns as classes where that makes a good sheet: each column is then one class."""
    return max(1, min(count, dataset.classes if 5 <= dataset.classes <= 16 else 10))


def _picture(example: NDArray[Any]) -> NDArray[np.float64]:
    """Scales one example to 0 to 1: float64 [height, width] or [height, width, 3 or 4]."""
    if example.ndim == 3 and example.shape[2] == 1:
        example = example[:, :, 0]
    if example.ndim != 2 and not (example.ndim == 3 and example.shape[2] in {3, 4}):
        raise DatasetError(
            "the examples of this data set can't be drawn",
            received=f"examples of shape {list(example.shape)}",
            expected="pictures: [height, width] or [height, width, 1, 3 or 4]",
            hint=f"`{command_line('data', 'info')}` describes data sets of any shape",
        )
    values = example.astype(np.float64)
    lowest = min(0.0, float(values.min()))
    return (values - lowest) / ((float(values.max()) - lowest) or 1.0)


def _draw(place: Axes, picture: NDArray[np.float64]) -> None:
    place.imshow(picture, cmap="gray_r", vmin=0, vmax=1, interpolation="nearest")


def _shades(example: NDArray[Any]) -> NDArray[np.uint8]:
    """Returns one example in shades of grey: uint8 [height, width], with an even number of rows."""
    picture = _picture(example)
    grey = picture if picture.ndim == 2 else picture[:, :, :3].mean(axis=2)
    even: NDArray[np.float64] = np.pad(grey, ((0, grey.shape[0] % 2), (0, 0)))
    return (even * 255).round().astype(np.uint8)


def _line(pair: NDArray[np.uint8], colours: bool) -> Text:
    """Draws two rows of pixels, uint8 [2, width], as one line of characters."""
    from rich.text import Text

    if not colours:
        weights = pair.mean(axis=0) / 256 * len(_SHADES)
        return Text("".join(_SHADES[int(weight)] for weight in weights))
    line = Text()
    for (upper, lower), run in itertools.groupby((int(upper), int(lower)) for upper, lower in pair.T):
        line.append("▀" * len(list(run)), f"#{upper:02x}{upper:02x}{upper:02x} on #{lower:02x}{lower:02x}{lower:02x}")
    return line

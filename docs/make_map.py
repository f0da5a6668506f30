"""Draws docs/map.svg from the imports of the code: the rooms, and which room imports from which.

Run it with any Python: `python docs/make_map.py`, or `make docs`. A room is a folder; those of `engine/` are drawn each
by itself, and its flat files are the contract. The folders below `datasets/` and below a plugin are parts of one room.
An arrow that follows from two others is left out.
"""

from __future__ import annotations

import ast
import re
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = Path(__file__).with_name("map.svg")
ENTRY, CONTRACT = "cli.py", "engine"
ROWS = (
    (ENTRY,),
    ("plugins/commands", "plugins/azureml"),
    ("plugins/local", "plugins/trackers", "datasets", "models", "plugins/azureml_emulator"),
    ("engine/runs", "engine/testing"),
    ("engine/training", "engine/packaging"),
    ("engine/plugin",),
    ("engine/options", "engine/terminal"),
    (CONTRACT,),
)
"""Where each room stands; arrows lead to lower rows only."""

DOORS = {"engine/package.py": "engine/packaging"}
"""Flat files of the contract that only hand out what a folder has; each is drawn with its folder."""

WIDTH, ROW_HEIGHT, BOX_HEIGHT, MARGIN = 900, 108, 62, 12
ROOMY, CROWDED = 230, 134
"""Widths of a box in a row with few and with many."""
LARGE, SMALL = 7.7, 6.0
"""Widths of the letters of a title, and of what stands below it."""
APART = 8
"""Between arrows beside each other, and between an arrow and a box."""

STYLE = """\
  rect { fill: #f6f8fa; stroke: #8c959f }
  rect.base { fill: #ddf4ff }
  path { fill: none; stroke: #8c959f; stroke-width: 1.3 }
  marker path { fill: #8c959f; stroke: none }
  text { fill: #1f2328; font: 600 13px system-ui, sans-serif; text-anchor: middle }
  text.dim { fill: #59636e; font-weight: 400; font-size: 11px }
  @media (prefers-color-scheme: dark) {
    rect { fill: #212830; stroke: #656c76 }
    rect.base { fill: #121d2f }
    path { stroke: #656c76 }
    marker path { fill: #656c76 }
    text { fill: #f0f6fc }
    text.dim { fill: #9198a1 }
  }"""
"""Colours without variables, which some viewers of SVG don't know."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Box:
    """Where a room is drawn."""

    left: float
    top: float
    width: float

    @property
    def right(self) -> float:
        """Its right edge."""
        return self.left + self.width

    @property
    def middle(self) -> float:
        """The middle of its upper and lower edge."""
        return self.left + self.width / 2


def room_of(path: Path) -> str:
    """Returns the room of a file of the package."""
    name = path.relative_to(ROOT).as_posix()
    if name in DOORS:
        return DOORS[name]
    folder = path.relative_to(ROOT).parts[:-1]
    if not folder:
        return ENTRY
    return "/".join(folder[:2]) if folder[0] in {"engine", "plugins"} else folder[0]


def imports() -> dict[str, set[str]]:
    """Returns the rooms that each room imports from, what only type checkers import with them."""
    files = [ROOT / ENTRY, *(path for part in ("engine", "plugins", "datasets", "models") for path in _modules(part))]
    found: dict[str, set[str]] = {room_of(path): set() for path in files}
    for path in files:
        for target in _imported(path):
            found[room_of(path)].add(room_of(target))
    return {room: targets - {room} for room, targets in found.items()}


def _modules(part: str) -> list[Path]:
    """The files of a part that have code in them."""
    return [path for path in sorted((ROOT / part).rglob("*.py")) if path.name != "__init__.py" or _has_code(path)]


def _has_code(path: Path) -> bool:
    return len(ast.parse(path.read_text(encoding="utf-8")).body) > 1


def _imported(path: Path) -> Iterator[Path]:
    """The files of stoker that a file imports, by relative imports and by the name `stoker`."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.ImportFrom):
            continue
        words = (node.module or "").split(".") if node.module else []
        if node.level:
            start = path.parents[node.level - 1]
        elif words[0] == "stoker":
            start, words = ROOT, words[1:]
        else:
            continue
        for name in node.names:
            place = start.joinpath(*words, name.name)
            yield from _file(place) or _file(start.joinpath(*words))


def _file(place: Path) -> list[Path]:
    """The file of a module, if it is one."""
    return [path for path in (place.with_suffix(".py"), place / "__init__.py") if path.is_file()][:1]


def direct(arrows: dict[str, set[str]]) -> dict[str, set[str]]:
    """Returns the arrows without those that follow from others."""
    return {
        room: {target for target in targets if not any(target in _reached(arrows, other) for other in targets)}
        for room, targets in arrows.items()
    }


def _reached(arrows: dict[str, set[str]], room: str) -> set[str]:
    """The rooms below a room."""
    found: set[str] = set()
    waiting = [room]
    while waiting:
        new = arrows.get(waiting.pop(), set()) - found
        found |= new
        waiting += new
    return found


def subject(room: str) -> str:
    """Returns what a room is for, as its first line says."""
    if room == CONTRACT:
        return "the contract: everything above imports it, and a plugin may"
    path = ROOT / room if room == ENTRY else ROOT / room / "__init__.py"
    said = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return re.split(r"[:;.]", said, maxsplit=1)[0]


def page() -> str:
    """Returns the picture."""
    boxes = {room: box for number, row in enumerate(ROWS) for room, box in _row(number, row)}
    arrows = direct(imports())
    if arrows.keys() != boxes.keys():
        raise SystemExit(f"error: ROWS must have the rooms that there are: {sorted(arrows.keys() ^ boxes.keys())}")
    roads = _Roads(boxes)
    height = len(ROWS) * ROW_HEIGHT - (ROW_HEIGHT - BOX_HEIGHT) + 2 * MARGIN
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" aria-labelledby="title">',
        '<title id="title">The rooms of stoker, and which imports from which</title>',
        f"<style>\n{STYLE}\n</style>",
        '<marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
        '<path d="M0 0 8 4 0 8z"/></marker>',
        *(roads.arrow(boxes[room], boxes[target]) for room in boxes for target in sorted(arrows[room])),
        *(_drawn(room, box) for room, box in boxes.items()),
        "</svg>",
    ]
    return "\n".join([*lines, ""])


def _row(number: int, rooms: tuple[str, ...]) -> Iterator[tuple[str, Box]]:
    """The boxes of a row, with as much space beside each."""
    least = WIDTH - 2 * MARGIN if rooms == (CONTRACT,) else ROOMY if len(rooms) < 4 else CROWDED
    widths = [max(least, len(room) * LARGE + 2 * APART) for room in rooms]
    space = (WIDTH - 2 * MARGIN - sum(widths)) / len(rooms)
    left = MARGIN + space / 2
    for room, width in zip(rooms, widths, strict=True):
        yield room, Box(left=left, top=MARGIN + number * ROW_HEIGHT, width=width)
        left += width + space


class _Roads:
    """Draws arrows that go around boxes, and beside each other."""

    def __init__(self, boxes: dict[str, Box]) -> None:
        self._boxes = boxes
        self._used: set[tuple[float, int]] = set()

    def arrow(self, source: Box, target: Box) -> str:
        """An arrow from the lower edge of a box to the upper edge of another."""
        x, y = source.middle, source.top + BOX_HEIGHT
        aim = x if target.width > ROOMY else target.middle
        parts = [f"M{x:.0f} {y:.0f}"]
        tops = sorted({box.top for box in self._boxes.values() if source.top < box.top < target.top})
        for top in tops:
            straight = x + (aim - x) * (top - y + BOX_HEIGHT / 2) / (target.top - y)
            to = self._free(top, straight)
            parts += [_curve(x, y, to, top - APART), f"V{top + BOX_HEIGHT + APART:.0f}"]
            x, y = to, top + BOX_HEIGHT + APART
        to = self._unused(target.top, x if aim != target.middle else aim + (x - aim) / 12)
        return f'<path d="{"".join(parts)}{_curve(x, y, to, target.top)}" marker-end="url(#tip)"/>'

    def _free(self, top: float, wanted: float) -> float:
        """The place nearest to the wanted one that no box of a row covers."""
        row = sorted((box for box in self._boxes.values() if box.top == top), key=lambda box: box.left)
        edges = [0.0, *(edge for box in row for edge in (box.left, box.right)), float(WIDTH)]
        gaps = zip(edges[::2], edges[1::2], strict=True)
        places = [min(max(wanted, left + APART), right - APART) for left, right in gaps]
        return self._unused(top, min(places, key=lambda place: abs(place - wanted)))

    def _unused(self, top: float, wanted: float) -> float:
        """A place near the wanted one that no other arrow has."""
        steps = (0, 1, -1, 2, -2, 3, -3)
        step = next((step for step in steps if (top, round(wanted / APART) + step) not in self._used), 0)
        self._used.add((top, round(wanted / APART) + step))
        return wanted + step * APART


def _curve(x: float, y: float, to_x: float, to_y: float) -> str:
    bend = (to_y - y) * 0.6
    return f"C{x:.0f} {y + bend:.0f} {to_x:.0f} {to_y - bend:.0f} {to_x:.0f} {to_y:.0f}"


def _drawn(room: str, box: Box) -> str:
    """A box with the name of the room and what it is for, in two lines at most."""
    kind = ' class="base"' if room == CONTRACT else ""
    title = f"{room}/*.py" if room == CONTRACT else room
    said = textwrap.wrap(subject(room), int((box.width - APART) / SMALL), max_lines=2, placeholder=" …")
    return "".join(
        [
            f'<rect{kind} x="{box.left:.0f}" y="{box.top}" width="{box.width:.0f}" height="{BOX_HEIGHT}" rx="6"/>',
            f'<text x="{box.middle:.0f}" y="{box.top + 21}">{escape(title)}</text>',
            *(
                f'<text class="dim" x="{box.middle:.0f}" y="{box.top + 38 + 14 * number}">{escape(line)}</text>'
                for number, line in enumerate(said)
            ),
        ]
    )


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"wrote {PAGE}\n")

"""The map of the rooms is what the imports say, and its arrows lead down."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from stoker.engine.plugin.discovery import import_file

ROOT = Path(__file__).resolve().parents[2]
MAP: Any = import_file(ROOT / "docs/make_map.py")
ROW = {room: number for number, row in enumerate(MAP.ROWS) for room in row}


def test_the_map_is_what_the_imports_say() -> None:
    assert MAP.PAGE.read_text(encoding="utf-8") == MAP.page(), "draw it again with `make docs`"


def test_arrows_lead_down_only() -> None:
    assert [(a, b) for a, targets in MAP.imports().items() for b in targets if ROW[a] >= ROW[b]] == []


def test_each_room_is_drawn_with_its_name_and_within_the_picture() -> None:
    drawing = ElementTree.fromstring(MAP.page())
    _, _, width, height = map(float, drawing.attrib["viewBox"].split())
    boxes = drawing.findall("{*}rect")
    titles = [text.text for text in drawing.findall("{*}text") if "class" not in text.attrib]
    assert sorted(titles) == sorted(f"{room}/*.py" if room == MAP.CONTRACT else room for room in ROW)
    assert all(0 <= float(box.attrib["x"]) <= width - float(box.attrib["width"]) for box in boxes)
    assert all(0 <= float(box.attrib["y"]) <= height - float(box.attrib["height"]) for box in boxes)


def test_the_map_needs_nothing_from_elsewhere_and_knows_the_dark() -> None:
    page = MAP.page()
    assert set(re.findall(r"https?://[^\s\"]+", page)) == {"http://www.w3.org/2000/svg"}
    assert "prefers-color-scheme: dark" in page


def test_an_arrow_that_follows_from_others_is_left_out() -> None:
    arrows = {"a": {"b", "c", "d"}, "b": {"c"}, "c": {"d"}, "d": set()}
    assert MAP.direct(arrows) == {"a": {"b"}, "b": {"c"}, "c": {"d"}, "d": set()}


def table_of_changes() -> list[str]:
    """What the table "to change this, open that" has in its second column."""
    section = (
        (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").partition("| To change this")[2].partition("\n\n")[0]
    )
    return [line.split("|")[2] for line in section.splitlines()[2:]]


@pytest.mark.parametrize(
    "path", sorted({path for cell in table_of_changes() for path in re.findall(r"`([\w/]+/[\w./]*)`", cell)})
)
def test_each_path_of_the_table_of_changes_is_there(path: str) -> None:
    assert any((place / path).exists() for place in (ROOT, ROOT / "plugins/azureml", ROOT / "engine/training"))

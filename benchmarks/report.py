"""Writes what was measured: `table.md` for people, `results.json` for programs, charts for both."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from . import chart
from .machine import in_words

DATA = "results.json"
"""The file with all that was measured."""

_HEAD = """\
# Benchmarks

Written by `make bench`. {machine}.

Ratios are what counts: each is of one run, in which all took turns, and is the median of its rounds. {minutes:.0f}
minutes in all.
"""


def write(folder: Path, results: Mapping[str, Any]) -> list[Path]:
    """Writes the files into a folder.

    Args:
        folder: Where to write; it is made if it is not there.
        results: `machine`, `seconds`, and `sections`, a list of what `Section.to_json` gave.

    Returns:
        What was written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = [folder / DATA, folder / "table.md"]
    written[0].write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    written[1].write_text(table(results), encoding="utf-8")
    for section in results["sections"]:
        draw = chart.CHARTS.get(section["name"])
        if draw:
            written.append(draw(section, folder / f"{section['name']}.svg"))
    return written


def beside(results: Mapping[str, Any], before: Mapping[str, Any], order: Sequence[str]) -> dict[str, Any]:
    """The results of some sections beside those of the others from before, which keep their machine.

    Args:
        results: What was measured now.
        before: What was written before.
        order: The names of all sections, in order.
    """
    kept = {section["name"]: {"machine": before["machine"], **section} for section in before["sections"]}
    new = {section["name"]: {**section, "machine": results["machine"]} for section in results["sections"]}
    sections = [{**kept, **new}[name] for name in order if name in {**kept, **new}]
    return {"machine": sections[0]["machine"], "seconds": before["seconds"] + results["seconds"], "sections": sections}


def table(results: Mapping[str, Any]) -> str:
    """The page: the targets, then each section's table and notes."""
    head = _HEAD.format(machine=in_words(results["machine"]), minutes=results["seconds"] / 60)
    targets = [target for section in results["sections"] for target in section["targets"]]
    parts = [head]
    if targets:
        parts += ["## Targets\n", _grid(("what", "measured", "target", "reached"), map(_target, targets))]
    for section in results["sections"]:
        parts += [f"## {section['title']}\n"]
        if section.get("machine", results["machine"]) != results["machine"]:
            parts += [f"Measured apart: {in_words(section['machine'])}.\n"]
        parts += [_grid(section["columns"], section["rows"])]
        parts += ["\n".join(f"- {note}" for note in section["notes"]) + "\n"] if section["notes"] else []
    return "\n".join(parts)


def _target(target: Mapping[str, Any]) -> list[str]:
    unit, bound = target["unit"], "at least" if target["least"] else "at most"
    measured = f"{target['measured']:.2f}" if isinstance(target["measured"], float) else f"{target['measured']:,}"
    return [target["what"], f"{measured}{unit}", f"{bound} {target['limit']}{unit}", "yes" if target["met"] else "no"]


def _grid(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines) + "\n"

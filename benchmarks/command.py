"""The command line of the benchmarks: chooses sections, measures them, and writes what was found."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from . import machine, report
from .bench import Bench
from .section import Section
from .sections import azureml, batch, cost, epoch, heavy, kinds, memory, whole

RESULTS = Path(__file__).resolve().parent / "results"
SECTIONS: dict[str, Callable[[Bench], Section]] = {
    "epoch": epoch.measure,
    "whole": whole.measure,
    "memory": memory.measure,
    "batch": batch.measure,
    "cost": cost.measure,
    "heavy": heavy.measure,
    "kinds": kinds.measure,
    "azureml": azureml.measure,
}


def main(argv: list[str]) -> int:
    """Measures, and writes the results."""
    parser = _parser()
    options = parser.parse_args(argv)
    if unknown := set(options.sections) - set(SECTIONS):
        parser.error(f"there is no section {', '.join(sorted(unknown))}; there are {', '.join(SECTIONS)}")
    facts = machine.describe()
    print(machine.in_words(facts), flush=True)
    started, found = time.perf_counter(), []
    with tempfile.TemporaryDirectory(prefix="stoker-bench-") as work:
        bench = Bench(work=Path(work), peers=options.peers or sys.executable, full=options.full)
        for name in options.sections or SECTIONS:
            found.append(_measure(name, bench))
    seconds = round(time.perf_counter() - started)
    results = {"machine": facts, "seconds": seconds, "sections": [section.to_json() for section in found]}
    before = options.output / report.DATA
    if options.sections and before.is_file():
        results = report.beside(results, json.loads(before.read_text(encoding="utf-8")), list(SECTIONS))
    for path in report.write(options.output, results):
        print(f"written: {path}")
    print(f"{seconds} s in all")
    return 0


def _measure(name: str, bench: Bench) -> Section:
    started = time.perf_counter()
    section = SECTIONS[name](bench)
    print(f"\n{section.title} ({time.perf_counter() - started:.0f} s)")
    for row in section.rows:
        print("  " + "  ".join(f"{cell:<28}" for cell in row).rstrip())
    for note in section.notes:
        print(f"  - {note}")
    for target in section.targets:
        bound = "at least" if target.least else "at most"
        verdict = "reached" if target.met else "MISSED"
        print(f"  {verdict}: {target.what}: {target.measured:g}{target.unit}, {bound} {target.limit:g}{target.unit}")
    sys.stdout.flush()
    return section


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="benchmarks", description="Measure stoker against other trainers.")
    parser.add_argument(
        "sections", nargs="*", metavar="SECTION", help=f"{', '.join(SECTIONS)}; the results of others stay"
    )
    parser.add_argument("--peers", default="", metavar="PYTHON", help="an interpreter that has the other trainers")
    parser.add_argument("--full", action="store_true", help="take longer: more rounds where one is little")
    parser.add_argument("--output", type=Path, default=RESULTS, metavar="DIR", help="where to write the results")
    return parser

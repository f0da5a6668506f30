"""`report.html`: a run on one page that needs nothing but itself, to keep, to print and to send."""

from __future__ import annotations

import base64
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from .. import files
from ..metrics import format_value
from ..rundir import RunDirectory

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
  body {{ font: 15px/1.5 system-ui, sans-serif; color: #30343b; margin: 2.5rem auto; max-width: 58rem }}
  h1 {{ font-size: 1.4rem; margin: 0 }}
  h2 {{ font-size: 1.05rem; margin: 2rem 0 .5rem }}
  p.when {{ color: #6b7280; margin: 0 0 1.5rem }}
  dl.final {{ display: flex; flex-wrap: wrap; gap: 2.5rem; margin: 0 }}
  dl.final dt {{ color: #6b7280 }}
  dl.final dd {{ font-size: 2rem; font-variant-numeric: tabular-nums; margin: 0 }}
  img {{ max-width: 100%; height: auto; margin-top: 1.5rem }}
  table {{ border-collapse: collapse; font-variant-numeric: tabular-nums }}
  td, th {{ padding: .15rem 1.2rem .15rem 0; text-align: left; vertical-align: top; overflow-wrap: anywhere }}
  table.figures td, table.figures th {{ text-align: right }}
  th {{ color: #6b7280; font-weight: normal; white-space: nowrap }}
  pre {{ font-size: .8rem; line-height: 1.25; overflow-x: auto }}
  tr + tr td, tr + tr th {{ border-top: 1px solid #e5e7eb }}
</style>
<h1>{title}</h1>
<p class="when">{when}</p>
<dl class="final">{final}</dl>
{picture}
<h2>Epochs</h2>
{epochs}
<h2>Model</h2>
{model}
{layers}
<h2>Job</h2>
{job}
<h2>Environment</h2>
{environment}
</html>
"""


def write(run: RunDirectory, history: Mapping[str, Sequence[float]], final: Mapping[str, float], picture: Path) -> None:
    """Writes the report of a finished run.

    Args:
        run: The run.
        history: Figures by Keras' names, one for each epoch.
        final: The final figures by their names.
        picture: The PNG to show, which need not exist.

    Raises:
        StorageError: It can't be written.
    """
    facts = run.model_facts() or {}
    page = _PAGE.format(
        title=escape(run.run_id),
        when=time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        final="".join(
            f"<div><dt>{escape(name)}</dt><dd>{format_value(value)}</dd></div>" for name, value in final.items()
        ),
        picture=_image(picture),
        epochs=_figures(history),
        model=_pairs(_flat({name: value for name, value in facts.items() if name != "layers"})),
        layers=f"<pre>{escape(str(facts.get('layers', '')))}</pre>",
        job=_pairs(_flat(_effective(run.job().to_json(), facts.get("unused_options", ())))),
        environment=_pairs(_flat(run.environment() or {})),
    )
    files.write_bytes(run.report, page.encode(errors="backslashreplace"))  # a path may hold bytes that are not text


def _effective(job: dict[str, Any], unused: Collection[str]) -> dict[str, Any]:
    """Returns a job without the options that its model does without."""
    options = {name: value for name, value in job["options"].items() if name not in unused}
    return {name: value for name, value in job.items() if name not in unused} | {"options": options}


def _image(path: Path) -> str:
    if not path.is_file():
        return ""
    data = base64.b64encode(path.read_bytes()).decode()
    return f'<img alt="{escape(path.stem)}" src="data:image/png;base64,{data}">'


def _figures(history: Mapping[str, Sequence[float]]) -> str:
    head = "".join(f"<th>{escape(name.replace('_', ' '))}</th>" for name in ("epoch", *history))
    rows = [
        f"<tr><th>{epoch}</th>{''.join(f'<td>{format_value(value)}</td>' for value in values)}</tr>"
        for epoch, values in enumerate(zip(*history.values(), strict=False), start=1)
    ]
    return f'<table class="figures"><tr>{head}</tr>{"".join(rows)}</table>'


def _pairs(pairs: Iterable[tuple[str, Any]]) -> str:
    rows = [
        f"<tr><th>{escape(name.replace('_', ' '))}</th><td>{escape(str(value))}</td></tr>"
        for name, value in pairs
        if value not in ("", None)
    ]
    return f"<table>{''.join(rows)}</table>"


def _flat(value: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    """Mappings within mappings as one list; `packages` {`keras`: 3} becomes `packages keras` 3."""
    for name, entry in value.items():
        if isinstance(entry, Mapping):
            yield from _flat(entry, f"{prefix}{name} ")
        else:
            yield prefix + name, ", ".join(map(str, entry)) if isinstance(entry, list) else entry

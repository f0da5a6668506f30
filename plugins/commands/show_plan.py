"""Makes the plan of a job, and shows it in words or as files in a folder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from json import dumps
from pathlib import Path
from typing import Any

from ...engine import files
from ...engine.backend import Backend, BackendChoice, Plan
from ...engine.data import require_folder
from ...engine.errors import InputError
from ...engine.job import TrainJob
from ...engine.paths import expanded
from ...engine.plugin.context import Context
from ...engine.terminal.text import in_line
from .backend_choice import prefix

SAY_ONLY = "-"
"""The value of `--dry-run` without a folder."""


def planned(job: TrainJob, choice: BackendChoice, context: Context) -> tuple[Backend, Plan]:
    """Returns the backend of a choice and its plan for a job.

    Raises:
        UnknownNameError: No plugin offers the backend, or the model or data set of the job.
        DatasetError: The job's data would be read on this machine, and there is no such folder.
        InputError: The job can't run there.
    """
    context.plugins.check_names(job)
    backend = context.plugins.get_backend(choice)
    if backend.runs_here and job.data_folder:  # elsewhere, the data are the backend's matter
        require_folder(Path(job.data_folder))
    made = backend.plan(job)
    return backend, replace(made, warnings=(*made.warnings, *_without_effect(choice, context)))


def _without_effect(choice: BackendChoice, context: Context) -> Iterator[str]:
    """Yields a warning for each option on the command line that belongs to another backend."""
    for other in context.plugins.backends():
        begin = prefix(other)
        for name in context.options.plugin_options:
            if other != choice.name and name.startswith(begin) and name in context.options.given:
                option = f"--{name.replace('_', '-')}"
                yield f"{option} has no effect: it is for the backend {other}, and this job goes to {choice.name}"


def show_plan(plan: Plan, folder: str, *, quiet: bool, json: bool) -> None:
    """Writes a plan into a folder unless that is `SAY_ONLY`, and prints the plan.

    Args:
        plan: The plan.
        folder: The value of `--dry-run`.
        quiet: Whether to print nothing.
        json: Whether to print one JSON object on one line instead of words.

    Raises:
        InputError: The folder is not empty.
        StorageError: It can't be written.
    """
    written = "" if folder == SAY_ONLY else folder
    if written:
        write_plan(plan, expanded(written))
    if quiet:
        return
    if json:
        print(dumps(plan_as_json(plan, written)))
        return
    print(describe_plan(plan))
    if written:
        print(f"written to {written}")


def plan_as_json(plan: Plan, written: str) -> dict[str, Any]:
    """Returns a plan as JSON values; of its documents, the names.

    Args:
        plan: The plan.
        written: The folder that it was written into; "" for none.
    """
    return {
        "backend": plan.backend,
        "steps": plan.steps,
        "warnings": plan.warnings,
        "files": dict(plan.files),
        "documents": sorted(plan.documents),
        "written_to": written,
    }


def describe_plan(plan: Plan) -> str:
    """Describes a plan in words, each step and each warning on one line, whatever names and values are in it."""
    lines = [f"with the backend {plan.backend!r}, stoker would:", *(f"  - {in_line(step)}" for step in plan.steps)]
    lines += [f"warning: {in_line(warning)}" for warning in plan.warnings]
    return "\n".join(lines)


def write_plan(plan: Plan, folder: Path) -> None:
    """Writes a plan into a new folder: its description, and the backend's documents.

    Raises:
        InputError: The folder is not empty.
        StorageError: It can't be written.
    """
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise InputError(
            f"{folder} exists", expected="a new or empty folder", hint="choose another folder", path=folder
        )
    documents = {"plan.txt": f"{describe_plan(plan)}\n".encode(errors="backslashreplace"), **plan.documents}
    files.make_folder(folder.absolute().parent)
    with files.atomic_folder(folder.absolute()) as beside:
        for name, content in documents.items():
            path = beside / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)

"""Makes the plan of a job, and shows it in words or as files in a folder."""

from __future__ import annotations

from pathlib import Path

from ...engine import files
from ...engine.backend import Backend, BackendChoice, Plan
from ...engine.errors import InputError
from ...engine.job import TrainJob
from ...engine.plugin.context import Context

SAY_ONLY = "-"
"""The value of `--dry-run` without a folder."""


def planned(job: TrainJob, choice: BackendChoice, context: Context) -> tuple[Backend, Plan]:
    """Returns the backend of a choice and its plan for a job.

    Raises:
        UnknownNameError: No plugin offers the backend, or the model or data set of the job.
        InputError: The job can't run there.
    """
    context.plugins.check_names(job)
    backend = context.plugins.get_backend(choice)
    return backend, backend.plan(job)


def show_plan(plan: Plan, folder: str) -> None:
    """Prints a plan, and writes it into a folder unless that is `SAY_ONLY`."""
    print(describe_plan(plan))
    if folder != SAY_ONLY:
        write_plan(plan, Path(folder).expanduser())
        print(f"written to {folder}")


def describe_plan(plan: Plan) -> str:
    """Describes a plan in words."""
    lines = [f"with the backend {plan.backend!r}, stoker would:", *(f"  - {step}" for step in plan.steps)]
    lines += [f"warning: {warning}" for warning in plan.warnings]
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
    documents = {"plan.txt": f"{describe_plan(plan)}\n".encode(), **plan.documents}
    files.make_folder(folder.absolute().parent)
    with files.atomic_folder(folder.absolute()) as beside:
        for name, content in documents.items():
            path = beside / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)

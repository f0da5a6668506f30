"""Runs a package that `--dry-run DIR` wrote, on this machine, with no more than the node would have."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..command import command_line
from ..data import require_folder
from ..errors import InputError
from ..rundir import RunDirectory
from ..status import RunState
from .engine_code import ROOT
from .entry import Entry
from .explain import complaints, explain
from .isolation import hide_undeclared_packages
from .layout import ENVIRONMENT, FACTS, PACKAGE, RECORD, is_plan
from .package import JOB, Package

RUN_ID = "rehearsal"

_KEPT_VARIABLES = ("PATH", "LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH", "SYSTEMROOT")


@dataclass(frozen=True, kw_only=True, slots=True)
class Rehearsal:
    """How it went.

    Attributes:
        log: What the run wrote.
        outputs: The files that the service would keep, with "/".
        missing: What is missing from the package, with a remedy each; () if all went well.
    """

    log: str
    outputs: tuple[str, ...]
    missing: tuple[tuple[str, str], ...]


def rehearse(
    folder: Path, data_folder: Path | None = None, *, epochs: int = 0, say: Callable[[str], object] | None = None
) -> Rehearsal:
    """Runs a package in an empty folder, in a process that sees what the node would have.

    Args:
        folder: What `--dry-run DIR` wrote.
        data_folder: The data that would be mounted; None takes MNIST's own, or nothing for other data sets.
        epochs: How many to train; 0 takes the job's.
        say: Called with each line of the log when it is written.

    Raises:
        InputError: It is no such folder, or something in it was changed.
        DatasetError: There is no such folder of data.
    """
    if data_folder:
        require_folder(data_folder)
    facts = _facts(folder)
    package = _unchanged(folder, facts)
    entry = Entry.from_json(facts["entry"])
    data = data_folder or _bundled(package)
    with tempfile.TemporaryDirectory(prefix="stoker-rehearsal-") as place:
        base = Path(place).resolve()
        top = package.write(base / "package")
        arguments = entry.arguments(
            run_id=RUN_ID,
            data_folder=data.resolve() if data else None,
            checkpoints=base / "checkpoints",
            job_options={"epochs": str(epochs)} if epochs else None,
        )
        environment = _environment(base, folder, facts)
        lines = []
        with contextlib.closing(_run([sys.executable, entry.name, *map(str, arguments)], top, environment)) as written:
            for line in written:
                lines.append(line.replace(str(top), "PACKAGE"))
                if say:
                    say(lines[-1])
        record = RunDirectory(top / RECORD).status_record()
        failed = record is None or record.status.state != RunState.COMPLETED
        made = tuple(sorted(path.relative_to(top).as_posix() for path in top.glob("outputs/**/*") if path.is_file()))
    log = "\n".join(lines)
    option = str(facts.get("environment_option", ""))
    missing = explain(log, option, facts.get("left_out", {})) if failed else complaints(log)
    return Rehearsal(log=log, outputs=made, missing=tuple(missing))


def read(folder: Path) -> Package:
    """Returns the package in a folder that `--dry-run DIR` wrote, byte for byte as it would be sent.

    Raises:
        InputError: It is no such folder, or something in it was changed.
    """
    return _unchanged(folder, _facts(folder))


def _facts(folder: Path) -> dict[str, Any]:
    if not is_plan(folder):
        writes = command_line("train", "--backend", "NAME", "--dry-run", "DIR")
        raise InputError(
            f"{folder} holds no package" if folder.exists() else f"no such folder: {folder}",
            expected=f"a folder that `{writes}` wrote for a backend that sends one",
            path=folder,
        )
    facts: dict[str, Any] = json.loads((folder / FACTS).read_text(encoding="utf-8"))
    return facts


def _unchanged(folder: Path, facts: Mapping[str, Any]) -> Package:
    """Returns the package of a folder.

    Raises:
        InputError: It is not what the facts are about.
    """
    top = folder / PACKAGE
    contents = {path.relative_to(top).as_posix(): path.read_bytes() for path in top.rglob("*") if path.is_file()}
    package = Package(files=dict(sorted(contents.items())))
    written = {place: fact["sha256"] for place, fact in facts["files"].items()}
    digests = package.digests
    changed = [place for place in sorted(written.keys() | digests.keys()) if written.get(place) != digests.get(place)]
    if changed:
        raise InputError(
            f"the package in {folder} is not as it was written",
            received="".join(f"\n    {place}" for place in changed),
            hint="write it again with --dry-run, into another folder",
            path=folder,
        )
    return package


def _run(words: Sequence[str], folder: Path, environment: Mapping[str, str]) -> Generator[str, None, None]:
    """Yields the lines that a process writes; kills it and what it has started if the caller stops early."""
    with subprocess.Popen(
        words,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    ) as process:
        try:
            for line in process.stdout or ():
                yield line.decode(errors="replace").rstrip("\n")
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            raise


def _bundled(package: Package) -> Path | None:
    """Returns the data of a job that takes MNIST from the service: the same bytes are here."""
    job = json.loads(package.files[JOB])
    folder = ROOT / "datasets" / "bundled"
    return folder if job["dataset"] == "mnist" and folder.is_dir() else None


def _environment(base: Path, folder: Path, facts: Mapping[str, Any]) -> dict[str, str]:
    """Returns the variables of the process: an empty home, nothing of the user's, and only what the node would have."""
    boot, home = base / "boot", base / "home"
    for each in (boot, home):
        each.mkdir()
    listed = names_in((folder / ENVIRONMENT).read_text(encoding="utf-8"))
    hiding = hide_undeclared_packages(listed, facts.get("aliases", {}))
    (boot / "sitecustomize.py").write_text(hiding, encoding="utf-8")
    kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    own = {"HOME": str(home), "TMPDIR": str(base), "PYTHONPATH": str(boot), "PYTHONNOUSERSITE": "1"}
    return {**kept, **own, "PYTHONDONTWRITEBYTECODE": "1", "MPLBACKEND": "Agg"}


def names_in(conda_yaml: str) -> Sequence[str]:
    """Returns the packages that a conda environment lists, one a line."""
    lines = (line.strip().removeprefix("- ").strip("\"' ") for line in conda_yaml.splitlines() if "- " in line)
    matches = (re.match(r"(?:[a-z-]+::)?([A-Za-z0-9][A-Za-z0-9._-]*)", line) for line in lines)
    return [match[1] for match in matches if match]

"""`stoker rehearse DIR`: runs a package that `--dry-run DIR` wrote, here, with no more than the node would have."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError
from ..status import RunState
from .engine_code import ENTRY, ROOT
from .isolation import hide_undeclared_packages
from .layout import ENVIRONMENT, FACTS, PACKAGE, RECORD, is_plan
from .package import Package

RUN_ID = "rehearsal"

_WARNING = "warning: "
_KEPT_VARIABLES = ("PATH", "LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH", "SYSTEMROOT")

_MODULE = re.compile(r"No module named '([^']+)'")
_FILE = re.compile(r"No such file or directory: '([^']+)'")
_ERROR = re.compile(r"^error: (.*)$", re.MULTILINE)
_HINT = re.compile(r"^hint: (.*)$", re.MULTILINE)


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
    folder: Path, data_folder: Path | None = None, *, epochs: int = 0, say: Callable[[str], object] = len
) -> Rehearsal:
    """Runs a package in an empty folder, in a process that sees what the node would have.

    Args:
        folder: What `--dry-run DIR` wrote.
        data_folder: The data that would be mounted; None takes MNIST's own, or nothing for other data sets.
        epochs: How many to train; 0 takes the job's.
        say: Told each line of the log when it is written.

    Raises:
        InputError: It is no such folder, or something in it was changed.
    """
    package = read(folder)
    data = data_folder or _bundled(package)
    environment = (folder / ENVIRONMENT).read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory(prefix="stoker-rehearsal-") as place:
        base = Path(place).resolve()
        top = package.write(base / "package")
        words = [sys.executable, ENTRY, "--run-id", RUN_ID, "--checkpoints", str(base / "checkpoints")]
        words += ["--data-folder", str(data.resolve())] if data else []
        words += ["--epochs", str(epochs)] if epochs else []
        lines = []
        for line in _run(words, top, _environment(base, environment)):
            lines.append(line.replace(str(top), "PACKAGE"))
            say(lines[-1])
        failed = _state(top / RECORD) != RunState.COMPLETED
        made = tuple(sorted(path.relative_to(top).as_posix() for path in top.glob("outputs/**/*") if path.is_file()))
    log = "\n".join(lines)
    return Rehearsal(log=log, outputs=made, missing=tuple(explain(log) if failed else complaints(log)))


def _run(words: Sequence[str], folder: Path, environment: Mapping[str, str]) -> Iterator[str]:
    """The lines that a process writes."""
    with subprocess.Popen(
        words,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        for line in process.stdout or ():
            yield line.decode(errors="replace").rstrip("\n")


def _state(record: Path) -> str:
    """How a run ended, as its record has it; "" if it did not come so far."""
    try:
        return str(json.loads((record / "status.json").read_text(encoding="utf-8"))["state"])
    except (OSError, ValueError, KeyError):
        return ""


def read(folder: Path) -> Package:
    """The package in a folder that `--dry-run DIR` wrote, byte for byte as it would go up.

    Raises:
        InputError: It is no such folder, or something in it was changed.
    """
    if not is_plan(folder):
        raise InputError(
            f"{folder} holds no package",
            expected="a folder that `stoker train --backend azureml --dry-run DIR` wrote",
            path=folder,
        )
    top = folder / PACKAGE
    paths = (path for path in sorted(top.rglob("*")) if path.is_file())
    package = Package(files={path.relative_to(top).as_posix(): path.read_bytes() for path in paths})
    facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
    package = Package(files=dict(sorted(package.files.items())))
    written = {place: fact["sha256"] for place, fact in facts["files"].items()}
    places = sorted(written.keys() | package.files.keys())
    changed = [place for place in places if written.get(place) != package.digests.get(place)]
    if changed:
        raise InputError(
            f"the package in {folder} is not as it was written",
            received=", ".join(changed[:5]),
            hint="write it anew with --dry-run, into another folder",
            path=folder,
        )
    return package


def explain(log: str) -> Iterable[tuple[str, str]]:
    """What a log says is missing, and what to do about each; its last words if it names nothing."""
    found = {}
    for name in _MODULE.findall(log):
        remedy = "put it beside the file that imports it, install it here, or list it in --azureml-environment"
        found[f"the module {name}"] = remedy
    for name in _FILE.findall(log):
        found[f"the file {name}"] = (
            "put it into a package (a folder with __init__.py) that your code imports, and find it from __file__"
        )
    if not found:
        found = dict(_errors(log)) or {_last_line(log): "the whole log is above"}
    return found.items()


def complaints(log: str) -> Iterable[tuple[str, str]]:
    """What plugins could not do in a run that ended well all the same."""
    return [
        (line.removeprefix(_WARNING), "the run goes on without it")
        for line in log.splitlines()
        if line.startswith(_WARNING)
    ]


def _errors(log: str) -> Iterable[tuple[str, str]]:
    hints = _HINT.findall(log)
    for index, what in enumerate(_ERROR.findall(log)):
        yield what, hints[index] if index < len(hints) else "the whole log is above"


def _last_line(log: str) -> str:
    return next((line for line in reversed(log.splitlines()) if line.strip()), "it ended without a word")


def _bundled(package: Package) -> Path | None:
    """The data of a job that takes MNIST from the service: the same bytes are here."""
    job = json.loads(package.files["job.json"])
    folder = ROOT / "datasets" / "bundled"
    return folder if job["dataset"] == "mnist" and folder.is_dir() else None


def _environment(base: Path, conda_yaml: str) -> dict[str, str]:
    """The environment of the process: a home of its own, nothing of the user's, and only what the node would have."""
    boot, home = base / "boot", base / "home"
    for folder in (boot, home):
        folder.mkdir()
    (boot / "sitecustomize.py").write_text(hide_undeclared_packages(names_in(conda_yaml)), encoding="utf-8")
    kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    own = {"HOME": str(home), "TMPDIR": str(base), "PYTHONPATH": str(boot), "PYTHONNOUSERSITE": "1"}
    return {**kept, **own, "PYTHONDONTWRITEBYTECODE": "1", "MPLBACKEND": "Agg"}


def names_in(conda_yaml: str) -> Sequence[str]:
    """The packages that a conda environment lists, one a line."""
    lines = (line.strip().removeprefix("- ").strip("\"' ") for line in conda_yaml.splitlines() if "- " in line)
    matches = (re.match(r"(?:[a-z-]+::)?([A-Za-z0-9][A-Za-z0-9._-]*)", line) for line in lines)
    return [match[1] for match in matches if match]

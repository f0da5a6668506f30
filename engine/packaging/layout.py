"""What `--dry-run DIR` writes for a backend that sends a package, and where a package leaves what it made."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .entry import Entry
from .package import Package

PACKAGE, ENVIRONMENT, FACTS = "package", "environment.yml", "package.json"
"""The folder of the package, and beside it the packages that the node has and what is known about the package."""

RECORD = "outputs/run"
"""Where the entry script puts the record of a run."""


def package_documents(
    package: Package, entry: Entry, environment: str, facts: Mapping[str, Any] | None = None
) -> dict[str, bytes]:
    """Returns what a plan has to show of a package, with what `stoker rehearse` runs it by.

    Args:
        package: The package, which was made with the entry.
        entry: How its script is started.
        environment: What the node has installed, one package a line with "- " before it: a conda YAML.
        facts: What else `package.json` has for people. `stoker rehearse` reads of it "environment_option", the option
            of `train` that names another environment, and "aliases", {distribution: what it brings by another name}.

    Returns:
        {path below DIR: content}, for `Plan.documents`.
    """
    sizes = package.sizes
    known = {
        "sha256": package.digest,
        "entry": entry.to_json(),
        "files": {place: {"bytes": sizes[place], "sha256": digest} for place, digest in package.digests.items()},
        "left_out": dict(package.left_out),
        "allowed": dict(package.allowed),
        "requirements": dict(package.requirements),
        **(facts or {}),
    }
    documents = {f"{PACKAGE}/{place}": content for place, content in package.files.items()}
    text = json.dumps(known, indent=2, ensure_ascii=False) + "\n"
    encoded = text.encode(errors="backslashreplace")  # a path may hold bytes that are not text
    return {**documents, ENVIRONMENT: environment.encode(), FACTS: encoded}


def is_plan(folder: Path) -> bool:
    """Returns whether a folder is one that `--dry-run DIR` wrote."""
    return (folder / FACTS).is_file() and (folder / PACKAGE).is_dir()

"""What `--dry-run DIR` writes for a backend that sends a package, and where a package leaves what it made."""

from __future__ import annotations

from pathlib import Path

PACKAGE, ENVIRONMENT, FACTS = "package", "environment.yml", "package.json"
"""The folder of the package, and beside it the packages that the node has and what is known about the package."""

RECORD = "outputs/run"
"""Where the entry script puts the record of a run."""


def is_plan(folder: Path) -> bool:
    """Returns whether a folder is one that `--dry-run DIR` wrote."""
    return (folder / FACTS).is_file() and (folder / PACKAGE).is_dir()

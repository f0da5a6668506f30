"""Python that an ignore file keeps here although code imports it that goes, such as `_version.py` or `*_pb2.py`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from .imports import Import


def warnings_about_ignored(
    imported: Iterable[tuple[Path, Import]],
    folders: Mapping[str, Path],
    left_out: Mapping[str, str],
    ignore_files: Sequence[str],
) -> list[str]:
    """Returns a warning for each module that stays here though it is imported, with what would send it.

    Args:
        imported: Each import of a file that goes, with that file.
        folders: {top-level module: the folder in which it lies}.
        left_out: {file or folder here: the rule that keeps it here}.
        ignore_files: The names of ignore files; in a folder with several, the first counts.
    """
    found: dict[Path, str] = {}
    for file, one in imported:
        for path in _paths(file, one, folders):
            rule = left_out.get(str(path))
            if rule and path not in found:
                what = f"{file}:{one.line} imports {path}, which stays here: {rule}"
                found[path] = f"{what}; {_remedy(path, rule, ignore_files)}"
    return list(found.values())


def _paths(file: Path, one: Import, folders: Mapping[str, Path]) -> Iterator[Path]:
    """Yields the files and folders that an import may mean, the outermost first."""
    parts = one.module.split(".") if one.module else []
    if one.level > len(file.parents):
        return
    base = file.parents[one.level - 1] if one.level else folders.get(parts[0])
    if base is None:
        return
    chain = [base.joinpath(*parts[:count]) for count in range(1, len(parts) + 1)]
    for module in [*chain, *((chain or [base])[-1] / name for name in one.names)]:
        yield from (module, module.with_name(f"{module.name}.py"))


def _remedy(path: Path, rule: str, ignore_files: Sequence[str]) -> str:
    """Returns what sends a module after all. An ignore file beside it has the last word about it."""
    if not rule.startswith(tuple(f"{name}:" for name in ignore_files)):
        return "put the file itself there" if path.is_symlink() else "give it another name"
    first = path.parent / ignore_files[0]
    line = f"the line !/{path.name}{'/' if path.is_dir() else ''} in {first} sends it"
    other = next((name for name in ignore_files[1:] if (path.parent / name).is_file()), "")
    if other and not first.exists():
        return f"{line}, with those lines of the {other} there that are still to count"
    return line

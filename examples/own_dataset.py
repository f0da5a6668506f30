"""A plugin that reads tables: `stoker -p examples/own_dataset.py train --dataset table --data-folder DIR`.

DIR holds `train.csv` and `test.csv`, or `train.npz` and `test.npz`. A CSV file has a line of names, then one example
per line, all numbers; the column `label` is the class. An npz file has the arrays `images` and `labels`.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

from stoker.engine.errors import DatasetError
from stoker.engine.hookspecs import hookimpl

if TYPE_CHECKING:  # only for the type checker: the command line loads all plugins, and should not wait for NumPy
    from numpy.typing import NDArray

    from stoker.engine.data import Dataset, DatasetReader, ProgressCallback

NAME, SUMMARY = "table", "train.csv and test.csv, or train.npz and test.npz, below --data-folder"


@hookimpl
def stoker_datasets() -> Mapping[str, str]:
    """Offers the data set."""
    return {NAME: SUMMARY}


@hookimpl
def stoker_get_dataset(name: str) -> DatasetReader | None:
    """Returns its reader."""
    return TableReader() if name == NAME else None


class TableReader:
    """Reads a pair of tables; see `DatasetReader` in stoker/engine/data.py."""

    name = NAME
    summary = SUMMARY

    def load(self, folder: Path | None, *, offline: bool = False, progress: ProgressCallback | None = None) -> Dataset:
        """Reads both tables; stoker's own `assemble` then checks that they belong together.

        Raises:
            DatasetError: A file is missing or wrong.
        """
        from stoker.datasets.assemble import Part, assemble

        if folder is None:
            raise DatasetError("the data set 'table' needs a folder", expected="--data-folder DIR")
        parts = {}
        for split in ("train", "test"):
            path = _find(folder, split)
            images, labels = _read(path)
            parts[f"{split} images"] = Part(path=path, array=images, source=str(path))
            parts[f"{split} labels"] = Part(path=path, array=labels, source=str(path))
        return assemble(folder.name, parts)


def _find(folder: Path, split: str) -> Path:
    paths = [folder / f"{split}.{kind}" for kind in ("csv", "npz")]
    for path in paths:
        if path.is_file():
            return path
    raise DatasetError(f"no {split} table in {folder}", expected=" or ".join(map(str, paths)), path=folder)


def _read(path: Path) -> tuple[NDArray[Any], NDArray[Any]]:
    """Returns the examples, float32 [N, columns] or what an npz file holds, and their labels [N]."""
    try:
        return _read_csv(path) if path.suffix == ".csv" else _read_npz(path)
    except (OSError, EOFError, ValueError, KeyError, BadZipFile) as error:
        raise DatasetError(f"{path} can't be read", received=str(error), path=path) from error


def _read_csv(path: Path) -> tuple[NDArray[Any], NDArray[Any]]:
    import numpy as np

    with path.open(encoding="utf-8-sig") as lines:
        names = [name.strip() for name in next(lines, "").split(",")]
        first = next(lines, "")
        if not first.strip():
            raise ValueError("there is no row below the names of the columns")
        rows = np.loadtxt(chain([first], lines), delimiter=",", ndmin=2)
    column = names.index("label")
    labels = rows[:, column]
    if (labels != labels.round()).any():
        raise ValueError("the column `label` holds values other than whole numbers")
    return np.delete(rows, column, axis=1).astype(np.float32), labels.astype(np.int32)


def _read_npz(path: Path) -> tuple[NDArray[Any], NDArray[Any]]:
    import numpy as np

    with np.load(path, allow_pickle=False) as arrays:
        return arrays["images"], arrays["labels"]

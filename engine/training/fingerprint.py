"""Digests of what a run is made from beside its job: the user's own code, and the data."""

from __future__ import annotations

import contextlib
import hashlib
import re
import site
import sys
import sysconfig
from pathlib import Path
from typing import Any

from .. import files
from ..data import Dataset

_ROWS = 2_000
_BYTES = 4 * 2**20
"""How many examples of a split, and how many bytes of them, are looked at."""
_NOT_IMPORTED = {"stoker", "__main__", "__mp_main__"}
_NOT_OF_THE_USER = ("stoker.", "__autograph_generated_file")
"""How the names of other modules begin: stoker's own, and what TensorFlow writes when it traces a function."""
_OF_FILE = re.compile(r"stoker_file_(.+)_[0-9a-f]{8}")


def code_digests() -> dict[str, str]:
    """Returns the SHA-256 of each file of the user's own code that this process has imported, by its module's name.

    The user's own is what belongs neither to Python, nor to an installed package, nor to stoker: the files of the model
    and of plugins, and the modules that they import. A file that stoker has imported itself has its name as a file.
    """
    installed = _installed_folders()
    found: dict[str, str] = {}
    for path, name in sorted((Path(_file(module)), name) for name, module in sys.modules.items()):
        if name in _NOT_IMPORTED or name.startswith(_NOT_OF_THE_USER) or path.suffix != ".py" or not path.is_absolute():
            continue
        if any(path.is_relative_to(folder) for folder in installed):
            continue
        called = path.name if _OF_FILE.fullmatch(name) else name
        number = sum(known == called or known.startswith(f"{called} (") for known in found) + 1
        with contextlib.suppress(OSError):  # it is gone since, or in an archive
            found[called if number == 1 else f"{called} ({number})"] = files.sha256_file(path)
    return found


def data_digest(dataset: Dataset) -> str:
    """Returns one SHA-256 of all labels and weights of a data set, and of up to 2,000 examples of each split.

    These are spread evenly over the split. A digest of every example would mean to read them all once more.
    """
    import numpy as np

    digest = hashlib.sha256()
    for split in (dataset.train, dataset.test):
        count = len(split)
        row_bytes = max(1, split.images.nbytes // max(1, count))
        rows = np.unique(np.linspace(0, max(0, count - 1), min(_ROWS, max(1, _BYTES // row_bytes)), dtype=np.int64))
        weights = () if split.weights is None else (split.weights,)
        for array in (split.images[rows[:count]], split.labels, *weights):
            digest.update(f"{array.dtype.str} {split.images.shape}".encode())
            digest.update(array.tobytes())
    return digest.hexdigest()


def _file(module: Any) -> str:
    """Returns where a module comes from; asking one that is imported lazily could import it."""
    return str(getattr(module, "__dict__", {}).get("__file__") or "")


def _installed_folders() -> set[Path]:
    """Returns the folders of Python's own modules and of installed packages."""
    names: list[Any] = [sysconfig.get_path(kind) for kind in ("stdlib", "platstdlib", "purelib", "platlib")]
    names += [*site.getsitepackages(), site.getusersitepackages(), Path(sys.base_prefix) / "lib"]
    return {folder for name in names if name for folder in (Path(name), Path(name).resolve())}

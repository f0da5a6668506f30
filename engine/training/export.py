"""Writes the finished model: for plain Keras, in the forms that plugins add, and what takes what in words."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

from .. import files
from ..fetch import list_files
from ..plugin.plugins import Plugins
from ..registry import MODEL_FILE

_OBJECT = "shared_object_id"
"""What Keras writes of each object: where it lies in memory."""

_NATIVE = """\
{native}
    The whole model, for plain Keras 3; stoker is not needed:
        model = keras.models.load_model("{native}")
        digits = model.predict(images).argmax(axis=1)
    It takes examples as the data files hold them: {example}. Scaling is a layer of the model.
"""


def export(model: Any, folder: Path, example: str, plugins: Plugins) -> None:
    """Writes the model and what describes it into `folder`, which then appears whole.

    These are `model.keras`, the files of plugins, `README.txt`, and `MANIFEST.json` with the digests.

    Args:
        model: The model.
        folder: Where to; it may hold the model of an earlier attempt.
        example: What the model takes, in words: "uint8 [N, 28, 28]".
        plugins: Those that write further files.

    Raises:
        StorageError: It can't be written; the folder is as it was.
    """
    files.make_folder(folder.parent)
    with files.atomic_folder(folder) as beside:
        beside.mkdir()
        _write(model, beside, example, plugins)
        files.write_json(beside / "MANIFEST.json", {"files": dict(list_files(beside).files)})


def _write(model: Any, folder: Path, example: str, plugins: Plugins) -> None:
    model.save(folder / MODEL_FILE)
    _normalize(folder / MODEL_FILE)
    text = _NATIVE.format(native=MODEL_FILE, example=example) + _own_code(folder / MODEL_FILE)
    text += "".join(plugins.export_model(model, folder))
    (folder / "README.txt").write_text(text, encoding="utf-8")
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as stream:
                files.sync_file(stream)


def _own_code(path: Path) -> str:
    """Returns what to say of the user's own functions and classes in a saved model, which holds their names only."""
    names: dict[str, None] = {}
    lambdas: list[str] = []

    def note(value: dict[str, Any]) -> dict[str, Any]:
        by_itself = value.get("value")  # so Keras saves a lambda as an activation, which it can't load
        if value.get("class_name") == "__lambda__" or (isinstance(by_itself, list) and len(value) == 1):
            lambdas.append(str(value))
        elif value.get("registered_name") == "function":
            names[str(value.get("config"))] = None
        elif value.get("registered_name") and not str(value.get("module")).startswith("keras"):
            names[str(value.get("class_name"))] = None
        return value

    with zipfile.ZipFile(path) as saved:
        json.loads(saved.read("config.json"), object_hook=note)
    text = ""
    if names:
        given = ", ".join(f'"{name}": {name}' for name in names)
        text += f"    It needs code of your own, which is not in it: pass custom_objects={{{given}}} to load_model.\n"
    if lambdas:
        text += (
            "    It has a lambda function: pass safe_mode=False to load_model, which then runs it. Keras can't load a\n"
            "    lambda that is an activation; write it as a named function, and train again.\n"
        )
    return text


def _normalize(path: Path) -> None:
    """Takes out of a saved model what no two savings have in common, so that equal models have equal digests.

    That is the date, and where its objects lie in memory; these are numbered instead.
    """
    beside = path.with_name(f"{path.name}.tmp")
    with zipfile.ZipFile(path) as saved, zipfile.ZipFile(beside, "w") as normalized:
        for name in saved.namelist():
            _normalize_member(name, saved, normalized)
    beside.replace(path)


def _normalize_member(name: str, saved: zipfile.ZipFile, normalized: zipfile.ZipFile) -> None:
    with saved.open(name) as source, normalized.open(zipfile.ZipInfo(name), "w", force_zip64=True) as target:
        if name.endswith(".json"):
            target.write(_normalized(source.read()))
        else:
            shutil.copyfileobj(source, target)


def _normalized(text: bytes) -> bytes:
    """A JSON text without dates and places in memory."""
    numbers: dict[Any, int] = {}

    def normalize(value: dict[str, Any]) -> dict[str, Any]:
        value.pop("date_saved", None)
        if value.get(_OBJECT) is not None:
            value[_OBJECT] = numbers.setdefault(value[_OBJECT], len(numbers))
        return value

    return json.dumps(json.loads(text, object_hook=normalize)).encode()

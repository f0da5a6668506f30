"""Writes the finished model: for plain Keras, for programs made for the tutorial, and what takes what in words."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

from .. import files
from ..fetch import list_files
from ..registry import MODEL_FILE

_OBJECT = "shared_object_id"
"""What Keras writes of each object: where it lies in memory."""

_ARCHITECTURE, _WEIGHTS = "model.json", "model.weights.h5"

_NATIVE = """\
{native}
    The whole model, for plain Keras 3; stoker is not needed:
        model = keras.models.load_model("{native}")
        digits = model.predict(images).argmax(axis=1)
    It takes examples as the data files hold them: {example}. Scaling is a layer of the model.
"""
_PAIR = """
{architecture} and {weights}
    Architecture and weights apart, as the Azure ML tutorial writes them, under names that Keras 3 accepts:
        model = keras.models.model_from_json(open("{architecture}").read())
        model.load_weights("{weights}")
    They take what the tutorial's programs give: float32 [N, {width}], pixels divided by 255.
"""
_NO_PAIR = """
There is no {architecture} with {weights}: that pair is only written for a model that begins with flattening and
Rescaling(1/255), for it takes scaled pixels.
"""


def export(model: Any, folder: Path, example: str) -> None:
    """Writes the model and what describes it into `folder`, which then appears whole.

    `model.keras`, the tutorial's pair where there is one, `README.txt`, and `MANIFEST.json` with the digests.

    Args:
        model: The model.
        folder: Where to; it may hold the model of an earlier attempt.
        example: What the model takes, in words: "uint8 [N, 28, 28]".

    Raises:
        StorageError: It can't be written; the folder is as it was.
    """
    files.make_folder(folder.parent)
    with files.atomic_folder(folder) as beside:
        beside.mkdir()
        _write(model, beside, example)
        files.write_json(beside / "MANIFEST.json", {"files": dict(list_files(beside).files)})


def unscaled(model: Any) -> Any | None:
    """The model for flat pixels / 255, with the same weights; None if it does not begin as `models.dnn` does."""
    import keras

    layers = getattr(model, "layers", []) if isinstance(model, keras.Sequential) else []
    first = [type(layer).__name__ for layer in layers[:2]]
    if first != ["Flatten", "Rescaling"] or layers[1].scale != 1 / 255 or layers[1].offset:
        return None
    width = layers[0].output.shape[1]
    return keras.Sequential([keras.Input((width,), name="pixels"), *layers[2:]], name=model.name)


def _write(model: Any, folder: Path, example: str) -> None:
    model.save(folder / MODEL_FILE)
    _normalize(folder / MODEL_FILE)
    text = _NATIVE.format(native=MODEL_FILE, example=example)
    pair = unscaled(model)
    names = {"architecture": _ARCHITECTURE, "weights": _WEIGHTS}
    if pair is None:
        text += _NO_PAIR.format(**names)
    else:
        (folder / _ARCHITECTURE).write_text(pair.to_json(), encoding="utf-8")
        pair.save_weights(folder / _WEIGHTS)
        text += _PAIR.format(width=pair.input_shape[1], **names)
    (folder / "README.txt").write_text(text, encoding="utf-8")
    for path in folder.iterdir():
        with path.open("rb") as stream:
            files.sync_file(stream)


def _normalize(path: Path) -> None:
    """Takes out of a saved model what no two savings have in common, so that equal models have equal digests.

    That is the date, and where its objects lie in memory; these are numbered instead.
    """
    beside = path.with_name(f"{path.name}.tmp")
    with zipfile.ZipFile(path) as saved, zipfile.ZipFile(beside, "w") as normalized:
        for name in saved.namelist():
            _settle_member(name, saved, normalized)
    beside.replace(path)


def _settle_member(name: str, saved: zipfile.ZipFile, normalized: zipfile.ZipFile) -> None:
    with saved.open(name) as source, normalized.open(zipfile.ZipInfo(name), "w", force_zip64=True) as target:
        if name.endswith(".json"):
            target.write(_settled(source.read()))
        else:
            shutil.copyfileobj(source, target)


def _settled(text: bytes) -> bytes:
    """A JSON text without dates and places in memory."""
    numbers: dict[Any, int] = {}

    def settle(value: dict[str, Any]) -> dict[str, Any]:
        value.pop("date_saved", None)
        if value.get(_OBJECT) is not None:
            value[_OBJECT] = numbers.setdefault(value[_OBJECT], len(numbers))
        return value

    return json.dumps(json.loads(text, object_hook=settle)).encode()

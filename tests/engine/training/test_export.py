"""What is written of a finished model: `model.keras`, what plugins add, and a text about all of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stoker.engine.files import sha256_file
from stoker.engine.model import ModelConfig
from stoker.engine.plugin.plugins import Plugins
from stoker.engine.training.export import export
from stoker.models import dnn

from ... import plugin_files, tiny
from ...plugin_files import hook

CONFIG = ModelConfig(input_shape=tiny.SHAPE, input_dtype="uint8", classes=tiny.CLASSES, learning_rate=0.001)


def written(model: Any, folder: Path, *plugins: str) -> set[str]:
    """The names of the files of an exported model, without the two that are always there."""
    export(model, folder, "uint8 [N, 6, 5]", Plugins.load(plugins))
    digests = json.loads((folder / "MANIFEST.json").read_text())["files"]
    for name, digest in digests.items():
        assert digest == f"sha256:{sha256_file(folder / name)}"
    return digests.keys() - {"model.keras", "README.txt"}


def scaled_last(keras: Any) -> Any:
    """A model that scales pixels elsewhere than the tutorial's programs do."""
    layers = [keras.layers.Rescaling(1 / 255), keras.layers.Flatten(), keras.layers.Dense(tiny.CLASSES)]
    return keras.Sequential([keras.Input(tiny.SHAPE), *layers])


def test_a_model_that_begins_as_the_tutorials_is_written_for_its_programs_too(keras: Any, tmp_path: Path):
    model = dnn.build(CONFIG)
    assert written(model, tmp_path / "model") == {"model.json", "model.weights.h5"}
    text = (tmp_path / "model" / "README.txt").read_text()
    assert "keras.models.load_model" in text
    assert "float32 [N, 30], pixels divided by 255" in text
    images = tiny.arrays(20, 1)[0]
    pair = keras.models.model_from_json((tmp_path / "model" / "model.json").read_text())
    pair.load_weights(tmp_path / "model" / "model.weights.h5")
    scaled = images.reshape(20, -1).astype("float32") / 255
    np.testing.assert_allclose(pair.predict(scaled, verbose=0), model.predict(images, verbose=0), atol=1e-6)


def test_any_other_model_has_no_such_pair_and_the_text_says_so(keras: Any, tmp_path: Path):
    assert written(scaled_last(keras), tmp_path / "model") == set()
    assert "There is no model.json with model.weights.h5" in (tmp_path / "model" / "README.txt").read_text()


def test_a_plugin_adds_files_and_a_paragraph(keras: Any, tmp_path: Path):
    body = "(folder / 'deep').mkdir(); (folder / 'deep/x.txt').touch(); return '\\nx.txt\\n    Nothing.\\n'"
    plugin = plugin_files.write(tmp_path / "extra.py", hook("stoker_export_model", body))
    assert written(scaled_last(keras), tmp_path / "model", str(plugin)) == {"deep/x.txt"}
    assert "\nx.txt\n    Nothing.\n" in (tmp_path / "model" / "README.txt").read_text()


def test_a_plugin_that_fails_is_named_and_the_model_is_written(
    keras: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    plugin = plugin_files.write(tmp_path / "bad.py", hook("stoker_export_model", "raise ValueError('boom')"))
    assert written(scaled_last(keras), tmp_path / "model", str(plugin)) == set()
    assert "stoker_export_model: ValueError: boom" in capsys.readouterr().err


def test_the_text_says_what_code_of_the_users_a_model_needs(keras: Any, tmp_path: Path):
    def doubled(x: Any) -> Any:
        return 2 * x

    class Noted(keras.layers.Layer):  # type: ignore[misc]
        def call(self, inputs: Any) -> Any:
            return inputs

    layers = [keras.layers.Flatten(), keras.layers.Dense(3, activation=doubled), Noted()]
    model = keras.Sequential([keras.Input(tiny.SHAPE), *layers])
    written(model, tmp_path / "model")
    text = (tmp_path / "model" / "README.txt").read_text()
    assert 'custom_objects={"doubled": doubled, "Noted": Noted}' in text
    assert "lambda" not in text
    own = {"doubled": doubled, "Noted": Noted}
    loaded = keras.models.load_model(tmp_path / "model" / "model.keras", custom_objects=own)
    images = tiny.arrays(20, 1)[0]
    np.testing.assert_array_equal(loaded.predict(images, verbose=0), model.predict(images, verbose=0))


@pytest.mark.filterwarnings("ignore:The object being serialized includes a `lambda`")
@pytest.mark.parametrize("where", ["a layer", "an activation"])
def test_the_text_says_that_a_model_has_a_lambda(keras: Any, tmp_path: Path, where: str):
    layers = keras.layers
    last = {"a layer": layers.Lambda(lambda x: 2 * x), "an activation": layers.Dense(3, activation=lambda x: 2 * x)}
    written(keras.Sequential([keras.Input(tiny.SHAPE), layers.Flatten(), last[where]]), tmp_path / "model")
    text = (tmp_path / "model" / "README.txt").read_text()
    assert "safe_mode=False" in text
    assert "custom_objects" not in text


def test_a_model_of_keras_alone_needs_nothing(keras: Any, tmp_path: Path):
    written(scaled_last(keras), tmp_path / "model")
    text = (tmp_path / "model" / "README.txt").read_text()
    assert "custom_objects" not in text
    assert "lambda" not in text

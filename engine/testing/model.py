"""The contract of a model: what the builder receives and must return, as tests."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from ..model import ModelBuilder, ModelConfig


class ModelContract:
    """Tests that stoker can train what a builder builds: subclass it and return the builder.

        class TestLinear(ModelContract):
            options = {"linear_units": 8}

            def make_builder(self):
                return build

    Attributes:
        input_shape: The shape of an example that the model takes.
        input_dtype: Its type, as the files hold it.
        classes: How many classes there are.
        options: The options that the model requires.
    """

    input_shape: tuple[int, ...] = (28, 28)
    input_dtype: str = "uint8"
    classes: int = 10
    options: Mapping[str, Any] = MappingProxyType({})

    def make_builder(self) -> ModelBuilder:
        """Returns the function that builds the model."""
        raise NotImplementedError(f"{type(self).__name__} must return its builder in make_builder")

    def config(self, **options: Any) -> ModelConfig:
        """Returns what the builder receives; other plugins' options are in it too."""
        return ModelConfig(
            input_shape=self.input_shape,
            input_dtype=self.input_dtype,
            classes=self.classes,
            learning_rate=0.01,
            options=MappingProxyType({**self.options, **options}),
        )

    def build(self, **options: Any) -> Any:
        """Builds a new model, with the same weights each time if its builder leaves Keras' seed alone."""
        self.keras().utils.set_random_seed(1)
        return self.make_builder()(self.config(**options))

    def keras(self) -> Any:
        """Returns the module `keras`, imported as the training process imports it."""
        from ..training.runtime import import_keras

        return import_keras()[1]

    def batch(self, count: int = 6) -> tuple[Any, Any]:
        """Returns examples as files hold them, from the lowest to the highest value, and a label for each."""
        import numpy as np

        dtype = np.dtype(self.input_dtype)
        highest = min(np.iinfo(dtype).max, 255) if dtype.kind in "ui" else 1
        values = np.linspace(0, highest, count * int(np.prod(self.input_shape)))
        images = np.random.default_rng(0).permutation(values).reshape(count, *self.input_shape).astype(dtype)
        return images, np.arange(count, dtype=np.int32) % self.classes

    def test_it_builds_a_keras_model(self) -> None:
        assert isinstance(self.build(), self.keras().Model), "the builder must return the model"

    def test_the_model_is_compiled(self) -> None:
        assert self.build().compiled, "model.compile(optimizer, loss, metrics=[…]) before it is returned"

    def test_it_takes_an_example_as_the_files_hold_it_and_answers_with_a_figure_for_each_class(self) -> None:
        import numpy as np

        images, _ = self.batch()
        answers = np.asarray(self.build().predict_on_batch(images))
        assert answers.shape == (len(images), self.classes)
        assert bool(np.isfinite(answers).all())

    @pytest.mark.parametrize("count", [1, 2, 7])
    def test_it_takes_a_batch_of_any_size(self, count: int) -> None:
        assert len(self.build().predict_on_batch(self.batch(count)[0])) == count

    def test_its_loss_takes_integer_labels(self) -> None:
        import numpy as np

        losses = self.build().train_on_batch(*self.batch(), return_dict=True)
        assert np.isfinite(losses["loss"])

    def test_a_step_of_training_changes_its_weights(self) -> None:
        model = self.build()
        before = [variable.numpy().copy() for variable in model.trainable_variables]
        assert before, "there is nothing to train"
        model.train_on_batch(*self.batch())
        after = [variable.numpy() for variable in model.trainable_variables]
        assert any((one != other).any() for one, other in zip(before, after, strict=True))

    def test_it_can_be_described_in_values(self) -> None:
        keras = self.keras()
        assert keras.saving.serialize_keras_object(self.build())

    def test_it_can_be_saved_and_loaded_and_answers_the_same(self, tmp_path: Path) -> None:
        import numpy as np

        model, images = self.build(), self.batch()[0]
        model.train_on_batch(*self.batch())
        model.save(tmp_path / "model.keras")
        loaded = self.keras().saving.load_model(tmp_path / "model.keras")
        np.testing.assert_allclose(
            loaded.predict_on_batch(images), model.predict_on_batch(images), rtol=1e-5, atol=1e-6
        )

    def test_it_has_as_many_outputs_as_the_data_have_classes(self) -> None:
        config = self.config()
        more = ModelConfig(
            input_shape=config.input_shape,
            input_dtype=config.input_dtype,
            classes=self.classes + 3,
            learning_rate=config.learning_rate,
            options=config.options,
        )
        model = self.make_builder()(more)
        assert model.predict_on_batch(self.batch()[0]).shape[-1] == self.classes + 3

    def test_options_of_other_plugins_do_not_disturb_it(self) -> None:
        model = self.build(somebody_elses_option="text", another_one=None)
        assert model.count_params() == self.build().count_params()

    def test_two_models_share_no_weights(self) -> None:
        one, other = self.build(), self.build()
        assert {id(variable) for variable in one.variables}.isdisjoint(id(variable) for variable in other.variables)

    def test_the_same_seed_gives_the_same_weights(self) -> None:
        one, other = ([variable.numpy() for variable in self.build().trainable_variables] for _ in range(2))
        assert all((first == second).all() for first, second in zip(one, other, strict=True))

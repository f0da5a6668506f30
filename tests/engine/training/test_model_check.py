"""A model that could not be trained on the data is refused before its first step, in words about model and data."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from stoker.engine.data import Dataset, Split
from stoker.engine.errors import InputError
from stoker.engine.training.model_check import check_model


def dataset(classes: int = 3) -> Dataset:
    split = Split(images=np.zeros((classes, 4, 5), np.uint8), labels=np.arange(classes, dtype=np.int32))
    return Dataset(name="tiny", train=split, test=split, classes=classes)


def model(
    keras: Any, shape: tuple[int, ...] = (4, 5), units: int = 3, loss: Any = "sparse_categorical_crossentropy"
) -> Any:
    made = keras.Sequential([keras.Input(shape), keras.layers.Flatten(), keras.layers.Dense(units)])
    made.compile("adam", loss)
    return made


LOSSES: dict[str, Any] = {
    "name": lambda keras: "categorical_crossentropy",
    "name of the class": lambda keras: "CategoricalCrossentropy",
    "function": lambda keras: keras.losses.categorical_crossentropy,
    "object": lambda keras: keras.losses.CategoricalCrossentropy(from_logits=True),
    "focal": lambda keras: keras.losses.CategoricalFocalCrossentropy(),
}


@pytest.mark.parametrize("kind", LOSSES)
def test_a_loss_for_one_hot_labels_is_refused_with_the_one_to_take(keras: Any, kind: str):
    with pytest.raises(InputError, match="does not take the labels") as caught:
        check_model("m", model(keras, loss=LOSSES[kind](keras)), dataset())
    assert "sparse_categorical_crossentropy" in caught.value.expected


@pytest.mark.parametrize("loss", ["sparse_categorical_crossentropy", "mse", None])
def test_losses_for_integers_and_others_that_keras_trains_are_not_refused(keras: Any, loss: Any):
    check_model("m", model(keras, loss=loss), dataset())


def test_two_inputs_are_refused_with_their_names(keras: Any):
    one, two = keras.Input((4, 5), name="left"), keras.Input((4, 5), name="right")
    both = keras.Model([one, two], keras.layers.Flatten()(keras.layers.Add()([one, two])))
    both.compile("adam", "mse")
    with pytest.raises(InputError, match="one array") as caught:
        check_model("m", both, dataset())
    assert "left, right" in str(caught.value)


@pytest.mark.parametrize("shape", [(5, 4), (4, 6)])
def test_an_input_of_another_shape_is_refused_with_both(keras: Any, shape: tuple[int, int]):
    with pytest.raises(InputError, match="does not take the examples") as caught:
        check_model("m", model(keras, shape), dataset())
    assert (str(shape) in caught.value.received, caught.value.expected) == (True, "shape (4, 5)")


@pytest.mark.parametrize("shape", [(4, 5), (None, 5), (4, 5, 1)])
def test_shapes_that_keras_takes_are_not_refused(keras: Any, shape: tuple[Any, ...]):
    made = keras.Sequential(
        [keras.Input(shape), keras.layers.GlobalAveragePooling1D() if len(shape) == 2 else keras.layers.Flatten()]
    )
    made.compile("adam", "mse")
    check_model("m", made, dataset())


def test_fewer_outputs_than_classes_are_refused(keras: Any):
    with pytest.raises(InputError, match="too few outputs") as caught:
        check_model("m", model(keras, units=3), dataset(classes=4))
    assert "3 outputs for 4 classes" in str(caught.value)
    check_model("m", model(keras, units=5), dataset(classes=4))


@pytest.mark.parametrize("method", ["train_step", "compute_loss"])
def test_a_step_of_the_users_own_may_do_with_the_labels_what_it_likes(keras: Any, method: str):
    def own(self: Any, *arguments: Any, **more: Any) -> Any:
        return {"loss": 0.0}

    kind = keras.saving.register_keras_serializable()(type("Own", (keras.Sequential,), {method: own}))
    made = kind([keras.Input((4, 5)), keras.layers.Flatten(), keras.layers.Dense(3)])
    made.compile("adam", "categorical_crossentropy")
    check_model("m", made, dataset())


class Legitimate:
    """Models that look as if they did not fit, and train in Keras' `fit`."""

    @staticmethod
    def own_class(keras: Any) -> Any:
        class Smoothed(keras.losses.CategoricalCrossentropy):
            def call(self, truth: Any, predicted: Any) -> Any:
                return super().call(keras.ops.one_hot(truth, 3), predicted)

        return model(keras, loss=Smoothed(label_smoothing=0.1))

    @staticmethod
    def own_function_of_that_name(keras: Any) -> Any:
        def categorical_crossentropy(truth: Any, predicted: Any) -> Any:
            return keras.losses.sparse_categorical_crossentropy(truth, predicted)

        return model(keras, loss=categorical_crossentropy)

    @staticmethod
    def a_class_to_ignore(keras: Any) -> Any:
        return model(keras, units=2, loss=keras.losses.SparseCategoricalCrossentropy(ignore_class=2))

    @staticmethod
    def two_inputs_made_by_its_step(keras: Any) -> Any:
        def own(self: Any, data: Any) -> Any:
            return {"loss": 0.0}

        kind = keras.saving.register_keras_serializable()(type("Two", (keras.Model,), {"train_step": own}))
        one, two = keras.Input((4, 5)), keras.Input((2, 2))
        made = kind([one, two], [one, two])
        made.compile("adam", "mse")
        return made


@pytest.mark.parametrize("name", [name for name in vars(Legitimate) if not name.startswith("_")])
def test_a_model_that_keras_trains_is_not_refused(keras: Any, name: str):
    check_model("m", getattr(Legitimate, name)(keras), dataset())


def test_a_loss_that_keras_does_not_know_is_named(keras: Any):
    with pytest.raises(InputError, match="does not know") as caught:
        check_model("m", model(keras, loss="no_such_loss"), dataset())
    assert caught.value.received == "'no_such_loss'"


@pytest.mark.parametrize("loss", [["categorical_crossentropy"], {"only": "categorical_crossentropy"}])
def test_a_loss_in_a_list_or_dictionary_of_one_is_seen(keras: Any, loss: Any):
    pixels = keras.Input((4, 5))
    made = keras.Model(pixels, keras.layers.Dense(3, name="only")(keras.layers.Flatten()(pixels)))
    made.compile("adam", loss)
    with pytest.raises(InputError, match="does not take the labels"):
        check_model("m", made, dataset())


def test_a_subclass_whose_inputs_are_not_known_is_not_refused_for_them(keras: Any):
    class Lazy(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.last = keras.layers.Dense(3)

        def call(self, images: Any) -> Any:
            return self.last(images)

        def get_config(self) -> dict[str, Any]:
            return {}

    made = Lazy()
    made.compile("adam", "sparse_categorical_crossentropy")
    check_model("m", made, dataset())

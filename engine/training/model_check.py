"""Refuses, before the first step, a model that could not be trained on the data, or not be saved after its training."""

from __future__ import annotations

from typing import Any

from ..data import Dataset
from ..errors import InputError

_ONE_HOT = {
    "categorical_crossentropy": "sparse_categorical_crossentropy",
    "categorical_focal_crossentropy": "sparse_categorical_crossentropy",
    "categorical_hinge": "sparse_categorical_crossentropy",
}
"""Losses that take one-hot labels, and what takes integers in their place."""


def check_model(name: str, model: Any, dataset: Dataset) -> None:
    """Checks what the function of a model has returned.

    Args:
        name: The model, as the user named it.
        model: What was returned.
        dataset: What it is to be trained on.

    Raises:
        InputError: It is no compiled Keras model, it takes other inputs or labels than the data have, or it can't be
            saved.
    """
    import keras

    if not isinstance(model, keras.Model):
        what = f"the model {name!r} can't be trained"
        raise InputError(what, received=type(model).__name__, expected="a keras.Model", hint="return model")
    if not model.compiled:
        what = f"the model {name!r} is not compiled"
        raise InputError(what, expected="model.compile(optimizer, loss, metrics=[…]) before it is returned")
    if is_keras_own(model, "train_step"):  # the user's own may make anything of the examples
        _check_inputs(name, model, dataset)
    if is_keras_own(model, "train_step") and is_keras_own(model, "compute_loss"):  # own ones may take any labels
        _check_labels(name, model, dataset)
    try:
        keras.saving.serialize_keras_object(model)
    except Exception as error:
        raise InputError(
            f"the model {name!r} could not be saved after its training",
            received=f"{type(error).__name__}: {str(error).partition(chr(10))[0]}",
            hint="give the classes that it is made of a get_config(), or build it from Keras' own layers",
        ) from error


def ignored_methods(model: Any) -> list[str]:
    """Returns the methods of the user's own that Keras' `fit` would call, or be, and that stoker does not."""
    names = ("fit", "evaluate", "make_train_function", "make_test_function")
    return [name for name in names if not is_keras_own(model, name)]


def is_keras_own(model: Any, method: str) -> bool:
    """Returns whether a method of a model is the one of `keras.Model`."""
    import keras

    return getattr(getattr(model, method), "__func__", None) is getattr(keras.Model, method)


def _check_inputs(name: str, model: Any, dataset: Dataset) -> None:
    """Checks the inputs of a model whose layers are known: a subclass of `keras.Model` may take anything."""
    inputs = getattr(model, "inputs", None) or ()
    if len(inputs) > 1:
        raise InputError(
            f"the model {name!r} can't be trained on one array",
            received=f"{len(inputs)} inputs: {', '.join(str(tensor.name) for tensor in inputs)}",
            expected=f"one input, for examples of shape {dataset.shape}",
            hint="make all parts from one input inside the model",
        )
    for tensor in inputs:
        shape = tuple(tensor.shape[1:])
        fits = all(mine in (None, theirs) for mine, theirs in zip(shape, dataset.shape, strict=False))
        if len(shape) == len(dataset.shape) and not fits:  # Keras itself adapts another rank, where it can
            raise InputError(
                f"the model {name!r} does not take the examples of the data set {dataset.name!r}",
                received=f"an input of shape {shape}",
                expected=f"shape {dataset.shape}",
                hint="build the model with keras.Input(config.input_shape)",
            )


def _check_labels(name: str, model: Any, dataset: Dataset) -> None:
    """Checks that the loss of a model takes integers, and that there is an output for each class."""
    loss = _loss_of_keras(name, getattr(model, "loss", None))
    if loss in _ONE_HOT:
        raise InputError(
            f"the loss of the model {name!r} does not take the labels of the data",
            received=f"{loss}, which takes one-hot labels",
            expected=f"a loss for integer labels: {_ONE_HOT[loss]}",
            hint=f'compile with loss="{_ONE_HOT[loss]}"',
        )
    outputs: Any = getattr(model, "outputs", None) or ()
    units = outputs[0].shape[-1] if len(outputs) == 1 else None
    if loss == "sparse_categorical_crossentropy" and units is not None and units < dataset.classes:
        raise InputError(
            f"the model {name!r} has too few outputs",
            received=f"{units} outputs for {dataset.classes} classes",
            expected=f"{dataset.classes} outputs, as the largest label is {dataset.classes - 1}",
            hint="end the model with config.classes units",
        )


def _loss_of_keras(name: str, loss: Any) -> str:
    """Returns the name of a loss function of Keras' own; "" for the user's, and for classes made from Keras'."""
    import keras

    while isinstance(loss, list | tuple | dict) and len(loss) == 1:
        loss = next(iter(loss.values() if isinstance(loss, dict) else loss))
    if isinstance(loss, str):
        try:
            loss = keras.losses.get(loss)
        except ValueError as error:
            what = f"the model {name!r} is compiled with a loss that Keras does not know"
            raise InputError(what, received=repr(loss), expected="the name of one in keras.losses") from error
    if isinstance(loss, keras.losses.Loss):
        own = type(loss).__module__.partition(".")[0] != "keras" or getattr(loss, "ignore_class", None) is not None
        loss = None if own else getattr(loss, "fn", None)
    return str(loss.__name__) if getattr(loss, "__module__", "").partition(".")[0] == "keras" else ""

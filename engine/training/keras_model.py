"""What the training must know of a Keras model, or do to it, and Keras has no public call for."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any


def compilation(model: Any) -> tuple[int, int]:
    """Returns what changes whenever a model is compiled: Keras then makes a new object for the loss."""
    return id(model.optimizer), id(getattr(model, "_compile_loss", None))


def build_untraced(model: Any, data: Any) -> None:
    """Builds a model without tracing its step; what can't be built like this is built at the first batch."""
    import keras

    batch = keras.tree.map_structure(lambda array: array[:2], data)
    # Private in Keras 3.15 (keras/src/trainers/trainer.py), where `fit` calls it under a distribution strategy: no
    # public call also builds the metrics and the loss.
    with contextlib.suppress(Exception):
        model._symbolic_build(data_batch=batch)
    if model.optimizer is not None and not model.optimizer.built and model.trainable_variables:
        model.optimizer.build(model.trainable_variables)


def untracked(model: Any, used: Sequence[Any]) -> list[Any]:
    """Returns those of some TensorFlow variables that neither model nor optimizer knows."""
    optimizer = model.optimizer.variables if model.optimizer is not None else ()
    known = {id(variable.value) for variable in (*model.variables, *model.metrics_variables, *optimizer)}
    return [variable for variable in used if id(variable) not in known]


def finalize_weights(model: Any) -> None:
    """Gives a model the weights that its optimizer makes at the end: with `use_ema=True`, their moving averages.

    Keras' `fit` does this once, after the last epoch; doing it again changes nothing.
    """
    import keras

    if isinstance(model.optimizer, keras.optimizers.Optimizer) and model.optimizer.built:
        model.optimizer.finalize_variable_values(model.trainable_weights)


def averages(model: Any) -> bool:
    """Returns whether `finalize_weights` may change the weights."""
    import keras

    own = getattr(type(model.optimizer), "finalize_variable_values", None)
    usual = own in (None, keras.optimizers.Optimizer.finalize_variable_values)
    return not usual or bool(getattr(model.optimizer, "use_ema", False))


def fixed_batch_size(model: Any) -> int:
    """Returns the number of examples that every batch of a model must have; 0 if any number will do."""
    shapes = [tuple(tensor.shape) for tensor in getattr(model, "inputs", None) or ()]
    return next((int(shape[0]) for shape in shapes if shape and shape[0] is not None), 0)

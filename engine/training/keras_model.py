"""What the training must know of a Keras model, or do to it, and Keras has no public call for."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

_DEPTH = 4
"""Lists in lists in which the optimizers of a model are found."""


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


def trained_optimizer(model: Any) -> Any:
    """Returns the optimizer that the steps of a built model use; None if it has others, and this one no variables."""
    return model.optimizer if getattr(model.optimizer, "built", True) else None


def held_variables(model: Any) -> list[Any]:
    """Returns the TensorFlow variables of what the model and its layers hold as attributes, beside layers and metrics.

    These are those of optimizers of their own, and plain variables.
    """
    import keras
    import tensorflow as tf

    found: list[Any] = []
    for layer in model._flatten_layers():
        for _, value in held(layer):
            if isinstance(value, keras.optimizers.Optimizer):
                found += [variable.value for variable in value.variables]
            elif isinstance(value, tf.Variable | keras.Variable):
                found.append(value.value if isinstance(value, keras.Variable) else value)
    return list({id(variable): variable for variable in found}.values())


def has_unbuilt_optimizers(model: Any) -> bool:
    """Returns whether the model, or a layer, has an optimizer as an attribute that gets its variables at a step."""
    import keras

    values = [value for layer in model._flatten_layers() for _, value in held(layer)]
    return any(isinstance(value, keras.optimizers.Optimizer) and not value.built for value in values)


def held(owner: Any) -> Iterator[tuple[str, Any]]:
    """Yields the attributes of a model or a layer, and what is in lists and dictionaries among them.

    Each has its name: `critic`, `pair.one`, `pair.0`.
    """
    yield from _held(vars(owner).items())


def _held(named: Iterable[tuple[str, Any]], depth: int = 0) -> Iterator[tuple[str, Any]]:
    for name, value in named:
        if not isinstance(value, Mapping | list | tuple):
            yield name, value
        elif depth < _DEPTH:
            members = value.items() if isinstance(value, Mapping) else enumerate(value)
            yield from _held(((f"{name}.{key}", member) for key, member in members), depth + 1)


def build_by_a_step(model: Any, step: Callable[[], None]) -> None:
    """Takes a step for the variables that it creates, and gives all variables the values from before it.

    Args:
        model: The model.
        step: Trains the model on one batch.
    """
    import tensorflow as tf

    before: list[tuple[Any, Any]] = []

    def created(create: Callable[..., Any], **settings: Any) -> Any:
        variable = create(**settings)
        before.append((variable, variable.numpy()))
        return variable

    optimizer = model.optimizer.variables if model.optimizer is not None else ()
    known = (*model.variables, *model.metrics_variables, *optimizer, *held_variables(model))
    before += [(variable, variable.numpy()) for variable in known]
    with tf.variable_creator_scope(created):
        step()
    for variable, value in before:
        variable.assign(value)


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

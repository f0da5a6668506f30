"""What the training must know of a Keras model, or do to it, and Keras has no public call for."""

from __future__ import annotations

import contextlib
import functools
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
    """Returns those of some TensorFlow variables that are not among the weights of model and optimizer.

    Those of metrics are among them: most begin every epoch at zero, but a user's own may count over all epochs.
    """
    optimizer = model.optimizer.variables if model.optimizer is not None else ()
    known = {id(variable.value) for variable in (*model.variables, *optimizer)}
    unknown = {id(variable): variable for variable in used if id(variable) not in known}
    return list(unknown.values())


def global_seed() -> list[Any]:
    """Returns the state of the random numbers that `keras.random` draws without a seed of the caller's."""
    try:
        from keras.src.random.seed_generator import global_seed_generator  # no public call gives it
    except ImportError:
        return []
    return [global_seed_generator().state.value]


def evaluates_alike(model: Any) -> bool:
    """Returns whether the figures of an evaluation are the same for batches of any size.

    They are where all parts of the model are Keras' own and look at one example at a time, and each loss is a mean
    over the examples. What is not known to be so counts as something that looks at the whole batch.
    """
    import keras

    if fixed_batch_size(model):
        return False
    losses = keras.tree.flatten(getattr(model, "loss", None) or ())
    compiled = getattr(model, "_compile_metrics", None)  # private in Keras 3.15: `metrics` has them in one object
    metrics = [*model.metrics, *(compiled.metrics if compiled is not None else ())]
    layers = [*model._flatten_layers()]
    operations = [operation for layer in layers for operation in getattr(layer, "operations", ())]
    return (
        all(isinstance(operation, keras.layers.Layer) for operation in operations)
        and all(_looks_at_one_example(layer) for layer in layers)
        and all(_is_mean(loss) for loss in losses)
        and all(_counts_examples(metric) for metric in metrics)
    )


_FUNCTIONS = ("activation", "recurrent_activation", "activity_regularizer")
"""Attributes of Keras' layers that hold what the user may have written."""


def _looks_at_one_example(layer: Any) -> bool:
    """Returns whether a layer, in an evaluation, makes of each example what it makes of it alone."""
    import keras

    if isinstance(layer, keras.layers.Lambda | keras.layers.TFSMLayer) or not _is_of_keras(layer):
        return False
    # Called with training=True, a layer of a functional model trains in an evaluation too.
    training = any(node.arguments.kwargs.get("training") for node in getattr(layer, "_inbound_nodes", ()))
    functions = (getattr(layer, name, None) for name in _FUNCTIONS)
    return not training and _leaves_the_batch_alone(layer) and all(_is_of_keras(each) for each in functions)


def _is_of_keras(part: Any) -> bool:
    named = part is None or isinstance(part, str)
    made_by: str = getattr(part, "__module__", None) or type(part).__module__
    return named or made_by.partition(".")[0] == "keras"


def _leaves_the_batch_alone(part: Any) -> bool:
    """Returns whether the axes that something works along are not that of the examples, as far as it has axes."""
    options = getattr(part, "_fn_kwargs", None) or getattr(part, "fn_kwargs", None) or {}
    axes = getattr(part, "axis", options.get("axis"))
    each = axes if isinstance(axes, list | tuple) else [axes]
    return all(axis is None or (isinstance(axis, int) and (axis == -1 or axis > 0)) for axis in each)


def _is_mean(loss: Any) -> bool:
    """Returns whether a loss, or what a metric averages, is Keras' own and a mean over examples.

    Dice and its like look at the whole batch.
    """
    import keras

    if loss is None:
        return True
    losses = keras.losses
    loss = losses.get(loss)
    wholes = {losses.Dice, losses.Tversky, losses.Circle, losses.dice, losses.tversky, losses.circle}
    if loss in wholes or type(loss) in wholes or not _leaves_the_batch_alone(loss):
        return False
    own = not _is_of_keras(loss) or not _is_of_keras(getattr(loss, "fn", None))
    return not own and getattr(loss, "reduction", "mean") in {"mean", "sum_over_batch_size"}


def _counts_examples(metric: Any) -> bool:
    """Returns whether a metric is one of Keras', and adds something up over the examples."""
    return _is_of_keras(metric) and _leaves_the_batch_alone(metric) and _is_mean(getattr(metric, "_fn", None))


def trained_elsewhere(model: Any) -> dict[int, tuple[str, Any, Any]]:
    """Looks at what a step in Python may train though no attribute of the model leads to it.

    These are the optimizers, and the variables that can be trained, of objects of the user's own. The garbage collector
    knows them all. Two looks show what was trained in between.

    Returns:
        For each of them, by its id: its name, itself, and a number that changes when it is trained.
    """
    import gc

    import keras
    import tensorflow as tf

    held_by_model = [value for layer in model._flatten_layers() for _, value in held(layer)]
    known = {id(variable.value) for variable in model.variables} | {id(value) for value in held_variables(model)}
    inner = getattr(model.optimizer, "inner_optimizer", None)  # of a LossScaleOptimizer
    known |= {id(value) for value in (model.optimizer, inner, *held_by_model)}
    found: dict[int, tuple[str, Any, Any]] = {}
    sought = (keras.optimizers.Optimizer, tf.Variable)
    # A million objects are of a few kinds.
    is_sought: Callable[[type], bool] = functools.cache(lambda kind: issubclass(kind, sought))
    gc.collect()
    for thing in gc.get_objects():
        if not is_sought(type(thing)) or id(thing) in known:
            continue
        if isinstance(thing, keras.optimizers.Optimizer):
            found[id(thing)] = f"the optimizer {thing.name}", thing, int(thing.iterations)
        elif thing.trainable:
            found[id(thing)] = f"the variable {thing.name}", thing, float(tf.reduce_sum(tf.cast(thing, "float64")))
    return found


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

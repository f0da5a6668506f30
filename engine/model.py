"""What a model function gets and returns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["ModelBuilder", "ModelConfig"]


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelConfig:
    """What a model is built from; the data decide the first two.

    Attributes:
        input_shape: The shape of one example: (28, 28) for MNIST.
        input_dtype: Its dtype as the files hold it: "uint8" for MNIST.
        classes: How many classes the labels have.
        learning_rate: The value of `--learning-rate`.
        options: The options that plugins added, by name: `first_layer_neurons`, …
    """

    input_shape: tuple[int, ...]
    input_dtype: str
    classes: int
    learning_rate: float
    options: Mapping[str, Any] = field(default_factory=dict)


ModelBuilder = Callable[[ModelConfig], Any]
"""Builds a compiled `keras.Model`: its input is an example as the files hold it, its loss takes integer labels."""

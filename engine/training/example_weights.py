"""How much each example counts in the loss: by its class, or as the data set says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..data import Dataset, Split
from ..errors import DatasetError, OptionError
from ..job import BALANCED, TrainJob, class_weights

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def examples(split: Split, weights: NDArray[Any] | None) -> Any:
    """Returns the arrays of a split as Keras' steps take them: (images, labels), or with weights as the third.

    Args:
        split: The examples.
        weights: Floating-point numbers [N]; None counts all alike.
    """
    return (split.images, split.labels) if weights is None else (split.images, split.labels, weights)


def check_weights(job: TrainJob, dataset: Dataset) -> None:
    """Checks the weights that a job or a data set gives, before a training begins.

    Raises:
        DatasetError: The data set's own are no numbers of 0 or more, one for each example.
        OptionError: The data set has some already, or the job weighs a class that the data don't have.
    """
    import numpy as np

    for name, split in (("training", dataset.train), ("test", dataset.test)):
        weights = split.weights
        if weights is None:
            continue
        right = weights.shape == (len(split),) and weights.dtype.kind == "f"
        if not right or not np.isfinite(weights).all() or weights.min() < 0:
            raise DatasetError(
                f"the {name} examples of the data set {dataset.name!r} can't be weighed",
                received=f"weights of {weights.dtype.name}, shape {weights.shape}, from {weights.min()}",
                expected=f"floating-point numbers of 0 or more, shape ({len(split)},)",
            )
    if job.class_weight and dataset.train.weights is not None:
        raise OptionError(
            "examples can't be weighed twice",
            received=f"--class-weight, and a data set {dataset.name!r} that has weights",
            expected="one of the two",
            hint="leave out --class-weight",
        )
    for label in class_weights(job.class_weight):
        if label >= dataset.classes:
            raise OptionError(
                "--class-weight weighs a class that the data don't have",
                received=f"class {label}",
                expected=f"classes from 0 to {dataset.classes - 1}",
            )


def training_weights(job: TrainJob, dataset: Dataset) -> NDArray[np.floating[Any]] | None:
    """Returns the weight of each training example; None if all count alike.

    Args:
        job: The job, whose `class_weight` may ask for weights by class.
        dataset: The data, which may have weights of their own.

    Returns:
        Floating-point numbers [N], as Keras' `class_weight` makes them: in `floatx`, 1 for a class without a weight.
    """
    if not job.class_weight:
        return dataset.train.weights
    import keras
    import numpy as np

    labels = np.asarray(dataset.train.labels)
    by_class = np.ones(dataset.classes, keras.config.floatx())
    if job.class_weight == BALANCED:
        counts = np.bincount(labels, minlength=dataset.classes)
        present = counts > 0
        # The formula of scikit-learn's `compute_class_weight("balanced")`, over the classes that occur.
        by_class[present] = len(labels) / (present.sum() * counts[present])
    for label, weight in class_weights(job.class_weight).items():
        by_class[label] = weight
    return by_class[labels]

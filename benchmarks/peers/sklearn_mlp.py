# mypy: disable-error-code="import-not-found, import-untyped"
"""scikit-learn's MLPClassifier, epoch by epoch."""

from __future__ import annotations

from ..task import LEARNING_RATE, SEED, Task

TITLE = "scikit-learn, MLPClassifier"
NEEDS = ("scikit-learn",)
DIFFERS = "Adam instead of RMSprop, which it lacks; validation gives the accuracy alone"


def train(task: Task) -> None:
    """Trains."""
    import numpy as np
    from sklearn.neural_network import MLPClassifier

    images, labels = task.scaled("train"), task.labels("train")
    test, answers = task.scaled("t10k"), task.labels("t10k")
    network = MLPClassifier(
        (300, 100), alpha=0.0, batch_size=task.batch_size, learning_rate_init=LEARNING_RATE, random_state=SEED
    )
    for _ in range(task.epochs):
        network.partial_fit(images, labels, classes=np.arange(10))
        task.lap(network.score(test, answers))

"""What a training needs, made from a job: the data, its parts, and the model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..data import Dataset, ProgressCallback
from ..errors import OptionError, PluginError, StokerError
from ..job import TrainJob
from ..model import ModelConfig
from ..plugin.plugins import Plugins
from .example_weights import check_weights, examples
from .execution_mode import compile_watched
from .model_check import check_model

if TYPE_CHECKING:
    from .fit import Subset


@dataclass(frozen=True, kw_only=True, slots=True)
class BuiltModel:
    """A compiled model, and what is known of how it came to be.

    Attributes:
        model: The `keras.Model`.
        jit_compile: The argument that it was compiled with.
        config: What its function was given, which knows what was read of it.
    """

    model: Any
    jit_compile: Any
    config: WatchedConfig


class WatchedConfig(ModelConfig):
    """A configuration that knows which of its values the function of a model has read."""

    def __getattribute__(self, name: str) -> Any:
        value = super().__getattribute__(name)
        if name not in {"learning_rate", "options"}:
            return value
        read: set[str] = vars(self).setdefault("_read", set())
        if name == "options":
            return _Watched(value, read)
        read.add(name)
        return value

    def unread(self, names: Iterable[str]) -> tuple[str, ...]:
        """Returns those of some names that nothing has read."""
        read = vars(self).get("_read", set())
        return tuple(name for name in names if name not in read)


class _Watched(dict[str, Any]):
    """Options that add the name of each that is read to a set; whoever reads them as a whole has read all."""

    def __init__(
        self, options: Mapping[str, Any] | Iterable[tuple[str, Any]] = (), read: set[str] | None = None
    ) -> None:
        super().__init__(options)
        self._read = set[str]() if read is None else read

    def __getitem__(self, name: str) -> Any:
        self._read.add(name)
        return super().__getitem__(name)

    def get(self, name: str, default: Any = None) -> Any:
        self._read.add(name)
        return super().get(name, default)

    def __contains__(self, name: object) -> bool:
        self._read.add(str(name))
        return super().__contains__(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.copy())

    def __reversed__(self) -> Iterator[str]:
        return reversed(self.copy())

    def keys(self) -> Any:
        return self.copy().keys()

    def pop(self, name: str, *default: Any) -> Any:
        self._read.add(name)
        return super().pop(name, *default)

    def setdefault(self, name: str, default: Any = None) -> Any:
        self._read.add(name)
        return super().setdefault(name, default)

    def items(self) -> Any:
        return self.copy().items()

    def values(self) -> Any:
        return self.copy().values()

    def __or__(self, other: Any) -> Any:
        return self.copy() | other

    def copy(self) -> dict[str, Any]:
        self._read.update(super().keys())
        return dict(super().items())


def load_dataset(job: TrainJob, plugins: Plugins, progress: ProgressCallback | None = None) -> Dataset:
    """Reads the data of a job, and checks that there is enough of them.

    Args:
        job: The job.
        plugins: Those that offer data sets.
        progress: Called with the bytes that are read; None reports nothing.

    Raises:
        UnknownNameError: No plugin offers the data set.
        DatasetError: A file is missing or wrong.
        DownloadError: It had to be downloaded and could not be.
        PluginError: The plugin that offers it failed.
        OptionError: The validation fraction leaves no example to train on, or none to validate on, or the job weighs
            classes that the data don't have.
    """
    reader = plugins.get_dataset(job.dataset_name)
    folder = Path(job.data_folder) if job.data_folder else None
    try:
        dataset = reader.load(folder, offline=job.offline, progress=progress)
    except StokerError:
        raise
    except Exception as error:
        why = f"{type(error).__name__}: {error}"
        raise PluginError(f"the reader of the data set {reader.name!r} failed", received=why) from error
    held_out = _held_out(job.validation_fraction, len(dataset.train))
    if held_out == len(dataset.train) or bool(held_out) != bool(job.validation_fraction):
        raise _wrong_fraction(job.validation_fraction, len(dataset.train), held_out)
    check_weights(job, dataset)
    return dataset


def build_model(job: TrainJob, dataset: Dataset, plugins: Plugins) -> BuiltModel:
    """Builds the compiled model of a job.

    Args:
        job: The job.
        dataset: What it is to be trained on.
        plugins: Those that offer models.

    Raises:
        UnknownNameError: No plugin offers it.
        InputError: What was built can't be trained on these data, or not be saved.
    """
    config = WatchedConfig(
        input_shape=dataset.shape,
        input_dtype=dataset.train.images.dtype.newbyteorder("=").name,
        classes=dataset.classes,
        learning_rate=job.learning_rate,
        options=job.options,
    )
    build = plugins.get_model(job.model)
    with compile_watched() as asked:
        model = build(config)
    check_model(job.model, model, dataset)
    return BuiltModel(model=model, jit_compile=asked.get(id(model), "auto"), config=config)


def split(dataset: Dataset, fraction: float, seed: int, weights: Any = None) -> tuple[Subset, Subset, Subset]:
    """Splits the data into training, validation and test examples.

    Args:
        dataset: The data.
        fraction: The part of the training set that is held out for validation; 0.0 validates on the test set.
        seed: Decides which examples are held out.
        weights: How much each training example counts in the training, [N]; None counts all alike. For validation and
            test, the data set's own weights count: Keras' `class_weight` weighs the training only.
    """
    import numpy as np

    from .fit import Subset

    train, held_back = examples(dataset.train, weights), examples(dataset.train, dataset.train.weights)
    whole_test = Subset(data=examples(dataset.test, dataset.test.weights), rows=np.arange(len(dataset.test)))
    held_out = _held_out(fraction, len(dataset.train))
    if not held_out:
        return Subset(data=train, rows=np.arange(len(dataset.train))), whole_test, whole_test
    rows = np.random.default_rng([seed]).permutation(len(dataset.train))
    return (
        Subset(data=train, rows=np.sort(rows[held_out:])),
        Subset(data=held_back, rows=np.sort(rows[:held_out])),
        whole_test,
    )


def _wrong_fraction(fraction: float, count: int, held_out: int) -> OptionError:
    """Returns the error for a validation fraction that holds out no example, or all of them."""
    does = "holds out every example, and leaves none to train on" if held_out else "holds out no example"
    least = f"at least {1 / count:.2g}, which is one example" if count > 1 else "0, for one example can't be split"
    return OptionError(
        f"--validation-fraction {fraction:g} {does}",
        received=f"{fraction:g} of {count:,} training examples",
        expected=f"less, so that an example is left of {count:,}" if held_out else least,
        hint="choose another --validation-fraction, or leave it out to validate on the test set",
    )


def _held_out(fraction: float, count: int) -> int:
    return round(fraction * count)


def count_not_finite(images: Any) -> int:
    """Counts the examples of an array [N, ...] that have NaN or infinity in them."""
    import numpy as np

    if not np.issubdtype(images.dtype, np.inexact):
        return 0
    return int(len(images) - np.isfinite(images).reshape(len(images), -1).all(axis=1).sum())

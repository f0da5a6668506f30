"""What a training needs, made from a job: the data, its parts, and the model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..data import Dataset, ProgressCallback
from ..errors import InputError, OptionError, PluginError, StokerError
from ..job import TrainJob
from ..model import ModelConfig
from ..plugin.plugins import Plugins
from .execution_mode import compile_watched

if TYPE_CHECKING:
    from .fit import Subset


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
        OptionError: The validation fraction leaves no example to train on, or none to validate on.
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
    return dataset


def build_model(job: TrainJob, dataset: Dataset, plugins: Plugins) -> tuple[Any, Any]:
    """Builds the compiled model of a job.

    Args:
        job: The job.
        dataset: What it is to be trained on.
        plugins: Those that offer models.

    Returns:
        The model, and the argument `jit_compile` that it was compiled with.

    Raises:
        UnknownNameError: No plugin offers it.
        InputError: What was built is no compiled Keras model, or can't be saved.
    """
    config = ModelConfig(
        input_shape=dataset.shape,
        input_dtype=dataset.train.images.dtype.newbyteorder("=").name,
        classes=dataset.classes,
        learning_rate=job.learning_rate,
        options=job.options,
    )
    build = plugins.get_model(job.model)
    with compile_watched() as asked:
        model = build(config)
    _check_model(job.model, model)
    return model, asked.get(id(model), "auto")


def _check_model(name: str, model: Any) -> None:
    """Refuses before the training what could not be trained, or not be saved after it."""
    import keras

    if not isinstance(model, keras.Model):
        what = f"the model {name!r} can't be trained"
        raise InputError(what, received=type(model).__name__, expected="a keras.Model", hint="return model")
    if not model.compiled:
        what = f"the model {name!r} is not compiled"
        raise InputError(what, expected="model.compile(optimizer, loss, metrics=[…]) before it is returned")
    try:
        keras.saving.serialize_keras_object(model)
    except Exception as error:
        raise InputError(
            f"the model {name!r} could not be saved after its training",
            received=f"{type(error).__name__}: {str(error).partition(chr(10))[0]}",
            hint="give the classes that it is made of a get_config(), or build it from Keras' own layers",
        ) from error


def split(dataset: Dataset, fraction: float, seed: int) -> tuple[Subset, Subset, Subset]:
    """Splits the data into training, validation and test examples.

    Args:
        dataset: The data.
        fraction: The part of the training set that is held out for validation; 0.0 validates on the test set.
        seed: Decides which examples are held out.
    """
    import numpy as np

    from .fit import Subset

    train, test = (dataset.train.images, dataset.train.labels), (dataset.test.images, dataset.test.labels)
    whole_test = Subset(data=test, rows=np.arange(len(dataset.test)))
    held_out = _held_out(fraction, len(dataset.train))
    if not held_out:
        return Subset(data=train, rows=np.arange(len(dataset.train))), whole_test, whole_test
    rows = np.random.default_rng([seed]).permutation(len(dataset.train))
    return (
        Subset(data=train, rows=np.sort(rows[held_out:])),
        Subset(data=train, rows=np.sort(rows[:held_out])),
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

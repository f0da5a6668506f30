"""TrainJob: what to train, as a value that means the same on every machine."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from .data import FOLDER
from .errors import InputError, OptionError, UnknownNameError

__all__ = ["BALANCED", "DEVICES", "KEEPS", "SCHEMA", "Option", "TrainJob", "check_name", "class_weights", "option_text"]

SCHEMA = 1
"""The version of the JSON form; a job of a newer one is refused."""

Option = str | int | float | bool | None
"""The value that an option of a plugin may have."""

_EXPECTED = {
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "tuple[str, ...]": "a list of texts",
    "Mapping[str, Option]": "an object",
}
KEEPS = ("last", "best")
DEVICES = ("auto", "cpu", "gpu")
BALANCED = "balanced"
"""The `class_weight` that weighs each class by the inverse of how often it occurs."""

_LETTERS = str.maketrans(
    {
        "ß": "ss",
        "æ": "ae",
        "Æ": "AE",
        "œ": "oe",
        "Œ": "OE",
        "ø": "o",
        "Ø": "O",
        "ł": "l",
        "Ł": "L",
        "đ": "d",
        "Đ": "D",
        "ð": "d",
        "Ð": "D",
        "þ": "th",
        "Þ": "Th",
        "\u0131": "i",
    }
)
"""Letters that Unicode does not take apart, and what stands for them where only ASCII may."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainJob:
    """A request to train a model; the defaults are those of the Azure ML Keras tutorial.

    Attributes:
        name: A short name for the runs of this job; "" takes the names of the data set and the model.
        dataset: The name of the data set; "" with a `data_folder` takes whatever the four IDX files hold.
        data_folder: Where the user's data files are, an absolute path; "" takes the data set's own copy.
        model: The name of a model, or `PATH.py:FUNCTION`.
        batch_size: Examples of one step.
        learning_rate: The optimizer's step size.
        epochs: Passes over the training set.
        seed: Decides the initial weights and the order of the examples.
        validation_fraction: The part of the training set that is held out for the figures of each epoch; 0.0 takes
            the test set for them, as the tutorial does.
        class_weight: How much the examples of a class count in the loss: "balanced" for the inverse of how often the
            class occurs, or weights by class as JSON, `{"0": 1.0, "3": 2.5}`, where a class that is left out has 1;
            "" counts all alike.
        keep: Which epoch's weights the finished model has: "last", or "best" for the one with the lowest validation
            loss.
        threads: How many threads an operation may use, which decides the last digits of a result; 0 means all cores.
        device: "cpu", "gpu", or "auto" for a GPU where there is one.
        allow_drift: Allows resuming with other versions, processor, threads, devices, TensorFlow variables, Keras
            settings, code or data; the result may differ.
        register: The name to register the finished model under, or "".
        register_anyway: Register the model even if its final loss is not a finite number.
        offline: Nothing may be downloaded.
        plugins: The plugins that `-p` named: modules and files that the training process loads too.
        given: The names of those options for the model that the user gave; the others have their defaults.
        options: The values of the options that plugins added: for the model `dnn`, `first_layer_neurons` and
            `second_layer_neurons`.

    Raises:
        OptionError: A value is of the wrong type or out of its range.

    Example:
        >>> job = TrainJob(epochs=3, options={"first_layer_neurons": 64})
        >>> job.title
        'mnist-dnn'
        >>> TrainJob.from_json(job.to_json()) == job
        True
    """

    name: str = ""
    dataset: str = "mnist"
    data_folder: str = ""
    model: str = "dnn"
    batch_size: int = 50
    learning_rate: float = 0.001
    epochs: int = 20
    seed: int = 0
    validation_fraction: float = 0.0
    class_weight: str = ""
    keep: str = "last"
    threads: int = 0
    device: str = "auto"
    allow_drift: bool = False
    register: str = ""
    register_anyway: bool = False
    offline: bool = False
    plugins: tuple[str, ...] = ()
    given: tuple[str, ...] = ()
    options: Mapping[str, Option] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for entry in fields(self):
            value = _typed(entry.name, str(entry.type), getattr(self, entry.name))
            object.__setattr__(self, entry.name, value)
        self._check("batch_size", self.batch_size >= 1, "a whole number, 1 or more")
        self._check("epochs", self.epochs >= 1, "a whole number, 1 or more")
        rate = self.learning_rate
        self._check("learning_rate", math.isfinite(rate) and rate > 0, "a number above 0, such as 0.001")
        self._check("seed", 0 <= self.seed < 2**32, "a whole number from 0 to 4294967295")
        self._check("validation_fraction", 0 <= self.validation_fraction < 1, "a number from 0 to below 1")
        self._check("threads", self.threads >= 0, "a whole number, 0 or more")
        self._check("keep", self.keep in KEEPS, f"one of {', '.join(KEEPS)}")
        self._check("device", self.device in DEVICES, f"one of {', '.join(DEVICES)}")
        class_weights(self.class_weight)
        for name in ("name", "register"):
            if getattr(self, name):
                check_name(f"--{name}", getattr(self, name))

    def _check(self, name: str, good: bool, expected: str) -> None:
        if not good:
            option = f"--{name.replace('_', '-')}"
            raise OptionError.must_be(option, expected, received=getattr(self, name))

    @property
    def dataset_name(self) -> str:
        """The name of the data set to read: that of the user's own folder, if the job names none."""
        return self.dataset or FOLDER

    @property
    def title(self) -> str:
        """The name, or one made from data set and model: `mnist-dnn`; `mnist-net-small` for `net.py:small`."""
        if self.name:
            return self.name
        data = self.dataset or self.data_folder.rstrip("/").rpartition("/")[2]
        model = self.model.rpartition("/")[2].replace(".py:", "-").removesuffix(".py")
        return re.sub(r"[^A-Za-z0-9._-]+", "-", _latin(f"{data}-{model}")).strip("-.")[:64].rstrip("-.") or "run"

    def to_json(self) -> dict[str, Any]:
        """Returns the job as JSON values."""
        return {
            "schema": SCHEMA,
            **asdict(self),
            "plugins": list(self.plugins),
            "given": list(self.given),
            "options": dict(self.options),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> TrainJob:
        """Returns the job that `to_json` wrote.

        Raises:
            InputError: It is no job, or one of a newer stoker.
            UnknownNameError: It has a field that is not known here.
            OptionError: A value is of the wrong type or out of its range.
        """
        if not isinstance(value, Mapping):
            raise InputError("not a job", received=type(value).__name__, expected="a JSON object")
        given = dict(value)
        schema = given.pop("schema", None)
        if schema != SCHEMA:
            raise InputError(
                "a job of another version", received=f"schema {schema!r}", expected=SCHEMA, hint="update stoker"
            )
        known = {entry.name for entry in fields(cls)}
        for name in given:
            if name not in known:
                raise UnknownNameError("field of a job", name, known)
        return cls(**given)

    def digest(self) -> str:
        """Returns the SHA-256 of the canonical JSON form, in hexadecimal: the same form, the same digest."""
        text = json.dumps(self.to_json(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


def class_weights(text: str) -> dict[int, float]:
    """Reads the weights by class of a job's `class_weight`; {} for "balanced" and for "".

    Raises:
        OptionError: It is no such text.

    Example:
        >>> class_weights('{"0": 1, "3": 2.5}')
        {0: 1.0, 3: 2.5}
    """
    if text in {"", BALANCED}:
        return {}
    try:
        given = {int(label): float(weight) for label, weight in json.loads(text).items()}
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError):
        given = {-1: 0.0}
    if all(label >= 0 and math.isfinite(weight) and weight >= 0 for label, weight in given.items()):
        return given
    expected = f'"{BALANCED}", or a JSON object from classes to numbers of 0 or more: {{"0": 1.0, "3": 2.5}}'
    raise OptionError.must_be("--class-weight", expected, received=text)


def option_text(value: Option) -> str:
    """Returns the value of an option as a text: "true" for True, "" for None, and the shortest one for a number.

    Example:
        >>> option_text(0.001), option_text(True)
        ('0.001', 'true')
    """
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def _latin(text: str) -> str:
    """Returns a text with the letters of the alphabet in place of those that are made from them: "a" for "ä"."""
    apart = unicodedata.normalize("NFKD", text.translate(_LETTERS))
    return "".join(letter for letter in apart if not unicodedata.combining(letter))


def check_name(what: str, name: str) -> None:
    """Refuses a name that could not be the name of a folder everywhere.

    Args:
        what: The option, or what else the name is for.
        name: The name.

    Raises:
        OptionError: It is no such name.
    """
    if not _NAME.fullmatch(name):
        expected = "a name of 1 to 64 letters, digits, '.', '_' or '-', a letter or digit first"
        raise OptionError.must_be(what, expected, received=repr(name))


def _typed(name: str, annotation: str, value: Any) -> Any:
    """`value` as the field's type; JSON knows no tuples and writes 1.0 as 1 in some hands."""
    if annotation == "float" and isinstance(value, int | float) and not isinstance(value, bool):
        with contextlib.suppress(OverflowError):
            return float(value)
    if annotation in {"str", "int", "bool"} and type(value).__name__ == annotation:
        return value
    if (
        name in {"plugins", "given"}
        and isinstance(value, list | tuple)
        and all(isinstance(item, str) for item in value)
    ):
        return tuple(value)
    if name == "options" and isinstance(value, Mapping):
        return {_option_name(option): _option(option, one) for option, one in value.items()}
    raise _wrong_type(name, value, _EXPECTED[annotation])


def _option_name(name: Any) -> str:
    if not isinstance(name, str):
        raise _wrong_type("options", name, "names that are text")
    return name


def _option(name: str, value: Any) -> Option:
    if value is not None and not isinstance(value, str | int | float | bool):
        raise _wrong_type(f"options.{name}", value, "text, a number, true or false, or nothing")
    return value


def _wrong_type(name: str, value: Any, expected: str) -> OptionError:
    return OptionError(f"the field {name!r} of a job has the wrong type", received=repr(value), expected=expected)

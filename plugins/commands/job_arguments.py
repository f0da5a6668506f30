"""Options of a job as arguments, `--batch-size 25`: whoever starts a run may change some, as a search does."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ...engine.errors import OptionError, UnknownNameError
from ...engine.job import Option, TrainJob, option_text
from ...engine.options.parser import all_actions
from ...engine.options.settings import single_value, truth
from ...engine.plugin.context import Context
from .job import options_for_models

_NOT_OPTIONS = {"plugins", "given", "options"}


def with_arguments(job: TrainJob, words: Sequence[str], context: Context) -> TrainJob:
    """Returns a job with other values for some of its options.

    Every option is `--name value`, also one that takes no value on the command line: `--offline true`. Of two values,
    the last one counts. A search that computes in fractions may write a whole number as 25.0.

    Args:
        job: The job.
        words: The names and values.
        context: What knows the options of `train`.

    Raises:
        UnknownNameError: The job has no such option.
        OptionError: A value is missing, or can't be that option's.
    """
    values = _values(job)
    asked = {name: text for name, text in _pairs(words, values).items() if text != option_text(values[name])}
    if not asked:
        return job
    actions = {action.dest: action for action in all_actions(context.parsers("train")) if action.option_strings}
    changed = {name: _value(actions.get(name), name, text) for name, text in asked.items()}
    options = {name: changed.pop(name) for name in job.options.keys() & changed}
    given = {*job.given, *(asked.keys() & options_for_models(context))}
    return replace(job, **changed, options={**job.options, **options}, given=tuple(sorted(given)))


def _values(job: TrainJob) -> dict[str, Option]:
    """Returns the values of a job's options, of stoker and of plugins, by attribute."""
    fields = TrainJob.__dataclass_fields__.keys() - _NOT_OPTIONS
    return {**job.options, **{name: getattr(job, name) for name in fields}}


def _pairs(words: Sequence[str], known: Mapping[str, object]) -> dict[str, str]:
    """Returns what words say: {attribute: text}.

    Raises:
        UnknownNameError: There is no such option.
        OptionError: The last one has no value.
    """
    rest, found = iter(words), {}
    attributes = {name.replace("-", "_"): name for name in known}  # a plugin may have chosen any name
    for word in rest:
        option, equals, text = word.partition("=")
        name = attributes.get(option.lstrip("-").replace("-", "_"))
        if not option.startswith("-") or name is None:
            names = [each.replace("_", "-") for each in known]
            raise UnknownNameError("option of the job", option.lstrip("-"), names)
        value = text if equals else next(rest, None)
        if value is None:
            raise OptionError(f"{option} has no value", expected=f"{option} VALUE")
        found[name] = value
    return found


def _value(action: argparse.Action | None, name: str, text: str) -> Any:
    """Returns the value that a text is for an option; `action` is None if no plugin here has the option.

    Raises:
        OptionError: It can't be that option's.
    """
    option = f"--{name.replace('_', '-')}"
    if action is None:
        raise OptionError(f"no plugin here has the option {option}", received=text)
    if action.nargs == 0:
        return truth(text, option)
    try:
        value = single_value(action, text, option)
    except OptionError:
        whole = _whole(text)
        if whole == text:
            raise
        value = single_value(action, whole, option)
    return value if isinstance(value, str | int | float) else str(value)


def _whole(text: str) -> str:
    """Returns a whole number that is written as a fraction, 25.0, without it; any other text as it is."""
    try:
        number = float(text)
    except ValueError:
        return text
    return str(int(number)) if number.is_integer() else text

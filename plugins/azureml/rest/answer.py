"""Reads the JSON of services: a field that is missing, or is something else, is an error that names it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from typing import Any

from ....engine.errors import BackendError


class Answer(dict[str, Any]):
    """A JSON object that a service has sent. A field that it lacks is an error for people, not a `KeyError`.

    Attributes:
        where: What was asked: "GET eastus.api.azureml.ms/…/runs/x".
    """

    def __init__(self, where: str, fields: Mapping[str, Any]) -> None:
        super().__init__(fields)
        self.where = where

    def __missing__(self, name: str) -> Any:
        raise _odd(self, name, "nothing", "a value")


def parse(where: str, content: bytes) -> Answer:
    """Parses an object.

    Args:
        where: What was asked.
        content: The JSON; b"" is an empty object.

    Raises:
        ValueError: It is no JSON, or no object.
    """
    try:
        value = json.loads(content or b"{}", object_hook=partial(Answer, where))
    except RecursionError as error:
        raise ValueError("the JSON is nested too deeply") from error
    if not isinstance(value, Answer):
        raise ValueError("a JSON object was expected")
    return value


def part(value: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Returns an object in an object; an empty one if it is null or missing.

    Raises:
        BackendError: It is something else.
    """
    found = value.get(name)
    if found is not None and not isinstance(found, Mapping):
        raise _odd(value, name, repr(found), "an object")
    return found or Answer(_where(value), {})


def entries(value: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """Returns the objects of a list in an object; none if it is null or missing.

    Raises:
        BackendError: It is something else, or has something else in it.
    """
    found = value.get(name)
    found = [] if found is None else found
    if not isinstance(found, list) or not all(isinstance(one, Mapping) for one in found):
        raise _odd(value, name, repr(found), "a list of objects")
    return found


def text(value: Mapping[str, Any], name: str) -> str:
    """Returns a text in an object.

    Raises:
        BackendError: It is missing, empty, or something else.
    """
    found = value.get(name)
    if isinstance(found, str) and found:
        return found
    raise _odd(value, name, "nothing" if found is None else repr(found), "a text")


def whole(value: Mapping[str, Any], name: str, default: int | None = None) -> int:
    """Returns a whole number in an object.

    Args:
        value: The object.
        name: The name of the field.
        default: What it is if it is null or missing; None makes that an error.

    Raises:
        BackendError: It is missing, or is something else.
    """
    found: Any = value[name] if default is None else value.get(name)
    if found is None and default is not None:
        return default
    try:
        return int(found)
    except (TypeError, ValueError, OverflowError) as error:
        raise _odd(value, name, repr(found), "a whole number") from error


def _where(value: Mapping[str, Any]) -> str:
    return value.where if isinstance(value, Answer) else "Azure"


def _odd(value: Mapping[str, Any], name: str, received: str, expected: str) -> BackendError:
    return BackendError(
        f"{_where(value)}: the answer has an odd field {name!r}",
        received=received,
        expected=expected,
        hint="is it Azure that answers, or a proxy? If it is Azure, please report this to stoker's maintainers",
    )

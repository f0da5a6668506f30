"""JSON that every reader takes: NaN and infinity, which JSON lacks, are null, with their text beside.

    {"loss": NaN, "accuracy": 0.5}      {"loss": null, "accuracy": 0.5, "not_finite": {"loss": "nan"}}
    {"loss": [0.5, Infinity]}           {"loss": [0.5, null], "not_finite": {"loss": [null, "inf"]}}

RFC 8259, section 6: "Numeric values that cannot be represented in the grammar (such as Infinity and NaN) are not
permitted." Python's `json` writes them anyway, and `jq`, JavaScript and most databases refuse the whole text.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["dumps", "loads"]

_BESIDE = "not_finite"
_DEPTH = 100
"""Levels that are read; whoever walks through a value by recursion can go that far."""
_TEXTS = {"nan", "inf", "-inf"}


def dumps(value: Any, indent: int | None = None) -> str:
    """Writes JSON.

    Args:
        value: Mappings, lists, text, numbers, true, false and None. Outside of every mapping there is no place for a
            text, and a number that is not finite becomes null alone.
        indent: Spaces for each level; None writes one line.

    Raises:
        TypeError: Something in it is none of these.

    Example:
        >>> dumps({"loss": float("nan")})
        '{"loss": null, "not_finite": {"loss": "nan"}}'
    """
    return json.dumps(_finite(value), indent=indent, allow_nan=False)


def loads(text: str | bytes) -> Any:
    """Reads what `dumps` wrote: where a text stands beside a null, its number is in the place of the null.

    Raises:
        ValueError: It is not JSON, or nested more deeply than any record is.
        RecursionError: The nesting is too deep for the parser.

    Example:
        >>> loads('{"loss": null, "not_finite": {"loss": "-inf"}}')
        {'loss': -inf}
    """
    value = json.loads(text, object_hook=_restored)
    level = [value]
    for _ in range(_DEPTH):
        level = [below for one in level for below in _below(one)]
    if level:
        raise ValueError(f"it is nested more than {_DEPTH} levels deep")
    return value


def _below(value: Any) -> Iterable[Any]:
    """Returns the mappings and lists that a value holds."""
    held = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return (each for each in held if isinstance(each, dict | list))


def _finite(value: Any) -> Any:
    """Returns `value` with None for each number that is not finite, and the texts of those beside them."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list | tuple):
        return [_finite(entry) for entry in value]
    if isinstance(value, Mapping):
        texts = {name: found for name, entry in value.items() if (found := _texts(entry)) is not None}
        return {name: _finite(entry) for name, entry in value.items()} | ({_BESIDE: texts} if texts else {})
    return value


def _texts(value: Any) -> Any:
    """Returns the text of a number that is not finite, or a list of those of its entries; None if all are finite."""
    if isinstance(value, float):
        return None if math.isfinite(value) else str(value)
    if isinstance(value, list | tuple):
        found = [_texts(entry) for entry in value]
        return found if any(text is not None for text in found) else None
    return None


def _restored(value: dict[str, Any]) -> dict[str, Any]:
    """Returns a mapping with the numbers that its texts stand for; one that has no such texts as it is."""
    texts = value.get(_BESIDE)
    if not isinstance(texts, dict):
        return value
    del value[_BESIDE]
    return value | {name: _number(value.get(name), text) for name, text in texts.items()}


def _number(value: Any, text: Any) -> Any:
    if isinstance(text, str) and text in _TEXTS:
        return float(text)
    if isinstance(text, list) and isinstance(value, list):
        return [_number(entry, one) for entry, one in zip(value, text, strict=True)]
    return value

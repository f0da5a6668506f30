"""Reads from the log of a rehearsal what the package lacks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

_WARNING = "warning: "
_MODULE = re.compile(r"No module named '([^']+)'")
_FILE = re.compile(r"No such file or directory: '([^']+)'")
_ERROR = re.compile(r"^error: (.*)$", re.MULTILINE)
_HINT = re.compile(r"^hint: (.*)$", re.MULTILINE)
_WHOLE = "the whole log is above"


def explain(
    log: str, environment_option: str = "", left_out: Mapping[str, str] | None = None
) -> Iterable[tuple[str, str]]:
    """Returns what a log says is missing, and what to do about each; its last words if it names nothing.

    Args:
        log: The log of a run that failed.
        environment_option: The option that names what a node has installed; "" if there is none.
        left_out: {file that is not in the package: the rule that keeps it out}.
    """
    found = {}
    listed = f", or list it in {environment_option}" if environment_option else ""
    for name in _MODULE.findall(log):
        remedy = f"put it beside the file that imports it{',' if listed else ' or'} install it here{listed}"
        path = _left_out(name, left_out or {})
        found[f"the module {name}"] = f"{path} is not sent: {(left_out or {})[path]}; see the plan" if path else remedy
    for name in _FILE.findall(log):
        found[f"the file {name}"] = (
            "put it into a package (a folder with __init__.py) that your code imports, and find it from __file__"
        )
    if not found:
        found = dict(_errors(log)) or {_last_line(log): _WHOLE}
    return found.items()


def complaints(log: str) -> Iterable[tuple[str, str]]:
    """Returns what plugins could not do in a run that still ended well."""
    return [
        (line.removeprefix(_WARNING), "the run continues without it")
        for line in log.splitlines()
        if line.startswith(_WARNING)
    ]


def _left_out(module: str, paths: Iterable[str]) -> str:
    """Returns the file of a module, or the folder, among those that are not sent; "" if it is none of them."""
    place = "/" + module.replace(".", "/")
    return next((path for path in paths if path.endswith((f"{place}.py", place))), "")


def _errors(log: str) -> Iterable[tuple[str, str]]:
    hints = _HINT.findall(log)
    for index, what in enumerate(_ERROR.findall(log)):
        yield what, hints[index] if index < len(hints) else _WHOLE


def _last_line(log: str) -> str:
    return next((line for line in reversed(log.splitlines()) if line.strip()), "it ended and printed nothing")

"""Writes docs/contract.md from the signatures and docstrings of the code, so that the page can't say anything else.

Run it with the Python that stoker is installed for: `python docs/make_contract.py`, or `make docs`.
"""

from __future__ import annotations

import ast
import dataclasses
import enum
import inspect
import re
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from stoker.engine import backend, command, data, event, fetch, files, hookspecs, job, model, registry, rundir, status
from stoker.engine.plugin import hooks

PAGE = Path(__file__).with_name("contract.md")

INTRODUCTION = """\
# The contract

What stoker promises a plugin and a plugin promises stoker: every hook, the protocols that a plugin implements, and the
values that both hand each other. `make docs` writes this page from the docstrings. How a plugin is written, with
examples, is told in [plugins.md](plugins.md).

A plugin may import what is named here, `stoker.engine.errors` and `stoker.engine.testing`; all else may change with
any release.
"""
HOOKS = """\
## Hooks

Each is a function of that name with `@hookimpl` above it, from `stoker.engine.hookspecs`; parameters that it does not
need may be left out. Each implementation is called by itself, the one that was loaded last first: one that raises is
reported with its plugin's name and version, and the others run all the same. What a plugin prints goes to stderr.
"""
PROTOCOLS = """\
## Protocols

What a plugin implements. Nothing has to be subclassed; having the attributes and methods is enough.
"""
VALUES = """\
## Values

What a plugin is given and gives. All arguments are named; values are frozen, and are changed with
`dataclasses.replace`.
"""
TOOLS = """\
## Tools

What a backend need not write itself. `python -m stoker exec FOLDER` is what it starts wherever it trains: it trains as
`job.json` in that folder says, writes status, figures, checkpoints and outputs into the folder and its log to stdout,
ends itself with a checkpoint on SIGTERM, and returns 0 if the run has completed.
"""

_PROTOCOLS = (backend.Backend, backend.RecordingBackend, backend.AdoptingBackend, data.DatasetReader)
_VALUES: tuple[Any, ...] = (
    *(job.TrainJob, backend.Plan, status.Handle, status.RunStatus, status.RunState, status.Progress),
    *(backend.Manifest, backend.ModelVersion, backend.FoundRun, data.Dataset, data.Split, model.ModelConfig),
    *(event.RunEvent, event.EventKind, command.Command, command.Context),
)
_ALIASES = ((backend, "LIMITS"), (model, "ModelBuilder"), (data, "ProgressCallback"))
_TOOLS: tuple[Callable[..., Any], ...] = (
    *(fetch.copy_outputs, fetch.list_files, rundir.RunDirectory.job, rundir.RunDirectory.status),
    *(rundir.RunDirectory.write_status, registry.Registry.beside, registry.Registry.register),
    *(files.lock, files.atomic_folder, files.atomic_writer, files.make_folder, files.storage_errors),
)
_SECTION = re.compile(r"(Args|Attributes|Returns|Yields|Raises):")
_ENTRY = re.compile(r"(\w+(?:, \w+)*): (.*)", re.S)


def page() -> str:
    """The whole page."""
    parts = [INTRODUCTION, *_version(), HOOKS, *_functions(getattr(hookspecs, name) for name in hooks.NAMES)]
    parts += [PROTOCOLS, *(part for each in _PROTOCOLS for part in _protocol(each))]
    parts += [part for module, name in _ALIASES for part in _alias(module, name)]
    parts += [VALUES, *(part for each in _VALUES for part in _value(each))]
    parts += [TOOLS, *_places(rundir.RunDirectory), *_functions(_TOOLS)]
    return "\n".join(parts)


def _version() -> Iterator[str]:
    yield f"## Version {hookspecs.CONTRACT}\n"
    yield markdown(_said_below(hookspecs, "CONTRACT"))
    if hookspecs.CONTRACT == 1:
        yield "Version 1 is the first, and what this page says.\n"


def _functions(functions: Sequence[Callable[..., Any]] | Iterator[Callable[..., Any]]) -> Iterator[str]:
    for function in functions:
        name = function.__qualname__
        yield f"### `{name}`\n"
        if function.__module__ != hookspecs.__name__:
            yield f"In `{function.__module__}`.\n"
        yield code(f"def {function.__name__}{signature(function)}: ...")
        yield markdown(inspect.getdoc(function) or "")


def _protocol(protocol: type) -> Iterator[str]:
    yield f"### `{protocol.__name__}`\n"
    yield f"In `{protocol.__module__}`.\n"
    yield markdown(inspect.getdoc(protocol) or "")
    for name, method in vars(protocol).items():
        if inspect.isfunction(method) and not name.startswith("_"):
            yield f"#### `{protocol.__name__}.{name}`\n"
            yield code(f"def {name}{signature(method)}: ...")
            yield markdown(inspect.getdoc(method) or "")


def _value(value: type) -> Iterator[str]:
    yield f"### `{value.__name__}`\n"
    yield f"In `{value.__module__}`.\n"
    if issubclass(value, enum.Enum):
        yield code("\n".join(f"{each.name} = {each.value!r}" for each in value))
    elif dataclasses.is_dataclass(value):
        yield code("\n".join(_field(each) for each in dataclasses.fields(value)))
    yield markdown(inspect.getdoc(value) or "")


def _places(value: type) -> Iterator[str]:
    yield f"### `{value.__name__}`\n"
    yield f"In `{value.__module__}`.\n"
    yield markdown(inspect.getdoc(value) or "")
    properties = {name: inspect.getdoc(each) for name, each in vars(value).items() if isinstance(each, property)}
    yield "**Properties:**\n"
    yield "\n".join(f"- `{name}`: {text}" for name, text in properties.items()) + "\n"


def _alias(module: ModuleType, name: str) -> Iterator[str]:
    yield f"### `{name}`\n"
    yield f"In `{module.__name__}`.\n"
    (node,) = (each for each in _statements(module) if _assigns(each, name))
    yield code(ast.unparse(node))
    yield markdown(_said_below(module, name))


def signature(function: Callable[..., Any]) -> str:
    """The parameters and the result of a function, as its source has them."""
    return str(inspect.signature(function)).replace("'", "")


def code(text: str) -> str:
    """A block of Python, with the quotes of all other code here; none of it has quotes inside quotes."""
    return "```python\n{}\n```\n".format(text.replace("'", '"'))


def markdown(docstring: str) -> str:
    """A docstring in Google style, its sections as lists."""
    parts: list[str] = []
    for paragraph in docstring.strip().split("\n\n"):
        head, _, body = paragraph.partition("\n")
        if _SECTION.fullmatch(head):
            parts.append(f"**{head}**\n\n{_entries(textwrap.dedent(body))}")
        else:
            parts.append(paragraph)
    return "\n\n".join(parts) + "\n"


def _entries(body: str) -> str:
    """The entries of a section; lines further in belong to the one before."""
    entries = [re.sub(r"\s+", " ", entry) for entry in re.split(r"\n(?! )", body)]
    if not all(_ENTRY.fullmatch(entry) for entry in entries):
        return body
    named = (_ENTRY.fullmatch(entry) for entry in entries)
    lines = [f"{', '.join(f'`{name}`' for name in each[1].split(', '))}: {each[2]}" for each in named if each]
    return "\n".join(textwrap.fill(line, 120, initial_indent="- ", subsequent_indent="  ") for line in lines)


def _field(field: dataclasses.Field[Any]) -> str:
    missing = dataclasses.MISSING
    if field.default is not missing:
        return f"{field.name}: {field.type} = {field.default!r}"
    return f"{field.name}: {field.type}" + ("" if field.default_factory is missing else " = ...")


def _said_below(module: ModuleType, name: str) -> str:
    """The text that stands below the assignment of a name in a module."""
    statements = list(_statements(module))
    index = next(index for index, each in enumerate(statements) if _assigns(each, name))
    below = statements[index + 1]
    return inspect.cleandoc(str(ast.literal_eval(below.value))) if isinstance(below, ast.Expr) else ""


def _statements(module: ModuleType) -> Iterator[ast.stmt]:
    yield from ast.parse(inspect.getsource(module)).body


def _assigns(statement: ast.stmt, name: str) -> bool:
    return isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == name


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"wrote {PAGE}\n")

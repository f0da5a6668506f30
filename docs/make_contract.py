"""Writes docs/contract.md from the signatures and docstrings of the code, so that the page can't say anything else.

Run it with the Python that stoker is installed for: `python docs/make_contract.py`, or `make docs`.
"""

from __future__ import annotations

import ast
import dataclasses
import enum
import importlib
import inspect
import re
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from stoker.engine import hookspecs

PAGE = Path(__file__).with_name("contract.md")

MODULES = (
    *("hookspecs", "errors", "job", "status", "event", "metrics", "data", "model", "backend", "command"),
    *(
        "files",
        "paths",
        "locks",
        "strict_json",
        "cache",
        "process",
        "rundir",
        "summary",
        "fetch",
        "registry",
        "package",
    ),
)
"""The flat files of `engine/`, in the order of the page; a test compares them with the folder."""

DATA_TOOLS = ("datasets.idx", "datasets.assemble")
"""Modules beside the engine that readers of data may use."""

INTRODUCTION = """\
# The contract

What stoker promises a plugin and a plugin promises stoker: every hook, the protocols that a plugin implements, the
values that they exchange, and the tools that a plugin may use. `make docs` writes this page from the
docstrings, and the tests run its examples, where `folder` is an empty folder. [plugins.md](plugins.md) shows how to
write a plugin.

The files directly in `engine/` are the contract, and each has a section here. A plugin may import what this page
names, and `stoker.engine.testing`. Everything in the folders below `engine/` may change with any release.
"""
HOOKS = """\
Each hook is a function of that name with `@hookimpl` above it; parameters that it does not need may be left out.
stoker calls each implementation by itself, the one that was loaded last first. It reports one that raises with its
plugin's name and version, and runs the others. What a plugin prints goes to stderr.
"""
EXEC = """\
## stoker exec

`python -m stoker exec FOLDER` is what a backend starts wherever it trains. The folder holds `job.json`, as
`TrainJob.to_json` writes it, and nothing else has to be there. It trains as that job says, and writes status, figures,
checkpoints and outputs into the folder and its log to stdout. The name of the folder is the run id. A folder that has
checkpoints is resumed from the newest. On SIGTERM it ends with the last finished epoch saved. It returns 0 if the run
has completed. It registers the model if the job has `register`: a backend that registers elsewhere takes that out of
the job.json that it sends.

`python -m stoker exec FOLDER --batch-size 25 …` trains with other values than `job.json` has: any option of the job,
of stoker or of a plugin, as `--name value`, where the last one counts. Booleans are values too, `--offline true`, and
a whole number may be written as 25.0. With `exec FOLDER -- --name=value …`, no value is taken for an option of stoker
itself, such as `--debug`. `job.json` is then replaced by the job that runs.

The process holds no lock itself. Whoever starts it takes the lock of the folder (`RunDirectory.lock`, with
`locks.lock`) and hands the open file on (`pass_fds`), so that the lock is held for as long as the process lives. The
process keeps it from those that it starts or forks (`locks.keep_lock`).
"""

_SECTION = re.compile(r"(Args|Attributes|Returns|Yields|Raises):")
_ENTRY = re.compile(r"(\w+(?:, \w+)*): (.*)", re.S)


def page() -> str:
    """Returns the whole page."""
    parts = [INTRODUCTION, *_version()]
    for name in (*(f"engine.{each}" for each in MODULES), *DATA_TOOLS):
        parts += _module(importlib.import_module(f"stoker.{name}"))
    return "\n".join([*parts, EXEC])


def _module(module: ModuleType) -> Iterator[str]:
    yield f"## {module.__name__.removeprefix('stoker.')}\n"
    if module is hookspecs:
        yield f"In `{module.__name__}`. {HOOKS}"
    else:
        yield f"In `{module.__name__}`. {markdown(inspect.getdoc(module) or '')}"
    for name in module.__all__:
        yield from _name(module, name)


def _name(module: ModuleType, name: str) -> Iterator[str]:
    value = getattr(module, name)
    if inspect.isfunction(value):
        yield from _functions([value])
    elif any(_assigns(each, name) for each in _statements(module)):
        yield from _alias(module, name)
    else:
        yield from _class(value)


def _version() -> Iterator[str]:
    yield f"## Version {hookspecs.CONTRACT}\n"
    first = " It is the first." if hookspecs.CONTRACT == 1 else ""
    yield f"This page is version {hookspecs.CONTRACT} of the contract.{first} See [`CONTRACT`](#contract).\n"


def _functions(functions: Sequence[Callable[..., Any]]) -> Iterator[str]:
    for function in functions:
        yield f"### `{function.__qualname__}`\n"
        yield code(definition(function.__name__, function))
        yield markdown(inspect.getdoc(function) or "")


def _class(value: type) -> Iterator[str]:
    """Yields a class with its fields or members, its properties and its public methods."""
    yield f"### `{value.__name__}`\n"
    if issubclass(value, enum.Enum):
        yield code("\n".join(f"{each.name} = {each.value!r}" for each in value))
    elif dataclasses.is_dataclass(value):
        yield code("\n".join(_field(each) for each in dataclasses.fields(value)))
    elif "__init__" in vars(value) and not getattr(value, "_is_protocol", False):
        yield code(definition("__init__", value.__init__))
    yield markdown(inspect.getdoc(value) or "")
    public = {name: each for name, each in vars(value).items() if not name.startswith("_")}
    properties = {name: inspect.getdoc(each) for name, each in public.items() if isinstance(each, property)}
    if properties:
        yield "**Properties:**\n"
        yield "\n".join(f"- `{name}`: {text}" for name, text in properties.items()) + "\n"
    for name, each in public.items():
        method = each.__func__ if isinstance(each, classmethod | staticmethod) else each
        if inspect.isfunction(method):
            yield f"#### `{value.__name__}.{name}`\n"
            above = "@classmethod\n" if isinstance(each, classmethod) else ""
            yield code(above + definition(name, method))
            yield markdown(inspect.getdoc(method) or "")


def _alias(module: ModuleType, name: str) -> Iterator[str]:
    yield f"### `{name}`\n"
    (node,) = (each for each in _statements(module) if _assigns(each, name))
    yield code(ast.unparse(node))
    yield markdown(_said_below(module, name))


def definition(name: str, function: Callable[..., Any]) -> str:
    """Returns the head of a function, in several lines if it is long, as ruff formats it."""
    whole = f"def {name}{signature(function)}: ..."
    if len(whole) <= 120:
        return whole
    given, _, result = signature(function).rpartition(") -> ")
    return f"def {name}(\n    {given[1:]}\n) -> {result}: ..."


def signature(function: Callable[..., Any]) -> str:
    """The parameters and the result of a function, as its source has them."""
    return re.sub(r"(: |-> )'([^']*)'", r"\1\2", str(inspect.signature(function)))


def code(text: str) -> str:
    """A block of Python, with the quotes of all other code here; none of it has quotes inside quotes."""
    return "```python\n{}\n```\n".format(text.replace("'", '"'))


def markdown(docstring: str) -> str:
    """A docstring in Google style, its sections as lists."""
    parts: list[str] = []
    for paragraph in docstring.strip().split("\n\n"):
        head, _, body = paragraph.partition("\n")
        if head == "Example:":
            parts.append(f"**{head}**\n\n```pycon\n{textwrap.dedent(body)}\n```")
        elif _SECTION.fullmatch(head):
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

"""`stoker plugins new NAME`: writes a plugin package that installs and passes its tests unchanged."""

from __future__ import annotations

import argparse
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

from ....engine import VERSION, files
from ....engine.errors import InputError, OptionError
from ....engine.hookspecs import CONTRACT
from ....engine.paths import expanded
from ....engine.plugin.context import Context
from ....engine.plugin.record import OURS

KINDS = {
    "backend": ("a backend that trains", "train --backend {name}"),
    "dataset": ("a data set", "train --dataset {name} --data-folder DIR"),
    "model": ("a model", "train --model {name}"),
    "callback": ("Keras callbacks and an observer", "train --{name}-accuracy 0.95"),
}
"""The kinds of plugins, each in words, and how to use one."""

_TEMPLATES = Path(__file__).with_name("templates")
_FILES = {
    "pyproject.toml": "pyproject.toml.txt",
    "README.md": "README.md.txt",
    ".gitignore": "gitignore.txt",
    ".github/workflows/test.yml": "test.yml.txt",
    "src/{package}/__init__.py": "init.py.txt",
    "src/{package}/plugin.py": "{kind}.py.txt",
    "src/{package}/py.typed": "",
    "tests/test_{kind}.py": "test_{kind}.py.txt",
    "tests/test_installed.py": "test_installed.py.txt",
}
"""The files of a package, each with its template; "" leaves a file empty."""
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", re.ASCII)
_LONGEST = 40


def add_new_options(parser: argparse.ArgumentParser) -> None:
    """Adds the name, kind and folder of the new plugin."""
    add = parser.add_argument
    add("name", type=plugin_name, metavar="NAME", help="its name: lower-case letters, digits and single dashes")
    # Only a backend needs a package; for the others a file is enough (-p ./file.py, FILE.py:FUNCTION).
    kinds = ", ".join(f"{kind}: {words}" for kind, (words, _) in KINDS.items())
    add("--kind", choices=KINDS, default="backend", help=f"what it offers (default: backend); {kinds}")
    add("--folder", type=Path, metavar="DIR", help="a new or empty folder (default: stoker-NAME)")


def plugin_name(text: str) -> str:
    """Returns a name that pip, Python and the command line all accept, without `stoker-`; for an option's `type=`.

    Raises:
        ArgumentTypeError: It is not such a name.
    """
    name = text.removeprefix("stoker-")
    if not _NAME.fullmatch(name) or len(name) > _LONGEST:
        expected = f"made of lower-case letters, digits and single dashes, a letter first, {_LONGEST} at most"
        raise argparse.ArgumentTypeError(f"expected {expected}")
    return name


def write_plugin(options: argparse.Namespace, context: Context) -> int:
    """Writes the package of a new plugin, and prints the next steps.

    Raises:
        OptionError: Something in stoker has that name.
        InputError: The folder is not empty.
        StorageError: The package can't be written; no part of it is left.
    """
    name, kind = options.name, options.kind
    if name in _taken(context):
        raise OptionError(f"stoker itself has something called {name!r}", hint="choose another name")
    folder = expanded(options.folder or f"stoker-{name}").absolute()
    _refuse_used(folder)
    files.make_folder(folder.parent)
    with files.atomic_folder(folder) as made:
        _write(made, name, kind)
    _say_what_next(folder, name, kind)
    return 0


def _taken(context: Context) -> set[str]:
    """Returns the names of the built-in plugins and of all that they offer, with dashes."""
    ours = [record for record in context.plugins.records if record.origin == OURS]
    names = {record.name for record in ours}
    names |= {name for record in ours for kind, many in record.offers.items() if kind != "option" for name in many}
    return {name.replace("_", "-") for name in names}


def _refuse_used(folder: Path) -> None:
    if folder == Path.cwd():
        raise InputError(f"the plugin can't be written over the current folder {folder}", hint="choose another")
    with files.storage_errors(folder):
        if folder.is_symlink() or (folder.exists() and not folder.is_dir()) or (folder.is_dir() and _used(folder)):
            hint = "choose another with --folder, or empty it"
            raise InputError(f"{folder} is not a new or empty folder", hint=hint, path=folder)


def _used(folder: Path) -> bool:
    return any(folder.iterdir())


def _write(folder: Path, name: str, kind: str) -> None:
    words = dict(_words(name, kind))
    for target, template in _FILES.items():
        path = folder / target.format(**words)
        path.parent.mkdir(parents=True, exist_ok=True)
        text = (_TEMPLATES / template.format(**words)).read_text(encoding="utf-8") if template else ""
        for word, value in words.items():
            text = text.replace(f"@{word}@", value)
        path.write_text(text, encoding="utf-8")


def _words(name: str, kind: str) -> Iterator[tuple[str, str]]:
    """Yields each @word@ of the templates, and what replaces it."""
    summary, use = KINDS[kind]
    yield "name", name
    yield "kind", kind
    yield "package", f"stoker_{name.replace('-', '_')}"
    yield "option", name.replace("-", "_")
    yield "Title", "".join(part.capitalize() for part in name.split("-"))
    yield "summary", summary
    yield "use", use.format(name=name)
    yield "version", VERSION
    yield "contract", str(CONTRACT)


def _say_what_next(folder: Path, name: str, kind: str) -> None:
    python = shlex.quote(sys.executable)
    shown = folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder
    print(f"wrote the package stoker-{name}, {KINDS[kind][0]}, into {shown}; next:\n")
    for line in (
        f"cd {shlex.quote(str(shown))}",
        f"{python} -m pip install --editable '.[test]'",
        f"{python} -m pytest",
        "stoker plugins",
        f"stoker {KINDS[kind][1].format(name=name)}",
    ):
        print(f"  {line}")

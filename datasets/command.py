"""`stoker data`: fetches, verifies, describes and shows data sets."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from ..engine.command import command_line
from ..engine.data import FOLDER
from ..engine.errors import InputError, OptionError
from ..engine.plugin.context import Context
from ..engine.terminal.bars import byte_progress
from ..engine.terminal.text import visible

if TYPE_CHECKING:
    from rich.text import Text

    from ..engine.data import Dataset, ProgressCallback, Split
    from .source.catalogue import KnownSet
    from .source.verify import Finding

_DEFAULT = "mnist"
_MOST = 300
"""Samples on one sheet: more would take minutes to draw into a file, and nobody could see them."""
_Action: TypeAlias = "Callable[[argparse.Namespace, Context, ProgressCallback | None], Sequence[str | Text]]"
_ACTIONS = {
    "fetch": "bring a named data set into the cache",
    "verify": "read every byte and compare digests",
    "info": "list data sets, or describe one",
    "show": "show a sheet of samples, in the terminal or as a PNG",
}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds the sub-commands to the parser of `data`."""
    below = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    for action, summary in _ACTIONS.items():
        child = below.add_parser(action, help=summary, description=summary)
        child.add_argument("name", nargs=None if action == "fetch" else "?", metavar="NAME", help="name of a data set")
        if action != "fetch":
            child.add_argument(
                "--data-folder", type=Path, metavar="DIR", help="folder with its files, anywhere below it"
            )
        if action == "show":
            _add_show_options(child)


def _add_show_options(child: argparse.ArgumentParser) -> None:
    child.add_argument("--offline", action="store_true", help="don't download anything")
    child.add_argument("--output", type=Path, metavar="FILE.png", help="write a PNG instead of drawing here")
    count = f"how many samples, 1 to {_MOST:,} (default: 50 in a file, else 10)"
    child.add_argument("--count", type=int, default=None, metavar="N", help=count)
    child.add_argument("--split", choices=("train", "test"), default="train", help="which split to choose them from")


def run(options: argparse.Namespace, context: Context) -> int:
    """Runs the sub-command that was chosen, and prints its lines."""
    with byte_progress() as progress:
        actions: dict[str, _Action] = {"fetch": _fetch, "verify": _verify, "info": _info, "show": _show}
        lines = actions[options.action](options, context, progress)
    for line in lines:
        _print(line)
    return 0


def _print(line: str | Text) -> None:
    """Prints a line: text as it is, with nothing that a terminal obeys; a drawing of ours in its colours."""
    if isinstance(line, str):
        print(visible(line.encode(errors="backslashreplace").decode()))  # a path may hold bytes that are not text
        return
    from rich.console import Console

    Console(highlight=False).print(line, soft_wrap=True)


def _fetch(options: argparse.Namespace, context: Context, progress: ProgressCallback | None) -> list[str]:
    if options.name == FOLDER:
        what = f"the data set {FOLDER!r} can't be fetched: it is what lies below --data-folder"
        raise InputError(what, hint=f"`{command_line('data', 'info')}` lists those that can be")
    dataset = context.plugins.get_dataset(options.name, without=(FOLDER,)).load(None, progress=progress)
    return [f"{options.name} is ready", *_describe(dataset)]


def _verify(options: argparse.Namespace, context: Context, progress: ProgressCallback | None) -> list[str]:
    from .source.catalogue import CATALOGUE
    from .source.verify import verify_cached, verify_folder

    if options.data_folder:
        name = options.name or FOLDER
        dataset = context.plugins.get_dataset(name).load(options.data_folder, offline=True, progress=progress)
        in_order = f"these are {len(dataset.train):,} + {len(dataset.test):,} examples, all in order"
        if name != FOLDER and name not in CATALOGUE:  # a plugin's: only its reader knows its files
            return [in_order]
        return [*_findings(verify_folder(options.data_folder, name, progress=progress)), in_order]
    if options.name and options.name not in CATALOGUE:
        context.plugins.get_dataset(options.name).load(None, offline=True, progress=progress)
        return [f"{options.name} can be read; stoker knows no digests to compare it with"]
    names = [options.name] if options.name else list(CATALOGUE)
    found = {name: verify_cached(CATALOGUE[name], progress=progress) for name in names}
    lines = [line for name in names if found[name] for line in (f"{name}:", *_findings(found[name]))]
    missing = ", ".join(name for name in names if not found[name])
    return [*lines, *([f"not in the cache, so there is nothing to verify: {missing}"] if missing else [])]


def _findings(findings: Iterable[Finding]) -> list[str]:
    unknown = "not from a data set that stoker knows"
    return [f"  {one.path}\n    sha256  {one.sha256}\n    {one.verdict or unknown}" for one in findings]


def _info(options: argparse.Namespace, context: Context, progress: ProgressCallback | None) -> list[str]:
    from .source.catalogue import CATALOGUE
    from .source.fetch import is_bundled

    if not options.name and not options.data_folder:
        offered = context.plugins.datasets()
        width = max(len(name) for name in offered)
        return [f"{name:<{width}}  {summary}{_place(CATALOGUE.get(name))}" for name, summary in offered.items()]
    reader = context.plugins.get_dataset(options.name or FOLDER)
    known = CATALOGUE.get(reader.name)
    about = [f"{reader.name}: {reader.summary}", *([f"{'credit':<10}  {known.credit}"] if known else [])]
    if known and not options.data_folder and not is_bundled(known) and not _size_bytes(known):
        return [*about, f"{'place':<10}  not fetched yet; run: {command_line('data', 'fetch', known.name)}"]
    return [*about, *_describe(reader.load(options.data_folder, offline=True, progress=progress))]


def _place(known: KnownSet | None) -> str:
    size_bytes = _size_bytes(known) if known else 0
    return f" (in the cache, {size_bytes / 1e6:.0f} MB)" if size_bytes else ""


def _size_bytes(known: KnownSet) -> int:
    """Returns the size of a data set in the cache; 0 if it isn't there completely."""
    from .source import store

    records = [store.find(store.place_of(known.name, file.name)) for file in known.files.values()]
    return sum(record.size_bytes for record in records if record) if all(records) else 0


def _describe(dataset: Dataset) -> list[str]:
    """Describes a data set in a few lines: its splits, its classes, its sources, and its notes."""
    rows = [("train", _count(dataset.train)), ("test", _count(dataset.test)), ("classes", _classes(dataset))]
    rows += [("file", f"{name}  {_source(name, source)}") for name, source in dataset.sources.items()]
    rows += [("note", note) for note in dataset.notes]
    return [f"{name:<10}  {text}" for name, text in rows]


def _classes(dataset: Dataset) -> str:
    """Returns how many classes there are, and what is odd about them."""
    from ..engine.data import classes_in_words

    number, _, odd = classes_in_words(dataset).partition(" ")
    return number + odd.removeprefix("classes").removeprefix("class")


def _source(name: str, source: str) -> str:
    """Returns where a file's content came from; a digest, of which nothing else says what it is the digest of."""
    if not source.startswith("sha256:"):
        return source
    return f"{source}, of the content{', decompressed' if name.endswith('.gz') else ''}"


def _count(split: Split) -> str:
    import numpy as np

    counts = np.unique(split.labels, return_counts=True)[1]
    each = f"{counts.min():,}" if counts.min() == counts.max() else f"{counts.min():,} to {counts.max():,}"
    classes = "class" if len(counts) == 1 else "classes"
    kind = f"{split.images.dtype.name} [{', '.join(str(size) for size in split.images.shape[1:])}]"
    return f"{len(split):,} examples of {kind}, {each} in each of {len(counts):,} {classes}"


def _show(options: argparse.Namespace, context: Context, progress: ProgressCallback | None) -> Sequence[str | Text]:
    if options.count is not None and not 1 <= options.count <= _MOST:
        expected = f"a whole number from 1 to {_MOST:,}"
        raise OptionError.must_be("--count", expected, received=options.count, hint="try --count 20")
    if options.output and options.output.suffix.lower() != ".png":
        raise OptionError(
            "--output must name a PNG file", received=options.output, hint=f"--output {options.output.stem}.png"
        )
    name = options.name or (FOLDER if options.data_folder else _DEFAULT)
    dataset = context.plugins.get_dataset(name).load(options.data_folder, offline=options.offline, progress=progress)
    from .sample_sheet import write_png

    notes = [f"note: {note}" for note in dataset.notes]
    if options.output:
        write_png(dataset, options.split, options.count or 50, options.output)
        return [*notes, f"wrote {options.output}"]
    return [*_drawn(dataset, options.split, options.count or 10), *notes]


def _drawn(dataset: Dataset, split_name: str, count: int) -> list[Text]:
    """Draws a sheet as wide as the terminal, with colours if it has enough of them."""
    from rich.console import Console

    from .sample_sheet import terminal_sheet

    console = Console()
    colours = console.color_system in {"256", "truecolor"} and console.encoding.startswith("utf")
    return terminal_sheet(dataset, split_name, count, width=console.width, colours=colours)

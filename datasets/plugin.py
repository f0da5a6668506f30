"""The built-in plugin that offers the named data sets, the user's own folder, and the command `data`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from ..engine.command import Command
from ..engine.data import FOLDER
from ..engine.hookspecs import hookimpl
from . import command

if TYPE_CHECKING:
    from ..engine.data import DatasetReader


@hookimpl
def stoker_commands() -> Iterable[Command]:
    """Offers the command `data`."""
    summary = "fetch, verify, describe and show data sets"
    return [Command(name="data", summary=summary, add_options=command.add_options, run=command.run)]


@hookimpl
def stoker_datasets() -> Mapping[str, str]:
    """Offers the catalogue, and the user's folder."""
    from .source.catalogue import CATALOGUE

    summaries = {name: known.summary for name, known in CATALOGUE.items()}
    return {**summaries, FOLDER: "the four IDX files below --data-folder, whatever they hold"}


@hookimpl
def stoker_get_dataset(name: str) -> DatasetReader | None:
    """Returns the reader of a named data set, or of the user's folder."""
    if name == FOLDER:
        from .readers.folder import FolderReader

        return FolderReader()
    from .source.catalogue import CATALOGUE

    if name not in CATALOGUE:
        return None
    from .readers.named import NamedReader

    return NamedReader(CATALOGUE[name])

"""Finds plugins, keeps the bad ones away from the good ones, and asks all of them for what they offer."""

from __future__ import annotations

import hashlib
import importlib
import importlib.metadata
import importlib.util
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from . import hooks, hookspecs
from .command import Command
from .errors import InputError, PluginError, StokerError, UnknownNameError
from .job import TrainJob
from .record import OURS, PluginRecord, off_stdout, reason, remedy

if TYPE_CHECKING:
    from .backend import Backend
    from .data import DatasetReader
    from .event import RunEvent
    from .model import ModelBuilder

BUILT_IN = (
    "stoker.plugins.commands.train",
    "stoker.plugins.commands.execute",
    "stoker.plugins.commands.runs",
    "stoker.plugins.commands.verify_resume",
    "stoker.plugins.commands.models",
    "stoker.plugins.commands.plugins",
    "stoker.plugins.commands.config",
    "stoker.plugins.commands.completion",
    "stoker.plugins.local",
    "stoker.datasets.plugin",
    "stoker.models.dnn",
    "stoker.models.file",
)
"""The plugins that come with stoker; they use the same hooks as anybody's."""


class Plugins:
    """The plugins of this process.

    Attributes:
        left_out: The names that `-p no:NAME` gave.
    """

    def __init__(self) -> None:
        self.left_out: set[str] = set()
        self._hooks = hooks.Hooks()
        self._requested: set[str] = set()
        self._clashes: dict[tuple[str, str], PluginError] = {}

    @property
    def records(self) -> list[PluginRecord]:
        """One for each plugin that was found, loaded or not, in the order of loading."""
        return self._hooks.records

    @classmethod
    def load(cls, requested: Sequence[str] = ()) -> Plugins:
        """Loads the built-in plugins, those of installed packages, and those that `-p` names.

        Args:
            requested: `module`, `./file.py`, or `no:NAME` to leave one out.

        Raises:
            PluginError: One that was requested can't be loaded.
            UnknownNameError: One that is to be left out does not exist.
        """
        plugins = cls()
        found = [*_built_in(), *plugins._installed()]
        plugins.left_out = _left_out(requested)
        known = {record.name for record, _ in found} | {_short(name) for name in _loaded(requested)}
        for name in sorted(plugins.left_out - known):
            raise UnknownNameError("plugin to leave out", name, known)
        for record, load in found:
            if record.name not in plugins.left_out:
                with record.guard("import"):
                    plugins._hooks.register(record, load)
        plugins.add_requested(requested)
        return plugins

    def add_requested(self, requested: Sequence[str]) -> None:
        """Loads the plugins that `-p` names, and drops those that it leaves out; see `load`.

        Raises:
            PluginError: One can't be loaded.
        """
        self.left_out |= _left_out(requested)
        for record in [record for record in self.records if record.name in self.left_out]:
            self._hooks.drop(record)
        for name in _loaded(requested):
            source = str(Path(name).expanduser().resolve()) if name.endswith(".py") else name
            if _short(name) in self.left_out or source in self._requested:
                continue
            self._requested.add(source)
            try:
                with off_stdout():
                    self._hooks.register(PluginRecord(name=_short(name), origin=f"-p {name}"), _loader(source))
            except KeyboardInterrupt:
                raise
            except BaseException as error:
                why, hint = reason(error), _remedy(error, name)
                raise PluginError(f"can't load the plugin {name}", received=why, hint=hint) from error

    def commands(self) -> dict[str, Command]:
        """The commands that plugins offer, by name."""
        offered = self._hooks.each("stoker_commands", hooks.commands)
        return self._merge(
            "command",
            [(record, {name: _guarded(record, each) for name, each in many.items()}) for record, many in offered],
        )

    def backends(self) -> dict[str, str]:
        """The backends that plugins offer: {name: summary}."""
        return self._merge("backend", self._hooks.each("stoker_backends", hooks.summaries))

    def datasets(self) -> dict[str, str]:
        """The data sets that plugins offer: {name: summary}."""
        return self._merge("data set", self._hooks.each("stoker_datasets", hooks.summaries))

    def models(self) -> dict[str, str]:
        """The models that plugins offer: {name: summary}."""
        return self._merge("model", self._hooks.each("stoker_models", hooks.summaries))

    def refuse_clash(self, kind: str, name: str) -> None:
        """Refuses a name that two plugins offer.

        Raises:
            PluginError: With the names of both.
        """
        if (kind, name) in self._clashes:
            raise self._clashes[kind, name]

    def get_backend(self, name: str, options: Mapping[str, Any]) -> Backend:
        """The backend of that name.

        Raises:
            UnknownNameError: No plugin offers it.
            PluginError: Two plugins offer it, or the one that does is broken.
        """
        found: Backend = self._first("backend", name, self.backends(), "stoker_get_backend", options=options)
        return found

    def get_dataset(self, name: str) -> DatasetReader:
        """The reader of the data set of that name; raises as `get_backend`."""
        found: DatasetReader = self._first("data set", name, self.datasets(), "stoker_get_dataset")
        return found

    def get_model(self, name: str) -> ModelBuilder:
        """The builder of the model of that name; raises as `get_backend`."""
        found: ModelBuilder = self._first("model", name, self.models(), "stoker_get_model")
        return found

    def add_options(self, parser: Any, command: str) -> None:
        """Lets every plugin add its options to the parser of a command."""
        self._hooks.each("stoker_add_options", parser=parser, command=command)

    def configure(self, job: TrainJob) -> TrainJob:
        """The job as the plugins want it submitted."""
        for record, call in self._hooks.calls("stoker_configure_job"):
            with record.guard("stoker_configure_job"):
                job = hooks.of_type(TrainJob, call(job=job) or job)
        return job

    def callbacks(self, job: TrainJob, run_dir: Path) -> list[Any]:
        """All Keras callbacks that plugins offer for this job."""
        return [
            each for _, many in self._hooks.each("stoker_callbacks", list, job=job, run_dir=run_dir) for each in many
        ]

    def notify(self, event: RunEvent, job: TrainJob, run_dir: Path) -> None:
        """Tells all observers."""
        self._hooks.each("stoker_run_event", event=event, job=job, run_dir=run_dir)

    def register_model(self, model: Path, name: str, options: Mapping[str, Any]) -> list[Any]:
        """Offers a finished model to every plugin that registers models; what they answered."""
        return [
            answer for _, answer in self._hooks.each("stoker_register_model", model=model, name=name, options=options)
        ]

    def broken(self) -> list[str]:
        """The names of the plugins with which something went wrong."""
        return [record.name for record in self.records if record.problems]

    def _installed(self) -> list[tuple[PluginRecord, Callable[[], Any]]]:
        """The plugins of installed packages."""
        found: list[tuple[PluginRecord, Callable[[], Any]]] = []
        packages = PluginRecord(name="packages", origin="all that are installed")
        with packages.guard("entry points"):
            for entry in importlib.metadata.entry_points(group=hookspecs.PROJECT):
                origin, version = _metadata(entry, "Name") or "unknown package", _metadata(entry, "Version")
                found.append((PluginRecord(name=entry.name, origin=origin, version=version), entry.load))
        if packages.problems:  # one package's broken list hides those of all
            self.records.append(packages)
        return found

    def _first(self, kind: str, name: str, offered: Mapping[str, str], hook: str, **arguments: Any) -> Any:
        """The first answer; a plugin that raises does not keep the others from answering, unless it raises our own."""
        self.refuse_clash(kind, name)
        failure: PluginError | None = None
        for record, call in self._hooks.calls(hook):
            try:
                with off_stdout():
                    answer = call(name=name, **arguments)
            except (StokerError, KeyboardInterrupt):
                raise
            except BaseException as error:  # noqa: BLE001 - a plugin may even call sys.exit
                record.note(f"{hook}: {reason(error)}")
                failure = failure or _failed(f"the plugin {record} failed to make the {kind} {name!r}", error)
                continue
            if answer is not None:
                return answer
        raise failure or UnknownNameError(kind, name, offered, hint=self._broken_hint())

    def _merge(self, kind: str, offered: Sequence[tuple[PluginRecord, Mapping[str, Any]]]) -> dict[str, Any]:
        owners: dict[str, PluginRecord] = {}
        merged: dict[str, Any] = {}
        for record, names in offered:
            for name, value in names.items():
                if name in owners:
                    self._note_clash(kind, name, owners[name], record)
                else:
                    owners[name], merged[name] = record, value
        return merged

    def _note_clash(self, kind: str, name: str, record: PluginRecord, other: PluginRecord) -> None:
        guest = other if record.origin == OURS else record
        error = PluginError(
            f"two plugins offer the {kind} {name!r}: {record} and {other}",
            hint=f"leave one out with -p no:{guest.name}",
        )
        self._clashes[kind, name] = error
        guest.note(error.what)

    def _broken_hint(self) -> str:
        broken = self.broken()
        return f"broken plugins: {', '.join(broken)}; see `stoker plugins`" if broken else ""


def _left_out(requested: Sequence[str]) -> set[str]:
    return {name.removeprefix("no:") for name in requested if name.startswith("no:")}


def _loaded(requested: Sequence[str]) -> list[str]:
    return [name for name in requested if not name.startswith("no:")]


def _built_in() -> list[tuple[PluginRecord, Callable[[], Any]]]:
    return [
        (PluginRecord(name=_short(module), origin=OURS), partial(importlib.import_module, module))
        for module in BUILT_IN
    ]


def _metadata(entry: importlib.metadata.EntryPoint, key: str) -> str:
    """What the package of an entry point says about itself; "" if it does not."""
    metadata = entry.dist.metadata if entry.dist else None
    return metadata[key] if metadata and key in metadata else ""


def _loader(source: str) -> Callable[[], Any]:
    return partial(import_file, Path(source)) if source.endswith(".py") else partial(importlib.import_module, source)


def _guarded(record: PluginRecord, command: Command) -> Command:
    """The command of a plugin, whose options can't break the options of another."""

    def add_options(parser: Any) -> None:
        with record.guard(f"options of {command.name}"):
            command.add_options(parser)

    return replace(command, add_options=add_options)


def _failed(what: str, error: BaseException) -> PluginError:
    failure = PluginError(what, received=reason(error), hint=remedy(error))
    failure.__cause__ = error
    return failure


def _remedy(error: BaseException, name: str) -> str:
    if isinstance(error, ModuleNotFoundError) and error.name == name.partition(".")[0]:
        return f"for a file, say -p ./{name}.py; a module must be installed, or its folder on PYTHONPATH"
    return remedy(error)


def _short(module: str) -> str:
    """`stoker.datasets.plugin` is called datasets, `stoker.plugins.local` and `./local.py` are called local."""
    if module.endswith(".py"):
        return Path(module).stem
    return module.removesuffix(".plugin").rpartition(".")[2]


def import_file(path: Path) -> ModuleType:
    """The module in a file, under a name that no other module has.

    Raises:
        InputError: There is no such file.
    """
    path = path.expanduser().resolve()
    if not path.is_file():
        raise InputError(f"no such file: {path}", path=path)
    name = f"stoker_file_{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise InputError(f"not a Python file: {path}", path=path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module

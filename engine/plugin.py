"""Finds plugins, keeps the bad ones away from the good ones, and asks all of them for what they offer."""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import importlib.metadata
import importlib.util
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pluggy

from . import hookspecs
from .errors import InputError, PluginError, StokerError, UnknownNameError

if TYPE_CHECKING:
    from .backend import Backend
    from .command import Command
    from .data import DatasetReader
    from .event import RunEvent
    from .job import TrainJob
    from .model import ModelBuilder

BUILT_IN = (
    "stoker.plugins.commands.train",
    "stoker.plugins.commands.execute",
    "stoker.plugins.commands.runs",
    "stoker.plugins.commands.data",
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


@dataclass(kw_only=True, slots=True)
class PluginRecord:
    """What is known about one plugin.

    Attributes:
        name: Its short name: of a built-in, the module's; of an entry point, the entry point's; of a file, its stem.
        origin: "built-in", "-p FILE", or the distribution that it came with.
        version: Of that distribution; "" if there is none.
        problems: What went wrong with it, one sentence each; a plugin that could not be loaded has one too.
        hooks: The hooks that it implements; none if it could not be loaded.
    """

    name: str
    origin: str
    version: str = ""
    problems: list[str] = field(default_factory=list)
    hooks: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.name} {self.version}".rstrip()


class Plugins:
    """The plugins of this process.

    Attributes:
        records: One for each plugin that was found, loaded or not, in the order of loading.
    """

    def __init__(self) -> None:
        self.records: list[PluginRecord] = []
        self._by_module: dict[int, PluginRecord] = {}
        self._blocked: set[str] = set()
        self._manager = pluggy.PluginManager(hookspecs.PROJECT)
        self._manager.add_hookspecs(hookspecs)

    @classmethod
    def load(cls, requested: Sequence[str] = ()) -> Plugins:
        """Loads the built-in plugins, those of installed packages, and those that `-p` names.

        Args:
            requested: `module`, `./file.py`, or `no:NAME` to leave one out.

        Raises:
            PluginError: One that was requested can't be loaded.
        """
        plugins = cls()
        plugins._blocked = {name.removeprefix("no:") for name in requested if name.startswith("no:")}
        for module in BUILT_IN:
            plugins._add(PluginRecord(name=_short(module), origin="built-in"), module)
        for entry in importlib.metadata.entry_points(group=hookspecs.PROJECT):
            version, origin = (entry.dist.version, entry.dist.name) if entry.dist else ("", "unknown")
            plugins._add(PluginRecord(name=entry.name, origin=origin, version=version), entry.value)
        plugins.add_requested(requested)
        return plugins

    def add_requested(self, requested: Sequence[str]) -> None:
        """Loads the plugins that `-p` names; see `load`.

        Raises:
            PluginError: One can't be loaded.
        """
        for name in requested:
            record = PluginRecord(name=_short(name.removesuffix(".py")), origin=f"-p {name}")
            if not name.startswith("no:"):
                self._add(record, name)
            if record.problems:
                raise PluginError(
                    f"can't load the plugin {name}", received=record.problems[0], hint="mend it, or leave it out"
                )

    def commands(self) -> dict[str, Command]:
        """The commands that plugins offer, by name."""
        offered = [(owner, {one.name: one for one in many}) for owner, many in self._each("stoker_commands")]
        return self._merge("command", offered)

    def backends(self) -> dict[str, str]:
        """The backends that plugins offer: {name: summary}."""
        return self._merge("backend", self._each("stoker_backends"))

    def datasets(self) -> dict[str, str]:
        """The data sets that plugins offer: {name: summary}."""
        return self._merge("data set", self._each("stoker_datasets"))

    def models(self) -> dict[str, str]:
        """The models that plugins offer: {name: summary}."""
        return self._merge("model", self._each("stoker_models"))

    def get_backend(self, name: str, options: Mapping[str, Any]) -> Backend:
        """The backend of that name.

        Raises:
            UnknownNameError: No plugin offers it.
            PluginError: The plugin that offers it is broken.
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
        self._each("stoker_add_options", parser=parser, command=command)

    def configure(self, job: TrainJob) -> TrainJob:
        """The job as the plugins want it submitted."""
        for record, call in self._calls("stoker_configure_job"):
            with self._reported(record, "stoker_configure_job"):
                job = call(job=job) or job
        return job

    def callbacks(self, job: TrainJob, run_dir: Path) -> list[Any]:
        """All Keras callbacks that plugins offer for this job."""
        return [one for _, many in self._each("stoker_callbacks", job=job, run_dir=run_dir) for one in many]

    def notify(self, event: RunEvent) -> None:
        """Tells all observers."""
        self._each("stoker_run_event", event=event)

    def register_model(self, model: Path, name: str, options: Mapping[str, Any]) -> list[Any]:
        """Offers a finished model to every plugin that registers models; what they answered."""
        return [answer for _, answer in self._each("stoker_register_model", model=model, name=name, options=options)]

    def problems(self) -> list[str]:
        """What went wrong with plugins so far, one sentence each."""
        return [f"plugin {record}: {problem}" for record in self.records for problem in record.problems]

    def _add(self, record: PluginRecord, source: str) -> None:
        """Imports and registers one plugin; what goes wrong is written into its record."""
        if record.name in self._blocked:
            return
        self.records.append(record)
        with self._reported(record, "import"):
            module = import_file(Path(source)) if source.endswith(".py") else importlib.import_module(source)
            self._manager.register(module, name=f"{record.name}-{len(self.records)}")
            hooks = self._manager.get_hookcallers(module) or []
            record.hooks = tuple(sorted(hook.name for hook in hooks))
            self._by_module[id(module)] = record

    def _calls(self, hook: str) -> Iterator[tuple[PluginRecord, Any]]:
        """Each implementation of a hook, as a function of the hook's keyword arguments."""
        for implementation in reversed(getattr(self._manager.hook, hook).get_hookimpls()):
            names, function = implementation.argnames, implementation.function

            def call(_names: Sequence[str] = names, _function: Any = function, **arguments: Any) -> Any:
                return _function(**{name: arguments[name] for name in _names})

            yield self._by_module[id(implementation.plugin)], call

    def _each(self, hook: str, **arguments: Any) -> list[tuple[PluginRecord, Any]]:
        """What each implementation answers, `None` left out; one that raises is reported and left out."""
        answers = []
        for record, call in self._calls(hook):
            with self._reported(record, hook):
                answer = call(**arguments)
                if answer is not None:
                    answers.append((record, answer))
        return answers

    def _first(self, kind: str, name: str, offered: Mapping[str, str], hook: str, **arguments: Any) -> Any:
        for record, call in self._calls(hook):
            try:
                answer = call(name=name, **arguments)
            except StokerError:
                raise
            except Exception as error:
                raise PluginError(
                    f"the plugin {record} failed to make the {kind} {name!r}", received=_reason(error)
                ) from error
            if answer is not None:
                return answer
        raise UnknownNameError(kind, name, offered, hint=self._broken_hint())

    def _merge(self, kind: str, offered: Sequence[tuple[PluginRecord, Mapping[str, Any]]]) -> dict[str, Any]:
        owners: dict[str, PluginRecord] = {}
        merged: dict[str, Any] = {}
        for record, names in offered:
            for name, value in names.items():
                if name in owners:
                    raise PluginError(
                        f"two plugins offer the {kind} {name!r}: {owners[name]} and {record}",
                        hint=f"leave one out with -p no:{record.name}",
                    )
                owners[name], merged[name] = record, value
        return merged

    def _broken_hint(self) -> str:
        broken = [record.name for record in self.records if record.problems]
        return f"broken plugins: {', '.join(broken)}; see `stoker plugins`" if broken else ""

    @contextlib.contextmanager
    def _reported(self, record: PluginRecord, where: str) -> Iterator[None]:
        """Writes what the body raises into the record; what it prints goes to stderr, for stdout is the command's."""
        try:
            with contextlib.redirect_stdout(sys.stderr):
                yield
        except KeyboardInterrupt:
            raise
        except InputError as error:
            record.problems.append(f"{where}: {error.what}")
        except BaseException as error:  # noqa: BLE001 - a plugin may even call sys.exit
            record.problems.append(f"{where}: {_reason(error)}")


def _reason(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".rstrip(": ")


def _short(module: str) -> str:
    """`stoker.datasets.plugin` is called datasets, `stoker.plugins.local` is called local."""
    return module.replace("/", ".").removesuffix(".plugin").rpartition(".")[2]


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
    spec.loader.exec_module(module)
    return module

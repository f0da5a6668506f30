"""Loads plugins, keeps the bad ones from harming the good ones, and asks all of them what they offer."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..command import command_line
from ..errors import PluginError, StokerError, UnknownNameError
from ..job import TrainJob
from ..options.parser import option_strings
from . import discovery, hooks
from .record import OURS, PluginRecord, off_stdout, reason, remedy

if TYPE_CHECKING:
    from ..backend import Backend, BackendChoice
    from ..command import Command
    from ..data import DatasetReader
    from ..event import RunEvent
    from ..model import ModelBuilder


class Plugins:
    """The plugins of this process.

    Attributes:
        left_out: The names that `-p no:NAME` gave.
    """

    def __init__(self) -> None:
        self.left_out: set[str] = set()
        self._hooks = hooks.Hooks()
        self._requested: list[str] = []
        self._loaded: set[str] = set()
        self._clashes: dict[tuple[str, str], PluginError] = {}

    @property
    def records(self) -> list[PluginRecord]:
        """One for each plugin that was found, loaded or not, in the order of loading."""
        return self._hooks.records

    @classmethod
    def load(cls, requested: Sequence[str] = (), *, forgiving: bool = False, asked_by: str = "-p") -> Plugins:
        """Loads the built-in plugins, those of installed packages, and those that were asked for.

        Args:
            requested: `module`, `./file.py`, or `no:NAME` to leave one out.
            forgiving: Records a requested plugin that can't be loaded as broken, like one of an installed package.
            asked_by: What asked for them: "-p", a variable of the environment, or the path of a settings file.

        Raises:
            PluginError: A requested plugin can't be loaded.
            UnknownNameError: A plugin to leave out does not exist.
        """
        plugins = cls()
        found = [*discovery.built_in(), *discovery.installed()]
        known = {record.name for record, _ in found} | {
            discovery.short_name(name) for name in discovery.to_load(requested)
        }
        plugins.left_out = discovery.to_leave_out(requested)
        if unknown := plugins.left_out - known:
            raise UnknownNameError("plugin to leave out", min(unknown), known)
        for record, load in found:
            if record.name in plugins.left_out:
                plugins._hooks.leave_out(record)
                continue
            with record.guard("import"):
                plugins._hooks.register(record, load)
        plugins.add_requested(requested, forgiving=forgiving, asked_by=asked_by)
        return plugins

    def add_requested(self, requested: Sequence[str], *, forgiving: bool = False, asked_by: str = "-p") -> None:
        """Loads the plugins that were asked for, and drops those to leave out; see `load`.

        Raises:
            PluginError: One can't be loaded.
        """
        self._requested += requested
        self.left_out |= discovery.to_leave_out(requested)
        for record in self.records:
            if record.name in self.left_out:
                self._hooks.leave_out(record)
        for name in discovery.to_load(requested):
            if discovery.short_name(name) not in self.left_out and discovery.source_of(name) not in self._loaded:
                self._add(name, forgiving=forgiving, asked_by=asked_by)

    @property
    def requested(self) -> list[str]:
        """What `-p` asked for and could be loaded: the training process should not fail on the rest again."""
        loaded = self._loaded
        return [name for name in self._requested if name.startswith("no:") or discovery.source_of(name) in loaded]

    def commands(self) -> dict[str, Command]:
        """Returns the commands that plugins offer, by name, in the order in which the plugins were loaded."""
        # `each` asks the latest plugin first. The first to offer a name keeps it, and no plugin may take a built-in
        # command, so the order of loading counts here.
        offered = reversed(self._hooks.each("stoker_commands", hooks.commands))
        return self._merge(
            "command",
            [(record, {name: hooks.guarded(record, each) for name, each in many.items()}) for record, many in offered],
        )

    def backends(self) -> dict[str, str]:
        """Returns the backends that plugins offer: {name: summary}."""
        return self._merge("backend", self._hooks.each("stoker_backends", hooks.summaries))

    def datasets(self) -> dict[str, str]:
        """Returns the data sets that plugins offer: {name: summary}."""
        return self._merge("data set", self._hooks.each("stoker_datasets", hooks.summaries))

    def models(self) -> dict[str, str]:
        """Returns the models that plugins offer: {name: summary}."""
        return self._merge("model", self._hooks.each("stoker_models", hooks.summaries))

    def refuse_clash(self, kind: str, name: str) -> None:
        """Refuses a name that two plugins offer.

        Raises:
            PluginError: With the names of both.
        """
        if (kind, name) in self._clashes:
            raise self._clashes[kind, name]

    def add_problem(self, kind: str, name: str, problem: str) -> None:
        """Records a problem with something that a plugin offers as a problem of that plugin.

        Args:
            kind: "command", "backend", …
            name: Its name.
            problem: What is wrong, in one line.
        """
        for record in self.records:
            if name in record.offers.get(kind, ()):
                record.add_problem(f"{kind} {name!r}: {problem}")

    def check_names(self, job: TrainJob) -> None:
        """Checks that plugins offer the model and the data set of a job.

        Raises:
            UnknownNameError, PluginError: As `get_backend`.
        """
        self.get_model(job.model)
        self.get_dataset(job.dataset_name)

    def get_backend(self, choice: BackendChoice) -> Backend:
        """Returns the backend of a choice.

        Raises:
            UnknownNameError: No plugin offers it.
            PluginError: Two plugins offer it, or the one that does is broken.
        """
        offered = self.backends()
        found: Backend = self._first("backend", choice.name, offered, "stoker_get_backend", options=choice.options)
        return found

    def get_dataset(self, name: str, *, without: Collection[str] = ()) -> DatasetReader:
        """Returns the reader of the data set of that name.

        Args:
            name: The name.
            without: Names that an error does not offer, because they are of no use here.

        Raises:
            UnknownNameError, PluginError: As `get_backend`.
        """
        offered = {each: summary for each, summary in self.datasets().items() if each not in without}
        found: DatasetReader = self._first("data set", name, offered, "stoker_get_dataset")
        return found

    def get_model(self, name: str) -> ModelBuilder:
        """Returns the builder of the model of that name.

        Raises:
            UnknownNameError, PluginError: As `get_backend`.
        """
        try:
            found: ModelBuilder = self._first("model", name, self.models(), "stoker_get_model")
        except UnknownNameError as error:
            if error.kind == "model":  # and not a function of a model's file
                _offer_files(error)
            raise
        return found

    def add_options(self, parser: Any, command: str) -> None:
        """Lets every plugin add its options to the parser of a command."""
        for record, call in self._hooks.calls("stoker_add_options"):
            before = set(option_strings(parser))
            with record.guard("stoker_add_options"):
                call(parser=parser, command=command)
            added = [name for name in option_strings(parser) if name not in before]
            record.offer("option", [name for name in added if name.startswith("--")])

    def model_options(self) -> set[str]:
        """Returns the names of the options that plugins with models have added, as `TrainJob.options` has them."""
        self.models()
        options = (
            name for record in self.records if "model" in record.offers for name in record.offers.get("option", ())
        )
        return {name.lstrip("-").replace("-", "_") for name in options}

    def configure(self, job: TrainJob) -> TrainJob:
        """Lets every plugin change a job before it is submitted; returns the result.

        Raises:
            StokerError: One of them refuses it.
        """
        for record, call in self._hooks.calls("stoker_configure_job"):
            with record.guard("stoker_configure_job", StokerError):
                job = hooks.of_type(TrainJob, call(job=job) or job)
        return job

    def callbacks(self, job: TrainJob, run_dir: Path) -> list[Any]:
        """Returns all Keras callbacks that plugins offer for this job."""
        return [
            each for _, many in self._hooks.each("stoker_callbacks", list, job=job, run_dir=run_dir) for each in many
        ]

    def notify(self, event: RunEvent, job: TrainJob, run_dir: Path) -> None:
        """Passes an event to all observers."""
        self._hooks.each("stoker_run_event", event=event, job=job, run_dir=run_dir)

    def export_model(self, model: Any, folder: Path) -> list[str]:
        """Has every plugin that exports models write its files into a folder; what they say about these."""
        return [text for _, text in self._hooks.each("stoker_export_model", str, model=model, folder=folder)]

    def runner(self, job: TrainJob) -> Callable[..., Any] | None:
        """What runs a job of the conformance suite in place of the training; None for any other job."""
        return next((answer for _, answer in self._hooks.each("_stoker_run_job", job=job)), None)

    def register_model(self, model: Path, name: str, options: Mapping[str, Any]) -> list[Any]:
        """Offers a finished model to every plugin that registers models; returns their answers.

        Args:
            model: The folder with the model's files.
            name: The name to register it under.
            options: The options of the job.
        """
        return [
            answer for _, answer in self._hooks.each("stoker_register_model", model=model, name=name, options=options)
        ]

    def broken(self) -> list[str]:
        """Returns the names of the plugins that have problems."""
        return [record.name for record in self.records if record.problems]

    def _add(self, name: str, *, forgiving: bool, asked_by: str) -> None:
        record, load = discovery.requested(name, asked_by)
        try:
            with record.timed("import"):
                self._hooks.register(record, load)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            why, cure = reason(error), _remedy(error, name)
            if not forgiving:
                hint = cure or f"fix the plugin, or leave -p {name} out"
                raise PluginError(f"can't load the plugin {name}", received=why, hint=hint) from error
            record.add_problem(f"import: {why}", cure)
        else:
            self._loaded.add(discovery.source_of(name))

    def _first(self, kind: str, name: str, offered: Mapping[str, str], hook: str, **arguments: Any) -> Any:
        """Returns the first answer; after a plugin that raises, asks the next, unless the error is stoker's."""
        self.refuse_clash(kind, name)
        failure: PluginError | None = None
        for record, call in self._hooks.calls(hook):
            try:
                with off_stdout():
                    answer = call(name=name, **arguments)
            except (StokerError, KeyboardInterrupt):
                raise
            except BaseException as error:  # noqa: BLE001 - a plugin may even call sys.exit
                record.add_problem(f"{hook}: {reason(error)}", remedy(error))
                failure = failure or _failed(record, f"make the {kind} {name!r}", error)
                continue
            if answer is not None:
                return answer
        raise failure or UnknownNameError(kind, name, offered, hint=self._broken_hint())

    def _merge(self, kind: str, offered: Sequence[tuple[PluginRecord, Mapping[str, Any]]]) -> dict[str, Any]:
        owners: dict[str, PluginRecord] = {}
        merged: dict[str, Any] = {}
        for record, names in offered:
            record.offer(kind, names)
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
        guest.add_problem(error.what, error.hint)

    def _broken_hint(self) -> str:
        broken = self.broken()
        return f"broken plugins: {', '.join(broken)}; see `{command_line('plugins')}`" if broken else ""


def _failed(record: PluginRecord, to_what: str, error: BaseException) -> PluginError:
    hint = remedy(error) or f"fix the plugin, or disable it with -p no:{record.name}"
    failure = PluginError(f"the plugin {record} failed to {to_what}", received=reason(error), hint=hint)
    failure.__cause__ = error
    return failure


def _remedy(error: BaseException, name: str) -> str:
    if isinstance(error, ModuleNotFoundError) and error.name == name.partition(".")[0]:
        return f"for a file, say -p ./{name}.py; a module must be installed, or its folder must be on PYTHONPATH"
    return remedy(error)


def _offer_files(error: UnknownNameError) -> None:
    """Adds to the error for an unknown model that it may be in a file, and the name of that file if it is here."""
    error.expected = f"{error.expected}, or FILE.py:FUNCTION".removeprefix(", or ")
    stem, colon, function = error.name.partition(":")
    if stem and os.path.isfile(f"{stem}.py"):  # noqa: PTH113 - Path.is_file raises for a name too long
        error.hint = f"did you mean --model {shlex.quote(f'{stem}.py{colon}{function}')}?"

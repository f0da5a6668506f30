"""The hooks of the plugins in this process; calls each implementation by itself."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pluggy

from .. import VERSION, hookspecs
from ..command import Command
from ..errors import PluginError, UnknownNameError
from .record import PluginRecord

NAMES = tuple(name for name in vars(hookspecs) if name.startswith(f"{hookspecs.PROJECT}_"))
"""The names of all hooks."""

_PRIVATE = {name for name in vars(hookspecs) if name.startswith(f"_{hookspecs.PROJECT}_")}
"""Those that are no part of the contract."""


class Hooks:
    """The implementations of all hooks.

    Attributes:
        records: One for each plugin that was found, loaded or not, in the order of loading.
    """

    def __init__(self) -> None:
        self.records: list[PluginRecord] = []
        self._owners: dict[int, PluginRecord] = {}
        self._manager = pluggy.PluginManager(hookspecs.PROJECT)
        self._manager.add_hookspecs(hookspecs)

    def register(self, record: PluginRecord, load: Callable[[], Any]) -> None:
        """Loads a plugin and registers its hooks.

        A plugin that is found twice, by its entry point and by `-p`, is registered once.

        Args:
            record: What is known about the plugin.
            load: Imports the plugin and returns it.

        Raises:
            PluginError: The plugin is for another version of the contract, or has a hook that stoker does not call.
            BaseException: Whatever the plugin raised while it was loaded. In both cases none of its hooks stays.
        """
        self.records.append(record)
        plugin = load()
        if id(plugin) in self._owners:
            self.records.remove(record)
            return
        _check_contract(plugin, record)
        self._owners[id(plugin)] = record
        try:
            self._manager.register(plugin, name=f"{record.name}-{len(self.records)}")
            record.hooks = self._checked(plugin, record)
        except BaseException as error:
            self._forget(record)
            clearer = _wrong_parameters(plugin) if isinstance(error, pluggy.PluginValidationError) else None
            if clearer:
                raise clearer from error
            raise

    def leave_out(self, record: PluginRecord) -> None:
        """Keeps a plugin in the list, and removes its hooks."""
        self._forget(record)
        record.left_out, record.hooks, record.offers = True, (), {}
        if record not in self.records:
            self.records.append(record)

    def calls(self, hook: str) -> Iterator[tuple[PluginRecord, Any]]:
        """Yields each implementation of a hook, the latest first, as a function of the hook's keyword arguments."""
        # pluggy lists implementations in the order of registration; the latest, which the user asked for, goes first.
        for implementation in reversed(getattr(self._manager.hook, hook).get_hookimpls()):
            names, function = implementation.argnames, implementation.function

            # As defaults, they are bound now: a closure would see those of the last implementation if called later.
            def call(_names: Sequence[str] = names, _function: Any = function, **arguments: Any) -> Any:
                return _function(**{name: arguments[name] for name in _names})

            yield self._owners[id(implementation.plugin)], call

    def each(
        self, hook: str, shape: Callable[[Any], Any] | None = None, **arguments: Any
    ) -> list[tuple[PluginRecord, Any]]:
        """Calls each implementation of a hook, and leaves out those that raise or answer `None`.

        Args:
            hook: The name of the hook.
            shape: Checks or converts an answer; it may raise, as the plugin may.
            arguments: The arguments of the hook.

        Returns:
            The answers, each with the record of its plugin.
        """
        answers = []
        for record, call in self.calls(hook):
            with record.guard(hook):
                answer = call(**arguments)
                if answer is not None:
                    answers.append((record, shape(answer) if shape else answer))
        return answers

    def _checked(self, plugin: Any, record: PluginRecord) -> tuple[str, ...]:
        """Returns the hooks that a plugin implements, and records those that stoker will not call.

        Raises:
            PluginError: One is of a kind that stoker does not call.
        """
        callers = {hook.name: hook for hook in self._manager.get_hookcallers(plugin) or ()}
        implementations = [each for hook in callers.values() for each in hook.get_hookimpls() if each.plugin is plugin]
        if any(each.hookwrapper or each.wrapper for each in implementations):
            raise PluginError("it wraps a hook, which stoker does not allow")
        for name in sorted(callers.keys() - _PRIVATE - set(NAMES)):
            unknown = UnknownNameError("hook", name, NAMES)
            record.add_problem(unknown.what, unknown.hint)
        for name in NAMES:
            if name not in callers and callable(getattr(plugin, name, None)):
                record.add_problem(f"{name} is not called: it lacks @hookimpl", "write @hookimpl above it")
        return tuple(name for name in sorted(callers) if name in NAMES)

    def _forget(self, record: PluginRecord) -> None:
        for plugin in self._manager.get_plugins():
            if self._owners.get(id(plugin)) is record:
                self._manager.unregister(plugin)
        self._owners = {key: owner for key, owner in self._owners.items() if owner is not record}


def _wrong_parameters(plugin: Any) -> PluginError | None:
    """Returns the error for a plugin's first hook with parameters that don't exist; None if there is none."""
    for name in NAMES:
        known = tuple(inspect.signature(getattr(hookspecs, name)).parameters)
        function = getattr(plugin, name, None)
        unknown = (
            [each for each in inspect.signature(function).parameters if each not in known] if callable(function) else []
        )
        if unknown:
            what = f"{name} has a parameter that the hook lacks: {', '.join(unknown)}"
            return PluginError(what, hint=f"its author has to write {name}({', '.join(known)}), or fewer of them")
    return None


def _check_contract(plugin: Any, record: PluginRecord) -> None:
    """Records which version of the contract a plugin was written for.

    Raises:
        PluginError: It is another one than this stoker's.
    """
    ours, said = hookspecs.CONTRACT, getattr(plugin, "stoker_contract", record.contract)
    if said is not None and type(said) is not int:
        hint = f"its author has to say stoker_contract = {ours}, or which version it was written for"
        raise PluginError("its stoker_contract is not a whole number", received=repr(said), hint=hint)
    record.contract = said
    if said in {None, ours}:
        return
    newer = said is not None and said > ours
    hint = (
        "upgrade stoker" if newer else f"upgrade it; its author finds what version {ours} asks for in docs/contract.md"
    )
    raise PluginError(
        f"it was written for version {said} of the plugin contract, and stoker {VERSION} has version {ours}", hint=hint
    )


def commands(offered: Any) -> dict[str, Command]:
    """Returns the commands that a plugin offers, by name.

    Raises:
        TypeError: The answer is something else.
    """
    return {command.name: command for command in (of_type(Command, each) for each in offered)}


def guarded(record: PluginRecord, command: Command) -> Command:
    """Returns a plugin's command; if it fails to add its options, the other commands keep theirs."""

    def add_options(parser: Any) -> None:
        with record.guard(f"options of {command.name}"):
            command.add_options(parser)

    return replace(command, add_options=add_options)


def summaries(offered: Any) -> dict[str, str]:
    """Returns what a plugin offers, {name: summary}.

    Raises:
        TypeError: The answer is something else.
    """
    return {str(name): str(summary) for name, summary in of_type(Mapping, offered).items()}


def of_type(kind: Any, answer: Any) -> Any:
    """Returns the answer of a plugin.

    Raises:
        TypeError: It is of another type.
    """
    if not isinstance(answer, kind):
        raise TypeError(f"{kind.__name__} expected, not {type(answer).__name__}")
    return answer

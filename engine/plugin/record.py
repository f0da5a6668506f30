"""What is known about one plugin, and the guard around everything that it does."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from time import monotonic

from ..errors import StokerError

OURS = "built-in"
"""The origin of the plugins that come with stoker."""

SLOW_S = 2.0
"""Seconds that a plugin may block a command before stoker names it."""

MAY_TAKE_LONG = ("stoker_callbacks", "stoker_run_event", "stoker_export_model", "stoker_register_model")
"""Hooks of the training process, which load libraries and send files; no user waits at a prompt for them."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What went wrong with a plugin, in one line, and how to fix it."""

    what: str
    remedy: str


@dataclass(kw_only=True, slots=True, eq=False)
class PluginRecord:
    """What is known about one plugin.

    Attributes:
        name: Its short name: of a built-in, the module's; of an entry point, the entry point's; of a file, its stem.
        origin: "built-in", "-p FILE", what else asked for it and its name, or the distribution that it came with.
        version: Of that distribution; "" if there is none.
        contract: The version of the contract that it declares; None if it declares none.
        left_out: Whether `-p no:NAME` disables it; stoker then doesn't import it.
        problems: What went wrong with it, loading included.
        slow: Where it took long, and how long; "" if it did not.
        hooks: The hooks that it implements; none if it could not be loaded.
        offers: What it offers, as far as stoker has asked: {"command": names, "backend": names, …}.
    """

    name: str
    origin: str
    version: str = ""
    contract: int | None = None
    left_out: bool = False
    problems: list[Problem] = field(default_factory=list)
    slow: str = ""
    hooks: tuple[str, ...] = ()
    offers: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.name} {self.version}".rstrip()

    @property
    def state(self) -> str:
        """One of "left out", "broken" and "ok"."""
        return "left out" if self.left_out else "broken" if self.problems else "ok"

    def offer(self, kind: str, names: Iterable[str]) -> None:
        """Adds what the plugin offers to what is known of this kind."""
        if known := dict.fromkeys((*self.offers.get(kind, ()), *names)):
            self.offers[kind] = tuple(known)

    def add_problem(self, problem: str, remedy: str = "") -> None:
        """Records what went wrong, and the first time also warns on stderr (in a training process, the log)."""
        line, cure = (" ".join(text.split()) for text in (problem, remedy))
        if line in (known.what for known in self.problems):
            return
        self.problems.append(Problem(line, cure or f"report it to its author, or disable it with -p no:{self.name}"))
        self._warn(f"{line}; {cure}" if cure else line)

    @contextlib.contextmanager
    def guard(self, where: str, *passing: type[BaseException]) -> Iterator[None]:
        """Ends the body where it raises, and records the error as a problem.

        Args:
            where: The hook.
            passing: Exceptions that pass through unchanged.
        """
        try:
            with self.timed(where):
                yield
        except BaseException as error:
            if isinstance(error, (KeyboardInterrupt, GeneratorExit, *passing)):
                raise
            self.add_problem(f"{where}: {reason(error)}", remedy(error))

    @contextlib.contextmanager
    def timed(self, where: str) -> Iterator[None]:
        """Keeps the body off stdout, and warns once if it takes long."""
        began = monotonic()
        try:
            with off_stdout():
                yield
        finally:
            seconds = monotonic() - began
            if seconds > SLOW_S and not self.slow and where not in MAY_TAKE_LONG:
                self.slow = f"{where} took {seconds:.1f} s"
                self._warn(f"{self.slow}; disable it with -p no:{self.name}")

    def _warn(self, line: str) -> None:
        sys.stderr.write(f"warning: plugin {self}: {line}\n")


def off_stdout() -> contextlib.AbstractContextManager[object]:
    """Redirects what a plugin prints in the body to stderr, because stdout belongs to the command."""
    return contextlib.redirect_stdout(sys.stderr)


def reason(error: BaseException) -> str:
    """Returns a plugin's error in one line: the message if it is meant for people, else its type too."""
    if isinstance(error, StokerError):
        return f"{error.what} (received: {error.received})" if error.received else error.what
    return f"{type(error).__name__}: {error}".removesuffix(": ")


def remedy(error: BaseException) -> str:
    """Returns the next step for the user of a plugin that raised this; "" if the error has none."""
    if isinstance(error, StokerError):
        return error.hint
    if isinstance(error, ModuleNotFoundError) and error.name:
        return f"install the package that has {error.name.partition('.')[0]!r}"
    return ""

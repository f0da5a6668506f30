"""What is known about one plugin, and the guard around everything that it does."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field

from .errors import StokerError

OURS = "built-in"
"""The origin of the plugins that come with stoker."""


@dataclass(kw_only=True, slots=True, eq=False)
class PluginRecord:
    """What is known about one plugin.

    Attributes:
        name: Its short name: of a built-in, the module's; of an entry point, the entry point's; of a file, its stem.
        origin: "built-in", "-p FILE", or the distribution that it came with.
        version: Of that distribution; "" if there is none.
        problems: What went wrong with it, one line each; a plugin that could not be loaded has one too.
        hooks: The hooks that it implements; none if it could not be loaded.
    """

    name: str
    origin: str
    version: str = ""
    problems: list[str] = field(default_factory=list)
    hooks: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.name} {self.version}".rstrip()

    def note(self, problem: str) -> None:
        """Writes down what went wrong; the first time, stderr tells it too, which is the log in a training process."""
        line = " ".join(problem.split())
        if line not in self.problems:
            self.problems.append(line)
            sys.stderr.write(f"warning: plugin {self}: {line}\n")

    @contextlib.contextmanager
    def guard(self, where: str) -> Iterator[None]:
        """Ends the body where it raises, and notes that; `where` names the hook."""
        try:
            with off_stdout():
                yield
        except (KeyboardInterrupt, GeneratorExit):
            raise
        except BaseException as error:  # noqa: BLE001 - a plugin may even call sys.exit
            self.note(f"{where}: {reason(error)}")


def off_stdout() -> contextlib.AbstractContextManager[object]:
    """What a plugin prints in the body goes to stderr, for stdout is the command's."""
    return contextlib.redirect_stdout(sys.stderr)


def reason(error: BaseException) -> str:
    """An error of a plugin in one line: the message if it is meant for people, else its type too."""
    if isinstance(error, StokerError):
        return f"{error.what}; {error.hint}" if error.hint else error.what
    return f"{type(error).__name__}: {error}".removesuffix(": ")


def remedy(error: BaseException) -> str:
    """The next step for whoever wants a plugin that raised this."""
    if isinstance(error, StokerError):
        return error.hint
    if isinstance(error, ModuleNotFoundError) and error.name:
        return f"it needs {error.name.partition('.')[0]!r}, which is not installed here"
    return "mend it, or leave it out"

"""Every error that stoker raises on purpose.

StokerError                 exit 1   the root; the command line prints it as `error:` and `hint:` lines
├── InputError              exit 2   something the user gave, for the user to fix
│   ├── OptionError                  a value of an option, an environment variable or the settings file
│   ├── UnknownNameError             no data set, model, backend, run, … of that name
│   ├── DatasetError                 a data file is missing or is not what it should be
│   ├── StorageError                 a file or folder can't be written or read: no space, no permission
│   └── PluginError                  a plugin is broken, clashes with another, or lacks a package
├── DownloadError           exit 1   no mirror gave the right bytes
├── BackendError            exit 1   a backend could not do what was asked
│   └── UnreachableError             it can't be reached now, and may be later
└── RunError                exit 1   a run failed, or what is left of it can't be used
    └── CheckpointError              a checkpoint is damaged, missing or from another run
"""

from __future__ import annotations

import difflib
import errno
from collections.abc import Iterable
from os import PathLike

__all__ = [
    "BackendError",
    "CheckpointError",
    "DatasetError",
    "DownloadError",
    "InputError",
    "OptionError",
    "PluginError",
    "RunError",
    "StokerError",
    "StorageError",
    "UnknownNameError",
    "UnreachableError",
    "few",
    "nearest",
]

_SHOWN = 300
"""Characters of a received value that a message shows; the error itself carries all of them."""
_ITEMS = 20
"""Items of a received list that a message shows."""


class StokerError(Exception):
    """The root of all errors that are meant for the user.

    Attributes:
        what: One sentence: what failed.
        received: What was found, or "".
        expected: What should have been there, or "".
        hint: The next step, or "".
        path: The file or folder concerned, or "".
    """

    exit_code = 1

    def __init__(
        self,
        what: str,
        *,
        received: object = "",
        expected: object = "",
        hint: str = "",
        path: str | PathLike[str] = "",
    ) -> None:
        self.what = what
        self.received = str(received)
        self.expected = str(expected)
        self.hint = hint
        self.path = str(path)
        super().__init__(what)

    def __str__(self) -> str:
        """The message: what failed, what was received, what was expected; one line each."""
        lines = [self.what]
        if self.received:
            lines.append(f"  received:{_shown(self.received)}")
        if self.expected and not self.what.endswith(self.expected):
            lines.append(f"  expected: {self.expected}")
        return "\n".join(lines)


class InputError(StokerError):
    """Something the user gave is wrong; nothing was started and nothing is left behind.

    Example:
        >>> error = InputError("no picture", received="notes.txt", expected="a PNG file", hint="convert it")
        >>> print(error)
        no picture
          received: notes.txt
          expected: a PNG file
    """

    exit_code = 2


class OptionError(InputError):
    """A value of an option, an environment variable or the settings file is not acceptable."""

    @classmethod
    def must_be(cls, option: str, expected: str, *, received: object, hint: str = "") -> OptionError:
        """Returns the error for a value that an option can't have: "--epochs must be a whole number, 1 or more".

        Args:
            option: The option as the user knows it, or where else the value came from.
            expected: What the value must be.
            received: The value.
            hint: The next step.
        """
        return cls(f"{option} must be {expected}", received=received, expected=expected, hint=hint)


class UnknownNameError(InputError):
    """Nothing of this kind has this name.

    Attributes:
        kind: What was looked for: "data set", "model", "backend", …
        name: The name that was given.
        known: The names that exist.
    """

    def __init__(self, kind: str, name: str, known: Iterable[str], *, hint: str = "") -> None:
        self.kind = kind
        self.name = name
        self.known = tuple(sorted(known))
        near = nearest(name, self.known)
        super().__init__(
            f"unknown {kind}: {name!r}",
            expected=f"one of {', '.join(self.known)}" if len(self.known) > 1 else "".join(self.known),
            hint=f"did you mean {near!r}?" if near else hint,
        )


class DatasetError(InputError):
    """A data file is missing, damaged, or not of the shape or type that it must have."""


class StorageError(InputError):
    """A file or folder can't be written or read."""

    @classmethod
    def from_os(cls, error: OSError, path: str | PathLike[str], *, doing: str = "write") -> StorageError:
        """The error for `path`, with the reason and remedy that `error` implies."""
        known = {
            errno.ENOSPC: ("no space is left on the device", "free some space, or choose another folder"),
            errno.EDQUOT: ("the disk quota is used up", "free some space, or choose another folder"),
            errno.EROFS: ("the file system is read-only", "choose another folder"),
            errno.EACCES: ("permission denied", "choose a folder that you may write to"),
            errno.EPERM: ("operation not permitted", "choose a folder that you may write to"),
            errno.EMFILE: ("this process has too many files open", "raise the limit with ulimit -n"),
            errno.ENFILE: ("this machine has too many files open", "end programs that keep many files open"),
        }
        reason, hint = known.get(error.errno or 0, (error.strerror or str(error), "choose another folder"))
        return cls(f"can't {doing} {path}: {reason}", hint=hint if doing == "write" else "", path=path)


class PluginError(InputError):
    """A plugin is broken, clashes with another one, or lacks a package."""


class DownloadError(StokerError):
    """No mirror gave the right bytes."""


class BackendError(StokerError):
    """A backend could not do what was asked of it."""


class UnreachableError(BackendError):
    """A backend can't be reached now, and may be later; whoever watches a run waits for it."""


class RunError(StokerError):
    """A run failed, or what is left of it can't be used."""


class CheckpointError(RunError):
    """A checkpoint is damaged, missing or from another run."""


def few(names: Iterable[str], most: int = 10, *, last: str = "") -> str:
    """Returns names in a line: all of them, or the first ones and how many more there are.

    Args:
        names: The names.
        most: How many are shown.
        last: What stands in front of the last one if all are shown: "and"; "" is a comma too.

    Example:
        >>> few("abc", last="or"), few("abc", most=2)
        ('a, b or c', 'a, b, … and 1 more')
    """
    every = list(names)
    if len(every) > most:
        return f"{', '.join(every[:most])}, … and {len(every) - most:,} more"
    if last and len(every) > 1:
        return f"{', '.join(every[:-1])} {last} {every[-1]}"
    return ", ".join(every)


def nearest(name: str, known: Iterable[str]) -> str:
    """The known name that is most like `name`; "" if none is like it."""
    return next(iter(difflib.get_close_matches(name, sorted(known), n=1)), "")


def _shown(received: str) -> str:
    """Returns a received value as it stands behind its label; a list has a line for each item, cut by itself."""
    if not received.startswith("\n"):
        return f" {_shortened(received)}"
    items = received.lstrip("\n").split("\n")
    more = [f"    … and {len(items) - _ITEMS:,} more"] if len(items) > _ITEMS else []
    return "\n".join(["", *map(_shortened, items[:_ITEMS]), *more])


def _shortened(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}… ({len(text):,} characters)"

"""Paths that users write, and whether what is there can be trusted with what runs here."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from .errors import InputError

__all__ = ["distrust", "expanded"]


def expanded(path: str | Path) -> Path:
    """Returns a path that a user wrote, with `~` or `~NAME` in front replaced by that home folder.

    Raises:
        InputError: There is no such user, or the text can be no path.

    Example:
        >>> expanded("a/b")
        PosixPath('a/b')
    """
    if "\0" in str(path):
        raise InputError("a path can't hold a NUL character", received=repr(str(path)))
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        user = str(path).partition("/")[0]
        hint = "write ./ in front if that is the name of a file or folder"
        raise InputError(f"there is no home folder of {user}", received=str(path), hint=hint) from error


def distrust(path: Path) -> str:
    """Returns why a file, or a folder, should not be trusted with what runs here, or "".

    It can be trusted if it belongs to this user or to root, and nobody else can write it.

    Args:
        path: The file or folder; one that is not there can be trusted.
    """
    try:
        return _distrust(path.stat())
    except OSError:
        return ""


def _distrust(state: os.stat_result) -> str:
    me, root = os.geteuid(), 0
    if state.st_uid not in {me, root}:
        return f"it belongs to another user, {_user(state.st_uid)}"
    if state.st_mode & stat.S_IWOTH:
        return "every user can write it"
    # Where each user has a group of his own (Debian, Fedora), files are writable for that group by default.
    private = state.st_gid in {root, me} or state.st_gid == os.getegid() == me
    return "" if private or not state.st_mode & stat.S_IWGRP else "others of its group can write it"


def _user(uid: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"number {uid}"

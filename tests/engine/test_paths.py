"""Paths that users write, and whom to trust with what is there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from stoker.engine import paths


@pytest.mark.parametrize(
    ("mode", "uid", "gid", "said"),
    [
        (0o100644, 0, 50, ""),
        (0o100644, 1000, 1000, ""),
        (0o100600, 1000, 50, ""),
        (0o100664, 1000, 1000, ""),
        (0o100664, 1000, 0, ""),
        (0o100664, 1000, 50, "others of its group can write it"),
        (0o100664, 0, 50, "others of its group can write it"),
        (0o100646, 1000, 1000, "every user can write it"),
        (0o040777, 1000, 1000, "every user can write it"),
        (0o100600, 1001, 1000, "it belongs to another user"),
        (0o100644, 4_000_000, 0, "it belongs to another user, number 4000000"),
    ],
)
def test_only_what_nobody_else_can_write_is_trusted(
    monkeypatch: pytest.MonkeyPatch, mode: int, uid: int, gid: int, said: str
):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(os, "getegid", lambda: 1000)
    reason = paths._distrust(os.stat_result((mode, 0, 0, 1, uid, gid, 0, 0, 0, 0)))
    assert reason.startswith(said)
    assert bool(reason) == bool(said)


def test_what_is_not_there_is_no_reason_for_distrust(tmp_path: Path):
    assert paths.distrust(tmp_path / "nothing") == ""

"""Errors are messages for people, with their data for programs."""

from __future__ import annotations

import errno
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stoker.engine import errors
from stoker.engine.errors import (
    DatasetError,
    DownloadError,
    InputError,
    OptionError,
    StokerError,
    StorageError,
    UnknownNameError,
)


def test_a_message_has_what_failed_what_was_received_and_what_was_expected():
    error = DatasetError("the file is cut off", received="12 bytes", expected="16 bytes", path="/data/x")
    assert str(error) == "the file is cut off\n  received: 12 bytes\n  expected: 16 bytes"
    assert (error.what, error.received, error.expected, error.path, error.hint) == (
        "the file is cut off", "12 bytes", "16 bytes", "/data/x", "",
    )  # fmt: skip


def test_a_message_leaves_out_what_is_not_known():
    assert str(InputError("no such file")) == "no such file"
    assert str(InputError("not that many", expected=3)) == "not that many\n  expected: 3"


def test_a_received_value_that_fills_screens_is_cut_in_the_message_and_kept_in_the_error():
    error = InputError("not a job", received="x" * 100_000)
    assert len(str(error)) < 400
    assert "… (100,000 characters)" in str(error)
    assert len(error.received) == 100_000


def test_a_received_list_has_a_line_for_each_item_and_none_is_cut_because_of_another():
    items = [f"http://mirror-{number}/: {'x' * 250}" for number in range(3)]
    error = DownloadError("no mirror", received="".join(f"\n    {item}" for item in items))
    assert str(error).splitlines() == ["no mirror", "  received:", *(f"    {item}" for item in items)]
    many = str(DownloadError("no mirror", received="\n    x" * 1000)).splitlines()
    assert (len(many), many[-1]) == (23, "    … and 980 more")


@pytest.mark.parametrize(
    ("name", "hint"),
    [("mnits", "did you mean 'mnist'?"), ("fashion", "did you mean 'fashion-mnist'?"), ("zebra", "see `stoker data`")],
)
def test_an_unknown_name_is_answered_with_the_nearest_or_else_with_where_to_look(name: str, hint: str):
    error = UnknownNameError("data set", name, ["mnist", "fashion-mnist"], hint="see `stoker data`")
    assert str(error) == f"unknown data set: {name!r}\n  expected: one of fashion-mnist, mnist"
    assert error.hint == hint
    assert (error.kind, error.name, error.known) == ("data set", name, ("fashion-mnist", "mnist"))


def test_an_unknown_name_where_nothing_is_known_expects_nothing():
    assert str(UnknownNameError("run", "latest", [])) == "unknown run: 'latest'"


@settings(deadline=None)
@given(st.text(), st.lists(st.text()))
def test_any_name_may_be_unknown(name: str, known: list[str]):
    assert str(UnknownNameError("model", name, known)).startswith("unknown model: ")


@pytest.mark.parametrize(
    ("code", "reason", "hint"),
    [
        (errno.ENOSPC, "no space is left on the device", "free some space, or choose another folder"),
        (errno.EDQUOT, "the disk quota is used up", "free some space, or choose another folder"),
        (errno.EROFS, "the file system is read-only", "choose another folder"),
        (errno.EACCES, "permission denied", "choose a folder that you may write to"),
        (errno.EPERM, "operation not permitted", "choose a folder that you may write to"),
        (errno.ENOTDIR, os.strerror(errno.ENOTDIR), "choose another folder"),
    ],
)
def test_a_failed_write_gives_the_reason_and_a_remedy(code: int, reason: str, hint: str):
    error = StorageError.from_os(OSError(code, os.strerror(code)), "/runs/a b")
    assert (str(error), error.hint, error.path) == (f"can't write /runs/a b: {reason}", hint, "/runs/a b")


def test_a_failed_write_without_an_error_number_repeats_what_the_system_said():
    assert str(StorageError.from_os(OSError("the tape is torn"), "/runs")) == "can't write /runs: the tape is torn"


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        *((kind, 2) for kind in (InputError, OptionError, StorageError, errors.PluginError, DatasetError)),
        *((kind, 1) for kind in (errors.DownloadError, errors.BackendError, errors.RunError, errors.CheckpointError)),
    ],
)
def test_what_the_user_can_fix_exits_with_2_and_everything_else_with_1(kind: type[StokerError], code: int):
    assert kind("x").exit_code == code


def test_the_tree_at_the_top_of_the_file_has_each_error_once_with_its_exit_code():
    lines = [line.strip("├└│─ ").split() for line in (errors.__doc__ or "").splitlines() if "Error " in line]
    drawn = [words[0] for words in lines if words and words[0].endswith("Error")]
    kinds = [name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, StokerError)]
    assert sorted(drawn) == sorted(kinds)
    codes = {words[0]: int(words[2]) for words in lines if words[1:2] == ["exit"]}
    assert {name: getattr(errors, name).exit_code for name in codes} == codes

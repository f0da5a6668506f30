"""Files appear whole or not at all, whatever fails."""

from __future__ import annotations

import errno
import hashlib
import os
import resource
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stoker.engine import files
from stoker.engine.errors import StorageError

from .. import child, hostile
from ..patience import PATIENCE_S

FULL, READ_ONLY, BROKEN = errno.ENOSPC, errno.EROFS, errno.EIO


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def write_and_raise(path: Path, error: BaseException) -> None:
    with files.atomic_writer(path) as stream:
        stream.write(b"new")
        raise error


def failing(code: int) -> Callable[..., Any]:
    def fail(*arguments: Any, **named: Any) -> Any:
        raise OSError(code, os.strerror(code))

    return fail


def break_step(monkeypatch: pytest.MonkeyPatch, step: str, code: int) -> None:
    """Lets one step of an atomic write fail."""
    if step == "open":
        monkeypatch.setattr(Path, "open", failing(code))
    elif step == "fsync":
        monkeypatch.setattr(os, "fsync", failing(code))
    elif step == "rename":
        monkeypatch.setattr(Path, "replace", failing(code))
    else:
        monkeypatch.setattr(files, "sync_folder", failing(code))


@pytest.mark.parametrize("name", hostile.NAMES)
@pytest.mark.parametrize("durable", [True, False])
def test_a_file_appears_under_its_name_with_its_content_and_nothing_else_does(tmp_path: Path, name: str, durable: bool):
    files.write_bytes(tmp_path / name, b"content", durable=durable)
    assert (tmp_path / name).read_bytes() == b"content"
    assert names(tmp_path) == [name]


def test_a_file_is_not_there_before_its_last_byte_is(tmp_path: Path):
    path = tmp_path / "model"
    with files.atomic_writer(path) as stream:
        stream.write(b"half")
        stream.flush()
        assert not path.exists()
        stream.write(b" and half")
    assert path.read_bytes() == b"half and half"


@pytest.mark.parametrize("error", [ValueError("mine"), KeyboardInterrupt(), SystemExit(3)])
def test_what_the_writer_raises_comes_out_and_the_old_content_stays(tmp_path: Path, error: BaseException):
    path = tmp_path / "model"
    path.write_bytes(b"old")
    with pytest.raises(type(error)):
        write_and_raise(path, error)
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["model"]


@pytest.mark.parametrize("code", [FULL, READ_ONLY, BROKEN])
@pytest.mark.parametrize("step", ["open", "fsync", "rename", "fsync of the folder"])
def test_a_disk_that_fails_at_any_step_is_an_error_that_names_the_file_and_leaves_no_half(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, code: int
):
    path = tmp_path / "status.json"
    path.write_bytes(b"old")
    with monkeypatch.context() as broken:
        break_step(broken, step, code)
        with pytest.raises(StorageError, match=r"can't write .*status\.json: ") as caught:
            files.write_bytes(path, b"new")
    assert caught.value.path == str(path)
    assert path.read_bytes() == (b"new" if step == "fsync of the folder" else b"old")
    assert names(tmp_path) == ["status.json"]


def test_a_disk_that_is_full_in_the_middle_of_a_write_is_an_error_and_leaves_no_half(tmp_path: Path):
    path = tmp_path / "model"
    with pytest.raises(StorageError, match="no space is left on the device"):
        write_and_raise(path, OSError(FULL, os.strerror(FULL)))
    assert names(tmp_path) == []


def test_a_temporary_file_that_can_not_be_removed_does_not_hide_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(os, "fsync", failing(FULL))
    monkeypatch.setattr(Path, "unlink", failing(READ_ONLY))
    with pytest.raises(StorageError, match="no space is left"):
        files.write_bytes(tmp_path / "model", b"new")


def test_a_process_that_dies_while_it_writes_leaves_the_old_content(tmp_path: Path):
    path = tmp_path / "model"
    path.write_bytes(b"old")
    code = """
import os, signal
from pathlib import Path
from stoker.engine import files
with files.atomic_writer(Path(sys.argv[1])) as stream:
    stream.write(b"new")
    stream.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""
    assert child.start(code, path).wait(PATIENCE_S) == -signal.SIGKILL
    assert path.read_bytes() == b"old"


def test_a_file_where_a_folder_should_be_is_reported_as_one(tmp_path: Path):
    (tmp_path / "runs").touch()
    with pytest.raises(StorageError, match="runs"):
        files.make_folder(tmp_path / "runs" / "below")
    with pytest.raises(StorageError, match="runs"):
        files.write_bytes(tmp_path / "runs" / "job.json", b"")


def test_a_link_that_leads_nowhere_is_named_where_a_folder_should_be(tmp_path: Path):
    (tmp_path / "runs").symlink_to(tmp_path / "gone")
    with pytest.raises(StorageError, match=r"runs is a link to .*gone, which does not exist"):
        files.make_folder(tmp_path / "runs" / "below")
    assert not (tmp_path / "gone").exists()


def test_a_file_gets_the_permissions_that_the_user_gives_to_all_files(tmp_path: Path):
    before = os.umask(0o027)
    try:
        files.write_bytes(tmp_path / "model", b"")
    finally:
        os.umask(before)
    assert (tmp_path / "model").stat().st_mode & 0o777 == 0o640


def test_lines_are_appended_one_by_one(tmp_path: Path):
    files.append_line(tmp_path / "events", "one")
    files.append_line(tmp_path / "events", "zwei ✓")
    assert (tmp_path / "events").read_text(encoding="utf-8") == "one\nzwei ✓\n"


def test_a_line_after_a_torn_one_is_a_line_of_its_own(tmp_path: Path):
    (tmp_path / "events").write_bytes(b"whole\nto")
    files.append_line(tmp_path / "events", "next")
    assert (tmp_path / "events").read_bytes() == b"whole\nto\nnext\n"


def test_lines_of_several_processes_do_not_mix(tmp_path: Path):
    code = """
from pathlib import Path
from stoker.engine import files
for number in range(200):
    files.append_line(Path(sys.argv[1]), sys.argv[2] * 500)
"""
    children = [child.start(code, tmp_path / "events", letter) for letter in "abcd"]
    assert [one.wait(PATIENCE_S) for one in children] == [0] * 4
    lines = [line for line in (tmp_path / "events").read_text().splitlines() if line]
    assert sorted(set(lines)) == [letter * 500 for letter in "abcd"]
    assert len(lines) == 800


def test_a_line_that_does_not_fit_on_the_disk_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Path, "open", failing(FULL))
    with pytest.raises(StorageError, match="no space is left on the device"):
        files.append_line(tmp_path / "events", "one")


def test_a_line_that_fits_on_the_disk_in_part_is_an_error(tmp_path: Path):
    files.append_line(tmp_path / "events", "one")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, limits[1]))
    try:
        with pytest.raises(StorageError, match="no space is left on the device"):
            files.append_line(tmp_path / "events", "two and more")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    files.append_line(tmp_path / "events", "three")
    assert (tmp_path / "events").read_text().splitlines() == ["one", "two an", "three"]


def test_the_digest_is_sha256(tmp_path: Path):
    content = os.urandom(3_000_000)
    (tmp_path / "model").write_bytes(content)
    assert files.sha256_file(tmp_path / "model") == hashlib.sha256(content).hexdigest()


def test_a_copied_tree_has_the_folders_and_files_and_no_links_or_pipes(tmp_path: Path):
    source = tmp_path / "source"
    (source / "empty").mkdir(parents=True)
    for name in hostile.NAMES:
        (source / name).mkdir()
        (source / name / name).write_bytes(name.encode())
    (source / "link").symlink_to("/etc/passwd")
    (source / "folder link").symlink_to("/etc")
    os.mkfifo(source / "pipe")
    files.copy_tree(source, tmp_path / "copy")
    assert names(tmp_path / "copy") == sorted(["empty", *hostile.NAMES])
    assert all((tmp_path / "copy" / name / name).read_bytes() == name.encode() for name in hostile.NAMES)


def test_removing_what_is_not_there_is_no_error(tmp_path: Path):
    files.remove_tree(tmp_path / "nothing")

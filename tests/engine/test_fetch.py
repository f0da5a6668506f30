"""Fetched outputs are whole and verified, or not there; nothing else is touched."""

from __future__ import annotations

import errno
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from stoker.engine import files
from stoker.engine.errors import BackendError, InputError, StorageError
from stoker.engine.fetch import copy_outputs, list_files, outputs_folder

from .. import child, hostile
from ..patience import PATIENCE_S


@pytest.fixture
def outputs(tmp_path: Path) -> Path:
    """The outputs of a run: two files in two folders."""
    source = tmp_path / "run" / "outputs"
    for name, content in (("model/model.keras", b"weights"), ("plots/Accuracy vs Loss.png", b"picture")):
        (source / name).parent.mkdir(parents=True)
        (source / name).write_bytes(content)
    return source


def content(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", hostile.NAMES)
def test_the_target_has_all_files_and_the_manifest_their_digests(outputs: Path, tmp_path: Path, name: str):
    target = tmp_path / "into" / name
    manifest = copy_outputs(outputs, target)
    assert content(target) == content(outputs)
    assert dict(manifest.files) == {
        path: f"sha256:{files.sha256_file(target / path)}"
        for path in ("model/model.keras", "plots/Accuracy vs Loss.png")
    }
    assert list(target.parent.iterdir()) == [target]


def test_a_relative_target_is_below_the_working_folder(outputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    copy_outputs(outputs, Path("here"))
    assert content(tmp_path / "here") == content(outputs)


def test_a_file_that_can_not_be_read_is_the_one_that_is_named(
    outputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    source = outputs / "model" / "model.keras"

    def unreadable(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error", str(source))

    monkeypatch.setattr(files, "copy_tree", unreadable)
    with pytest.raises(StorageError) as caught:
        copy_outputs(outputs, tmp_path / "target")
    assert (caught.value.what, caught.value.hint) == (f"can't read {source}: Input/output error", "")


def test_links_are_not_followed_and_not_copied(outputs: Path, tmp_path: Path):
    (tmp_path / "secret").write_text("mine")
    (outputs / "link").symlink_to(tmp_path / "secret")
    (outputs / "loop").symlink_to(outputs)
    manifest = copy_outputs(outputs, tmp_path / "target")
    assert content(tmp_path / "target").keys() == manifest.files.keys() == {
        "model/model.keras", "plots/Accuracy vs Loss.png",
    }  # fmt: skip
    assert not any(path.is_symlink() for path in (tmp_path / "target").rglob("*"))


def test_what_a_killed_process_has_not_finished_is_no_output(outputs: Path, tmp_path: Path):
    (outputs / ".report.txt.0123abcd.tmp").write_text("half")
    folder = files.make_folder(outputs / ".model.0123abcd.tmp" / "new")
    (folder / "model.keras").write_text("half")
    manifest = copy_outputs(outputs, tmp_path / "target")
    assert manifest == list_files(outputs)
    assert content(tmp_path / "target").keys() == manifest.files.keys() == {
        "model/model.keras", "plots/Accuracy vs Loss.png",
    }  # fmt: skip


def test_fetching_again_brings_the_new_outputs(outputs: Path, tmp_path: Path):
    copy_outputs(outputs, tmp_path / "target")
    (outputs / "model" / "model.keras").write_bytes(b"better weights")
    copy_outputs(outputs, tmp_path / "target")
    assert content(tmp_path / "target") == content(outputs)


def test_an_empty_folder_is_filled(outputs: Path, tmp_path: Path):
    (tmp_path / "target").mkdir()
    copy_outputs(outputs, tmp_path / "target")
    assert content(tmp_path / "target") == content(outputs)


@pytest.mark.parametrize("name", ["thesis.txt", "model/thesis.txt"])
def test_a_folder_with_anything_else_in_it_is_refused_and_left_alone(outputs: Path, tmp_path: Path, name: str):
    target = tmp_path / "home"
    (target / name).parent.mkdir(parents=True)
    (target / name).write_text("years of work")
    with pytest.raises(InputError, match="holds files that are not outputs of this run") as caught:
        copy_outputs(outputs, target)
    assert caught.value.received == name
    assert content(target) == {name: b"years of work"}


def test_the_folder_of_the_run_itself_is_refused(outputs: Path):
    (outputs.parent / "job.json").touch()
    with pytest.raises(InputError, match="not outputs of this run"):
        copy_outputs(outputs, outputs.parent)
    with pytest.raises(InputError, match="inside the folder to copy"):
        copy_outputs(outputs, outputs / "copy")
    assert len(content(outputs)) == 2


def _put_half(target: Path) -> None:
    with outputs_folder(target, ["model/model.keras", "plots/Accuracy vs Loss.png"]) as folder:
        folder.mkdir()
        (folder / "half").touch()
        raise BackendError("the network is away")


def test_what_fails_while_outputs_are_put_together_leaves_the_earlier_copy(outputs: Path, tmp_path: Path):
    target = tmp_path / "target"
    copy_outputs(outputs, target)
    with pytest.raises(BackendError):
        _put_half(target)
    assert content(target) == content(outputs)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_outputs_that_would_not_replace_all_that_is_there_are_refused_before_any_is_made(outputs: Path, tmp_path: Path):
    copy_outputs(outputs, tmp_path / "target")
    with pytest.raises(InputError, match="not outputs of this run"), outputs_folder(tmp_path / "target", ["other"]):
        pytest.fail("the block began")


def test_a_file_as_target_is_refused_and_left_alone(outputs: Path, tmp_path: Path):
    (tmp_path / "target").write_text("mine")
    with pytest.raises(InputError, match="is a file"):
        copy_outputs(outputs, tmp_path / "target")
    assert (tmp_path / "target").read_text() == "mine"


def test_a_run_without_outputs_leaves_no_target(tmp_path: Path):
    with pytest.raises(BackendError, match="no outputs yet"):
        copy_outputs(tmp_path / "nothing", tmp_path / "target")
    assert list(tmp_path.iterdir()) == []


def test_outputs_of_empty_folders_are_none_and_leave_nothing(tmp_path: Path):
    (tmp_path / "run" / "outputs" / "plots").mkdir(parents=True)
    with pytest.raises(BackendError, match="no outputs yet"):
        copy_outputs(tmp_path / "run" / "outputs", tmp_path / "target")
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EIO])
def test_a_disk_that_fails_in_the_middle_leaves_the_earlier_copy_whole(
    outputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
):
    copy_outputs(outputs, tmp_path / "target")
    before = content(tmp_path / "target")
    (outputs / "model" / "model.keras").write_bytes(b"better weights")

    def fail(*arguments: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(files, "sync_file", fail)
    with pytest.raises(StorageError, match=r"can't write .*target: (?!\[)"):
        copy_outputs(outputs, tmp_path / "target")
    assert content(tmp_path / "target") == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run", "target"]


def test_a_rename_that_fails_brings_the_earlier_copy_back(
    outputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    copy_outputs(outputs, tmp_path / "target")

    def fail(*arguments: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(files, "replace", fail)
    with pytest.raises(StorageError, match="target"):
        copy_outputs(outputs, tmp_path / "target")
    assert content(tmp_path / "target") == content(outputs)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run", "target"]


def test_outputs_that_change_while_they_are_copied_are_an_error(
    outputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    copy_tree = files.copy_tree

    def change_and_copy(source: Path, target: Path) -> None:
        (outputs / "model" / "model.keras").write_bytes(b"in between")
        copy_tree(source, target)

    monkeypatch.setattr(files, "copy_tree", change_and_copy)
    with pytest.raises(BackendError, match="changed while they were copied"):
        copy_outputs(outputs, tmp_path / "target")
    assert not (tmp_path / "target").exists()


KILLED = """
import os, signal
from pathlib import Path
from stoker.engine import files
from stoker.engine.fetch import copy_outputs

def die(*arguments):
    os.kill(os.getpid(), signal.SIGKILL)

setattr(files, sys.argv[3], die)
copy_outputs(Path(sys.argv[1]), Path(sys.argv[2]))
"""


KILLED_AT_A_RENAME = """
import os, signal, sys
from pathlib import Path
from stoker.engine import files
from stoker.engine.fetch import copy_outputs

outputs, target, step, exchanges = sys.argv[1:]
seen = 0

def kill(event, arguments):
    global seen
    if event == "os.rename":
        if seen == int(step):
            os.kill(os.getpid(), signal.SIGKILL)
        seen += 1

sys.addaudithook(kill)
if exchanges == "0":
    files._exchange = lambda *_: False
copy_outputs(Path(outputs), Path(target))
"""


@pytest.mark.parametrize("moment", ["sync_file", "sync_folder", "replace"])
def test_a_fetch_that_is_killed_leaves_no_half_and_can_be_done_again(outputs: Path, tmp_path: Path, moment: str):
    target = tmp_path / "into" / "target"
    assert child.start(KILLED, outputs, target, moment).wait(PATIENCE_S) == -signal.SIGKILL
    assert not target.exists()
    copy_outputs(outputs, target)
    assert content(target) == content(outputs)
    assert list(target.parent.iterdir()) == [target]


def test_hidden_folders_that_are_not_ours_stay(outputs: Path, tmp_path: Path):
    mine = [".target.tmp", ".target.replaced", ".target.abc.tmp", ".target.0123456g.tmp", ".other.01234567.tmp"]
    for name in mine:
        files.write_bytes(files.make_folder(tmp_path / "into" / name) / "thesis", b"years")
        os.utime(tmp_path / "into" / name, (0, 0))
    for _ in range(2):
        copy_outputs(outputs, tmp_path / "into" / "target")
    assert sorted(path.name for path in (tmp_path / "into").iterdir()) == sorted([*mine, "target"])
    assert all((tmp_path / "into" / name / "thesis").read_bytes() == b"years" for name in mine)


@pytest.mark.parametrize("again", [False, True], ids=["new", "replaced"])
def test_fetches_at_the_same_time_all_succeed(outputs: Path, tmp_path: Path, *, again: bool):
    """Into one folder, and into folders whose names begin alike for longer than a hidden name is."""
    targets = [tmp_path / "into" / f"{'x' * 60}{number}" for number in (1, 1, 1, 2, 2)]
    if again:
        for target in targets[::2]:
            copy_outputs(outputs, target)
    with ThreadPoolExecutor(len(targets)) as pool:
        list(pool.map(lambda target: copy_outputs(outputs, target), targets))
    for target in targets:
        assert content(target) == content(outputs)
    assert len(list((tmp_path / "into").iterdir())) == 2


@pytest.mark.parametrize("exchanges", [True, False])
def test_a_kill_at_any_step_leaves_the_old_copy_or_the_new_one(
    outputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, exchanges: bool
):
    target = tmp_path / "into" / "target"
    old = content(outputs)
    for step in range(4):
        copy_outputs(outputs, target)
        old = content(target)
        files.write_bytes(outputs / "model" / "model.keras", f"weights {step}".encode())
        child.start(KILLED_AT_A_RENAME, outputs, target, step, int(exchanges)).wait(PATIENCE_S)

        def full(*_: object) -> None:
            raise OSError(errno.ENOSPC, "full")

        with monkeypatch.context() as patch:
            patch.setattr(files, "copy_tree", full)
            with pytest.raises(StorageError):
                copy_outputs(outputs, target)
        assert content(target) in (old, content(outputs))


def test_files_are_listed_by_paths_relative_to_the_folder(outputs: Path):
    assert sorted(list_files(outputs).files) == ["model/model.keras", "plots/Accuracy vs Loss.png"]

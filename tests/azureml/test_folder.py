"""The files of a data folder: which go, which stay and why, and that a data set holds what its digest says."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from stoker.engine.errors import BackendError, DatasetError, StokerError, StorageError
from stoker.engine.job import TrainJob
from stoker.plugins.azureml.progress import ignore
from stoker.plugins.azureml.reference import Scope
from stoker.plugins.azureml.rest.client import Patience, Service
from stoker.plugins.azureml.sdk import sdk
from stoker.plugins.azureml.settings import AzureSettings
from stoker.plugins.azureml.submit import dataset, folder
from stoker.plugins.azureml.submit.folder import Folder
from stoker.plugins.azureml_emulator import Emulator
from stoker.plugins.azureml_emulator.state.settings import CONTAINER

from ..private import make_private

TOKEN = "ghp_" + "a1B2c3D4e5F6" * 3
NO_TEXT = os.fsdecode(b"caf\xe9.csv")


@dataclass(frozen=True, kw_only=True, slots=True)
class Cloud:
    """A workspace, and a folder of data."""

    emulator: Emulator
    service: Service
    workspace: Any
    data: Path

    def register(self, report: Callable[[str], None] = ignore, **settings: Any) -> Any:
        job = TrainJob(dataset="", data_folder=str(self.data))
        return dataset.find_or_register(self.service, self.workspace, job, AzureSettings(**settings), report)

    @property
    def blobs(self) -> dict[str, bytes]:
        """{path below the folder of a data set: content}."""
        storage = self.emulator.service.storage
        records = [storage.get(CONTAINER, name) for name in storage.names(CONTAINER, "stoker/data/")]
        return {one["name"].split("/", 3)[3]: Path(one["file"]).read_bytes() for one in records if one}

    def replace(self, content: bytes, md5: str | None = None, name: str = "a.bin") -> None:
        """Writes a blob as somebody else would."""
        (first,) = {one.rpartition("/")[0] for one in self.emulator.service.storage.names(CONTAINER, "stoker/data/")}
        self.emulator.service.storage.put(CONTAINER, f"{first}/{name}", content, md5=md5)


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    data = tmp_path / "data"
    data.mkdir()
    (data / "a.bin").write_bytes(b"AAAA")
    with Emulator(tmp_path / "azure") as emulator:
        for name, value in emulator.client_environment().items():
            monkeypatch.setenv(name, value)
        scope = Scope.from_config(str(emulator.write_config(tmp_path)))
        service = Service(scope, "ambient", Patience(pause_s=0.01))
        workspace = sdk.load().Workspace(scope.subscription, scope.group, scope.workspace, auth=service.auth)
        yield Cloud(emulator=emulator, service=service, workspace=workspace, data=data)


def changing(path: Path, content: bytes) -> Callable[[str], None]:
    """Returns a reporter that changes a file when its digest is known and nothing is sent yet."""

    def report(line: str) -> None:
        if line.startswith("uploading"):
            path.write_bytes(content)

    return report


@pytest.mark.parametrize("size", [4, folder.PIECE_BYTES, folder.PIECE_BYTES + 1])
@pytest.mark.parametrize("change", [0, -1, 1])
def test_a_file_that_changes_before_it_is_sent_is_named_and_nothing_is_registered(cloud: Cloud, size: int, change: int):
    (cloud.data / "a.bin").write_bytes(b"A" * size)
    with pytest.raises(DatasetError, match=r"a\.bin changed while it was sent") as caught:
        cloud.register(changing(cloud.data / "a.bin", b"B" * (size + change)))
    assert "nothing was registered" in caught.value.hint
    assert cloud.blobs == {}
    (cloud.data / "a.bin").write_bytes(b"A" * size)
    assert cloud.register().name.startswith("stoker-")
    assert cloud.blobs == {"a.bin": b"A" * size}


def test_a_file_that_vanishes_before_it_is_sent_is_named(cloud: Cloud):
    def report(line: str) -> None:
        if line.startswith("uploading"):
            (cloud.data / "a.bin").unlink()

    with pytest.raises(StorageError, match=r"can't read .*a\.bin: No such file"):
        cloud.register(report)


@pytest.mark.parametrize("size", [4, folder.PIECE_BYTES + 1])
def test_a_file_is_sent_once_and_no_more_while_its_blob_is_the_same(cloud: Cloud, size: int):
    (cloud.data / "a.bin").write_bytes(b"A" * size)
    cloud.register()
    lines: list[str] = []
    cloud.register(lines.append, new_dataset_version=True)
    assert not [line for line in lines if line.startswith("uploading")]


@pytest.mark.parametrize(("content", "md5"), [(b"BBBB", None), (b"AAAA", ""), (b"BBBB", ""), (b"AAA", None)])
@pytest.mark.parametrize("new", [False, True])
def test_a_blob_of_unknown_or_other_content_is_replaced(cloud: Cloud, content: bytes, md5: str | None, new: bool):
    cloud.register()
    cloud.replace(content, md5)
    lines: list[str] = []
    cloud.register(lines.append, new_dataset_version=new)
    assert "uploading 1 of 1 files, 0.00 MB" in lines
    assert cloud.blobs == {"a.bin": b"AAAA"}


def test_another_file_among_the_data_is_refused(cloud: Cloud):
    cloud.register()
    cloud.replace(b"more", name="b.bin")
    with pytest.raises(BackendError, match="other files among the data") as caught:
        cloud.register(new_dataset_version=True)
    assert caught.value.received == "b.bin"


@pytest.mark.parametrize(
    ("name", "what"),
    [
        (NO_TEXT, r"caf\udce9.csv can't be sent: its name has bytes that are not UTF-8"),
        ("two\nlines.csv", r"two\nlines.csv can't be sent: its name has a line break"),
        ("a\x07b", r"a\x07b can't be sent"),
        ("a\u2028b", r"a\u2028b can't be sent"),
    ],
)
def test_a_name_that_can_not_be_sent_is_refused_before_anything_is(cloud: Cloud, name: str, what: str):
    (cloud.data / name).write_text("x")
    with pytest.raises(DatasetError) as caught:
        cloud.register()
    assert what in str(caught.value)
    assert cloud.blobs == {}


@pytest.mark.parametrize(
    ("place", "what"), [(f"deep/{TOKEN}.csv", "a file in {}/deep "), (f"{TOKEN}/deep/x.csv", "a folder in {} ")]
)
def test_a_token_as_a_name_is_refused_and_not_repeated(place: str, what: str, tmp_path: Path):
    (tmp_path / place).parent.mkdir(parents=True)
    (tmp_path / place).write_text("x")
    with pytest.raises(DatasetError) as caught:
        Folder.of(tmp_path)
    assert what.format(tmp_path) in str(caught.value)
    assert TOKEN not in f"{caught.value} {caught.value.hint} {caught.value.path}"


def test_links_out_of_the_folder_and_what_is_no_file_stay_here_with_the_reason(tmp_path: Path):
    data = tmp_path / "data"
    (data / "sub").mkdir(parents=True)
    (data / ".git").mkdir()
    (tmp_path / "password.txt").write_text("x")
    for name in ("a.csv", "token.txt", ".hidden", "sub/b.csv"):
        (data / name).write_text("xy")
    links = {
        "ok.csv": data / "a.csv",
        "relative.csv": Path("sub/b.csv"),
        "out.csv": tmp_path / "password.txt",
        "memory": Path("/proc/self/mem"),
        "nowhere": Path("gone"),
        "itself": Path("itself"),
        "whole": data / "sub",
        "other.csv": data / "token.txt",
        "shown": data / ".hidden",
    }
    for name, target in links.items():
        (data / name).symlink_to(target)
    os.mkfifo(data / "pipe")
    with socket.socket(socket.AF_UNIX) as unix:
        unix.bind(str(data / "s"))
        (data / NO_TEXT).symlink_to("/etc/hostname")
        listed = Folder.of(data)
    assert listed.sizes == {"a.csv": 2, "ok.csv": 2, "relative.csv": 2, "sub/b.csv": 2}
    assert listed.left_out == {
        ".git": "hidden",
        ".hidden": "hidden",
        r"caf\udce9.csv": "a link out of the folder",
        "itself": "a link that leads nowhere",
        "memory": "a link out of the folder",
        "nowhere": "a link that leads nowhere",
        "other.csv": "a secret: token.txt",
        "out.csv": "a link out of the folder",
        "pipe": "no plain file",
        "s": "no plain file",
        "shown": "a link to a hidden file",
        "token.txt": "a secret: token.txt",
        "whole": "a link to a folder",
    }


def test_a_folder_of_links_only_is_refused_with_the_reason(tmp_path: Path):
    (tmp_path / "data").mkdir()
    (tmp_path / "a.csv").write_text("x")
    (tmp_path / "data" / "a.csv").symlink_to(tmp_path / "a.csv")
    with pytest.raises(DatasetError, match="holds no files to upload") as caught:
        Folder.of(tmp_path / "data").require_files()
    assert caught.value.received == "what stays here: a.csv (a link out of the folder)"


@pytest.mark.parametrize("name", ["a.csv", "deep"])
def test_what_is_private_is_named(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "deep").mkdir()
    (tmp_path / "a.csv").write_text("x")
    make_private(monkeypatch, tmp_path / name)
    with pytest.raises(StorageError, match=f"can't read .*{name}: permission denied"):
        folder.contents(Folder.of(tmp_path), ignore)


def test_what_vanishes_or_becomes_a_pipe_after_it_was_listed_is_named(tmp_path: Path):
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text("x")
    listed = Folder.of(tmp_path)
    (tmp_path / "b.csv").unlink()
    with pytest.raises(StokerError, match=r"can't read .*b\.csv: No such file"):
        folder.contents(listed, ignore)
    os.mkfifo(tmp_path / "b.csv")
    with pytest.raises(StokerError, match=r"can't read .*b\.csv: not a plain file"):
        folder.contents(listed, ignore)

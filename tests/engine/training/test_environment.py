"""The record of the source: the true difference, and no program of the repository's own runs for it."""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path

import pytest

from stoker.engine.training import environment
from stoker.engine.training.environment import source_state


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@b", *arguments], check=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with two files, one of them changed since the commit."""
    folder = tmp_path / "a b"
    git(tmp_path, "init", "-q", str(folder))
    (folder / "code.py").write_text("one\n")
    (folder / "data.bin").write_bytes(b"\0\1\2")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "first")
    (folder / "code.py").write_text("two\n")
    return folder


def test_outside_of_git_there_is_nothing(tmp_path: Path):
    assert source_state(tmp_path) == {}


def test_every_byte_of_the_difference_counts(repository: Path):
    digests = {""}
    for name, content in (("code.py", b"two\n"), ("code.py", b"two"), ("data.bin", b"\0\1\3"), ("data.bin", b"\0\1\4")):
        (repository / name).write_bytes(content)
        state = source_state(repository)
        assert state["changed"] == (["code.py"] if name == "code.py" else ["code.py", "data.bin"])
        digests.add(state["diff_sha256"])
    assert len(digests) == 5
    git(repository, "checkout", "-q", ".")
    assert (source_state(repository)["changed"], source_state(repository)["diff_sha256"]) == ([], "")


PROGRAMS = {
    "external diff": ["diff.external"],
    "text conversion": ["diff.mine.textconv"],
    "driver's command": ["diff.mine.command"],
    "clean filter": ["filter.mine.clean"],
    "filter process": ["filter.mine.process"],
    "required filter": ["filter.mine.clean", "filter.mine.smudge"],
    "file system monitor": ["core.fsmonitor"],
    "pager": ["core.pager", "pager.diff"],
}


@pytest.mark.parametrize("kind", PROGRAMS)
def test_no_program_of_a_repository_runs(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str):
    clean = source_state(repository)
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\necho x >> '{tmp_path}/ran'\ncat 2>/dev/null\n")
    program.chmod(0o755)
    (repository / ".git" / "info").mkdir(exist_ok=True)
    (repository / ".git" / "info" / "attributes").write_text("* diff=mine filter=mine\n")
    for name in PROGRAMS[kind]:
        git(repository, "config", name, str(program))
    if kind == "required filter":
        git(repository, "config", "filter.mine.required", "true")
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", str(program))
    assert source_state(repository) == clean
    assert not (tmp_path / "ran").exists()


def test_the_digest_is_of_the_difference_that_git_would_apply(repository: Path):
    (repository / "data.bin").write_bytes(b"\0\1\3")
    command = ["git", "-C", str(repository), "diff", "--binary", "HEAD"]
    difference = subprocess.run(command, check=True, capture_output=True).stdout
    assert b"GIT binary patch" in difference
    assert source_state(repository)["diff_sha256"] == hashlib.sha256(difference).hexdigest()


def test_no_hook_of_a_repository_runs(repository: Path, tmp_path: Path):
    hook = repository / ".git" / "hooks" / "post-index-change"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\necho x >> '{tmp_path}/ran'\n")
    hook.chmod(0o755)
    (repository / "code.py").write_text("one\n")
    os.utime(repository / "code.py", (1, 1))  # the same content at another time, which git notes in its index
    assert source_state(repository)["changed"] == []
    assert not (tmp_path / "ran").exists()


def test_no_program_of_a_submodule_runs(repository: Path, tmp_path: Path):
    other = tmp_path / "other"
    other.mkdir()
    git(tmp_path, "clone", "-q", str(repository), str(other))
    git(repository, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(other), "below")
    git(repository, "commit", "-qm", "second")
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\necho x >> '{tmp_path}/ran'\n")
    program.chmod(0o755)
    git(repository / "below", "config", "core.fsmonitor", str(program))
    (repository / "below" / "code.py").write_text("three\n")
    assert source_state(repository)["changed"] == ["code.py"]
    assert not (tmp_path / "ran").exists()


def test_a_missing_object_is_not_fetched(repository: Path, tmp_path: Path):
    """A partial clone fetches what it lacks, and so would run the program that its configuration names."""
    named = ["git", "-C", str(repository), "rev-parse", "HEAD:code.py"]
    blob = subprocess.run(named, check=True, capture_output=True, text=True).stdout.strip()
    (repository / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    other = tmp_path / "other"
    git(tmp_path, "init", "-q", str(other))
    for name, value in {
        "core.repositoryformatversion": "1",
        "extensions.partialClone": "origin",
        "remote.origin.promisor": "true",
        "remote.origin.url": str(other),
        "remote.origin.uploadpack": f"touch '{tmp_path}/ran'; git-upload-pack",
    }.items():
        git(repository, "config", name, value)
    source_state(repository)
    assert not (tmp_path / "ran").exists()


def test_the_repository_is_that_of_the_folder_whatever_the_environment_names(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    expected = source_state(repository)
    other = tmp_path / "other"
    git(tmp_path, "init", "-q", str(other))
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    assert source_state(repository) == expected


def test_a_git_that_does_not_end_is_given_up(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "git").write_text("#!/bin/sh\nsleep 3\necho 1\n")
    (tmp_path / "bin" / "git").chmod(0o755)
    monkeypatch.setattr(environment, "_GIT_PATIENCE_S", 0.1)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
    assert source_state(repository) == {}

"""What is not uploaded: git's own rules, and what never is."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stoker.engine.errors import StorageError
from stoker.engine.packaging.ignore import Ignore
from stoker.engine.packaging.never import never
from stoker.engine.packaging.pattern import Pattern

from ...private import make_private

PATTERNS = (
    *("*.txt", "/a.txt", "a/b", "a/", "!a.txt", "**/c", "a/**", "a/**/c", "**/a/b", "b*", "?.txt", "[ab].txt"),
    *(
        "[!a]*",
        "\\!x",
        "#x",
        "\\#x",
        "a\\ ",
        "a ",
        "*",
        "!*/",
        "c/*.txt",
        "/*",
        "!/a",
        "[a-c]/",
        "[[:digit:]]",
        "[",
        "a[",
        "***",
    ),
    *("a**b", "**", "/**", "a/*/c", "!c", "\\a", "a\\", "[]]", "[^a]", "[a/b]", "a?c", "a/**/", "*/b", "**/", "/", "!"),
)


PATHS = (
    "a.txt",
    "a/b",
    "a/c",
    "a/b/c",
    "a/x/y/c",
    "b/a/b",
    "b.txt",
    "c/a.txt",
    "c/d/a.txt",
    "!x",
    "#x",
    "1",
    "ab",
    "]",
    "c",
)


def excluded_by_git(root: Path, paths: list[str]) -> set[str]:
    """The paths that git itself ignores."""
    command = [
        "git",
        "-C",
        str(root),
        "-c",
        "core.excludesFile=/dev/null",
        "check-ignore",
        "--no-index",
        "--stdin",
        "-z",
    ]
    text = "\0".join(paths) + "\0"
    done = subprocess.run(command, input=text.encode(), capture_output=True, check=False)
    assert done.returncode in {0, 1}, done.stderr
    return set(done.stdout.decode().split("\0")[:-1])


def excluded_by_us(root: Path, paths: list[str]) -> set[str]:
    """The paths that are not walked over as files that go."""
    gone = {path.relative_to(root).as_posix() for path, rule in Ignore(root).walk(root) if not rule}
    return set(paths) - gone


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with a file for each path that can be one beside the others."""
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    for name in PATHS:
        path = tmp_path / name
        if not path.exists() and not any(parent.is_file() for parent in path.parents):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("")
    return tmp_path


def files_of(root: Path) -> list[str]:
    found = (
        path for path in root.rglob("*") if path.is_file() and ".git" not in path.parts and path.name != ".gitignore"
    )
    return sorted(path.relative_to(root).as_posix() for path in found)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_one_pattern_means_what_it_means_to_git(pattern: str, repository: Path):
    (repository / ".gitignore").write_text(f"{pattern}\n")
    paths = files_of(repository)
    assert excluded_by_us(repository, paths) == excluded_by_git(repository, paths)


def test_sets_of_patterns_in_several_folders_mean_what_they_mean_to_git(repository: Path):
    paths = files_of(repository)

    @settings(max_examples=60, deadline=None, database=None, derandomize=True)
    @given(st.lists(st.sampled_from(PATTERNS), max_size=6), st.lists(st.sampled_from(PATTERNS), max_size=3))
    def check(above: list[str], below: list[str]) -> None:
        (repository / ".gitignore").write_text("".join(f"{line}\n" for line in above))
        (repository / "a" / ".gitignore").write_text("".join(f"{line}\n" for line in below))
        assert excluded_by_us(repository, paths) == excluded_by_git(repository, paths)

    check()


def test_a_file_of_a_windows_editor_means_what_it_means_to_git(repository: Path):
    (repository / ".gitignore").write_bytes("\ufeff*\r\n!.gitignore\r\n".encode())
    paths = files_of(repository)
    assert excluded_by_us(repository, paths) == excluded_by_git(repository, paths) == set(paths)


def test_amlignore_takes_the_place_of_gitignore(tmp_path: Path):
    (tmp_path / ".gitignore").write_text("a.txt\n")
    (tmp_path / ".amlignore").write_text("# ours\n*.bin\n")
    ignore = Ignore.around(tmp_path, (".amlignore", ".gitignore"))
    assert ignore.rule(tmp_path / "a.txt") == ""
    assert ignore.rule(tmp_path / "b.bin") == ".amlignore:2: *.bin"


def test_rules_of_the_repository_around_a_folder_hold_in_it(tmp_path: Path):
    (tmp_path / ".git").mkdir()
    (tmp_path / ".gitignore").write_text("*.csv\n")
    (tmp_path / "code").mkdir()
    assert Ignore.around(tmp_path / "code").rule(tmp_path / "code" / "a.csv") == ".gitignore:1: *.csv"


@pytest.mark.parametrize(
    ("name", "is_folder"),
    [
        *((name, True) for name in (".git", ".venv", "__pycache__", ".ssh", ".azure", "runs", "secrets", "x.egg-info")),
        *((name, False) for name in (".env", ".ENV", ".env.local", "id_rsa", "server.pem", "a.key", ".netrc", "token")),
        *(
            (name, False)
            for name in ("credentials", "credentials.json", "client_secret_7.json", "secrets.yaml", "a.pyc")
        ),
    ],
)
def test_what_never_goes_is_not_brought_back_by_any_rule(name: str, is_folder: bool, tmp_path: Path):
    (tmp_path / ".amlignore").write_text(f"!{name}\n!*\n")
    ignore = Ignore.around(tmp_path, (".amlignore", ".gitignore"))
    assert ignore.rule(tmp_path / name, is_folder=is_folder) == never(name, is_folder=is_folder) != ""


@pytest.mark.parametrize("name", ["logs", "runs", "outputs"])
def test_a_package_of_code_may_be_called_as_folders_of_results_are(name: str, tmp_path: Path):
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").touch()
    assert Ignore.around(tmp_path).rule(tmp_path / name, is_folder=True) == ""


def test_links_are_not_followed(tmp_path: Path):
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside" / "link").symlink_to("/etc")
    assert [(path.name, rule) for path, rule in Ignore(tmp_path).walk(tmp_path)] == [("link", "a link")]


@pytest.mark.parametrize("ignored", [True, False])
def test_a_private_folder_is_named_unless_it_stays_here(ignored: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "deep").mkdir()
    make_private(monkeypatch, tmp_path / "deep")
    (tmp_path / ".gitignore").write_text("deep/\n" * ignored)
    if ignored:
        assert ("deep", ".gitignore:1: deep/") in [(path.name, rule) for path, rule in Ignore(tmp_path).walk(tmp_path)]
    else:
        with pytest.raises(StorageError, match=r"can't read .*deep: permission denied"):
            list(Ignore(tmp_path).walk(tmp_path))


@pytest.mark.parametrize("line", ["", "   ", "# x", "/", "!"])
def test_a_line_without_a_pattern_is_none(line: str):
    assert Pattern.parse(line, "x") is None

"""`stoker runs fetch` replaces an earlier copy of the outputs, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from stoker import cli
from stoker.engine.files import make_folder, write_bytes
from stoker.engine.rundir import RunDirectory

from ..completed import completed_run


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunDirectory:
    """A completed run on this machine."""
    monkeypatch.chdir(tmp_path)
    return completed_run(tmp_path / "runs", b"first")


def fetch(target: str) -> int:
    return cli.main(["runs", "fetch", "latest", "--output", target])


def test_an_earlier_copy_is_replaced(run: RunDirectory):
    assert fetch("there") == 0
    write_bytes(run.model / "model.keras", b"second")
    assert fetch("there") == 0
    assert Path("there/model/model.keras").read_bytes() == b"second"


@pytest.mark.parametrize("earlier", [True, False])
def test_a_file_of_the_same_name_that_no_fetch_has_put_there_stays(
    run: RunDirectory, capsys: pytest.CaptureFixture[str], earlier: bool
):
    if earlier:
        assert fetch("there") == 0
    write_bytes(make_folder(Path("there/model")) / "model.keras", b"mine")
    assert fetch("there") == 2
    said = capsys.readouterr().err
    assert "there holds a file that is not as a fetch of this run has left it\n  received: model/model.keras" in said
    assert Path("there/model/model.keras").read_bytes() == b"mine"


def test_the_copy_of_another_run_stays(run: RunDirectory, tmp_path: Path):
    assert fetch("there") == 0
    other = completed_run(tmp_path / "runs", b"other", name="zz")
    assert cli.main(["runs", "fetch", other.run_id, "--output", "there"]) == 2
    assert Path("there/model/model.keras").read_bytes() == b"first"


def test_a_link_is_no_copy(run: RunDirectory, tmp_path: Path):
    assert fetch("there") == 0
    (tmp_path / "mine").write_bytes(b"first")
    Path("there/model/model.keras").unlink()
    Path("there/model/model.keras").symlink_to(tmp_path / "mine")
    assert fetch("there") == 2

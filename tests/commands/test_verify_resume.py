"""`verify-resume` kills between a checkpoint and the end, and passes only if something was resumed."""

from __future__ import annotations

from pathlib import Path

import pytest

from stoker.plugins.commands import verify_resume

from .. import tiny
from ..stoker_process import stoker

JOB = ("train", "--data-folder", "data", "--epochs", 1, "--batch-size", 20, "--first-layer-neurons", 4)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished run."""
    folder = tmp_path_factory.mktemp("place")
    tiny.write(folder / "data")
    assert stoker(*JOB, cwd=folder).returncode == 0
    return folder


def test_a_kill_comes_after_a_checkpoint_and_the_resume_is_counted(place: Path):
    # So many epochs that the run can't end in the pause between its first checkpoint and the kill.
    done = stoker("verify-resume", "latest", "--epochs", 60, "--kills", 1, cwd=place)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == (
        "after 1 kill and 1 resume from a checkpoint: all variables of the model and the optimizer are equal"
    )


def test_one_epoch_leaves_nothing_to_resume(place: Path):
    done = stoker("verify-resume", "latest", "--epochs", 1, cwd=place)
    assert done.returncode == 2
    assert "2 or more" in done.stderr


@pytest.mark.parametrize("kills", [1, 2, 7])
@pytest.mark.parametrize("epochs", [2, 3, 9])
def test_one_kill_at_least_comes_after_an_epoch_and_none_after_the_last(kills: int, epochs: int):
    for _ in range(100):
        moments = verify_resume._moments(kills, epochs)
        assert len(moments) == kills
        assert moments == sorted(moments)
        assert 1 <= moments[-1] < epochs

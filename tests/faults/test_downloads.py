"""Of several processes that want one file, one downloads it; if it is killed with the lock, another goes on at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from ..datasets.test_source import BODY, client, serving, stall, wait_for
from ..patience import PATIENCE_S

PROCESSES = 8
ARRIVED_BYTES = 100_000


def kill_the_one_that_downloads(folder: Path) -> None:
    """Downloads a file with several processes, of which the one that has the lock is killed."""
    with serving() as server:
        server.faults = [stall(ARRIVED_BYTES)]
        first = client(folder, server.url)
        partial = folder / "file.partial"
        wait_for(lambda: partial.exists() and partial.stat().st_size == ARRIVED_BYTES)
        others = [client(folder, server.url) for _ in range(PROCESSES - 1)]
        first.kill()
        first.wait(PATIENCE_S)
        assert [each.wait(PATIENCE_S) for each in others] == [0] * len(others)
        assert [request.get("Range") for request in server.requests] == [None, f"bytes={ARRIVED_BYTES}-"]
        assert (folder / "file").read_bytes() == BODY
        assert sorted(path.name for path in folder.iterdir()) == ["file", "file.partial.lock"]


def test_one_of_several_processes_goes_on_for_the_one_that_was_killed(tmp_path: Path) -> None:
    kill_the_one_that_downloads(tmp_path)


@pytest.mark.faults
@pytest.mark.parametrize("number", range(25))
def test_however_often_it_happens(tmp_path: Path, number: int) -> None:
    kill_the_one_that_downloads(tmp_path)

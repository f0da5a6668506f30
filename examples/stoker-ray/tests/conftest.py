"""A Ray head of one node on 127.0.0.1, for as long as the tests run."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ADDRESS, STORAGE = "STOKER_RAY_TEST_ADDRESS", "STOKER_RAY_TEST_STORAGE"
"""Variables that tell the processes that the suite starts where the cluster and the storage are."""
KEEPER = Path(__file__).with_name("keeper.py")

Stoker = Callable[..., "subprocess.CompletedProcess[str]"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Head:
    """A cluster of one node.

    Attributes:
        address: Its dashboard.
        group: The process group of all its processes.
    """

    address: str
    group: int


@pytest.fixture(scope="session")
def head() -> Iterator[Head]:
    """The cluster; its keeper ends it when the pipe is closed, also when the tests are killed."""
    with subprocess.Popen([sys.executable, str(KEEPER)], stdin=-1, stdout=-1, text=True) as process:
        assert process.stdout
        assert process.stdin
        address = process.stdout.readline().strip()
        assert address, "Ray did not start; what it said is above"
        yield Head(address=address, group=process.pid)
        process.stdin.close()


@pytest.fixture(scope="session")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that this machine and the node share."""
    return tmp_path_factory.mktemp("storage")


@pytest.fixture(scope="session")
def cluster(head: Head, storage: Path) -> Iterator[tuple[str, ...]]:
    """The options of the cluster and the storage, which the environment names too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(ADDRESS, head.address)
        patch.setenv(STORAGE, str(storage))
        yield "--ray-address", head.address, "--ray-storage", str(storage)


@pytest.fixture(scope="session")
def stoker() -> Stoker:
    """Runs the command line of the installed stoker in a folder."""

    def run(*arguments: object, cwd: Path, code: str = "") -> subprocess.CompletedProcess[str]:
        start = ["-c", f"{code}\nfrom stoker.cli import main; raise SystemExit(main())"] if code else ["-m", "stoker"]
        words = [sys.executable, *start, *map(str, arguments)]
        return subprocess.run(words, cwd=cwd, capture_output=True, text=True, timeout=180, check=False)

    return run

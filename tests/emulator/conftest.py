"""An emulator for each test, and one report of each program that uses the SDK."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from stoker.plugins.azureml_emulator import Emulator

from ..patience import PATIENCE_S
from .client import Client

HERE = Path(__file__).resolve().parent
Report = dict[str, Any]


@pytest.fixture
def emulator(tmp_path: Path) -> Iterator[Emulator]:
    """A new emulator."""
    with Emulator(tmp_path / "azure", scale_up_s=0.05, requeue_s=0.05, prepare_s=0.0, grace_s=2.0) as emulator:
        yield emulator


@pytest.fixture
def client(emulator: Emulator) -> Client:
    """A client of it."""
    return Client(emulator=emulator)


@pytest.fixture(scope="session")
def run_program(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Report]:
    """Runs a program of this folder against an emulator; its report, with `requests` and `blocked`."""

    def run(name: str) -> Report:
        folder = tmp_path_factory.mktemp("program")
        with Emulator(folder / "azure") as emulator:
            emulator.write_config(folder)
            kept = {name: value for name, value in os.environ.items() if not name.startswith(("AZURE", "PYTHON"))}
            done = subprocess.run(
                [sys.executable, HERE / name],
                cwd=folder,
                env={**kept, **emulator.client_environment()},
                capture_output=True,
                text=True,
                stdin=subprocess.DEVNULL,
                timeout=PATIENCE_S,
                check=False,
            )
            report = done.stdout.rpartition("\nREPORT ")[2]
            assert done.returncode == 0, done.stdout + done.stderr
            return {
                **json.loads(report),
                "output": done.stdout,
                "blocked": emulator.blocked,
                "requests": emulator.requests,
            }

    return run

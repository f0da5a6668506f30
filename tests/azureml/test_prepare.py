"""What a plan has packed is what a submission sends: no file is read twice for one command."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import BinaryIO

import pytest

from stoker.engine import files
from stoker.engine.job import TrainJob
from stoker.engine.rundir import RunDirectory
from stoker.engine.testing.backend import payloads
from stoker.plugins.azureml.backend import AzureBackend
from stoker.plugins.azureml.progress import ignore
from stoker.plugins.azureml.rest.client import Patience
from stoker.plugins.azureml.settings import AzureSettings
from stoker.plugins.azureml_emulator import Emulator


@pytest.fixture
def backend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> object:
    with Emulator(tmp_path / "azure", scale_up_s=0.02, prepare_s=0.0) as emulator:
        for name, value in emulator.client_environment().items():
            monkeypatch.setenv(name, value)
        settings = AzureSettings(config=str(emulator.write_config(tmp_path)))
        yield AzureBackend(settings, patience=Patience(request_s=5.0, total_s=10.0, pause_s=0.1), report=ignore)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each file has been read as a plain file."""
    counted: Counter[str] = Counter()
    open_plain = files.open_plain

    def counting(path: Path) -> BinaryIO:
        counted[path.name] += 1
        return open_plain(path)

    monkeypatch.setattr(files, "open_plain", counting)
    return counted


def test_a_submission_reads_no_file_that_its_plan_has_read(backend: AzureBackend, reads: Counter[str], tmp_path: Path):
    (tmp_path / "mine.py").write_text("")
    plugins = (payloads.PLUGIN, str(tmp_path / "mine.py"))
    job = TrainJob(name="succeed", plugins=plugins, options={payloads.OPTION: "succeed"})
    run = RunDirectory.create(tmp_path / "runs", job)
    backend.plan(job)
    planned = {name: reads[name] for name in ("mine.py", "cli.py", "run.py")}
    assert all(planned.values())
    backend.submit(job, run.path)
    assert {name: reads[name] for name in planned} == planned


def test_another_job_is_packed_for_itself(backend: AzureBackend, reads: Counter[str], tmp_path: Path):
    (tmp_path / "mine.py").write_text("")
    plugins = (payloads.PLUGIN, str(tmp_path / "mine.py"))
    job = TrainJob(name="succeed", plugins=plugins, options={payloads.OPTION: "succeed"})
    backend.plan(TrainJob())
    backend.submit(job, RunDirectory.create(tmp_path / "runs", job).path)
    assert reads["mine.py"]

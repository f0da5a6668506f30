"""The backend passes stoker's own suite, against a Ray head on this machine."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest
from ray.job_submission import JobSubmissionClient
from stoker.engine.status import Handle
from stoker.engine.testing import BackendContract

from stoker_ray.backend import RayBackend


@pytest.mark.usefixtures("cluster")
class TestRay(BackendContract):
    patience_s = 600.0

    def make_backend(self) -> RayBackend:
        return RayBackend(os.environ["STOKER_RAY_TEST_ADDRESS"], os.environ["STOKER_RAY_TEST_STORAGE"])

    def lose(self, handle: Handle) -> None:
        run_id = handle.reference.rpartition("/")[2]
        client = JobSubmissionClient(os.environ["STOKER_RAY_TEST_ADDRESS"])
        while not client.get_job_status(run_id).is_terminal():
            time.sleep(0.1)
        client.delete_job(run_id)
        shutil.rmtree(Path(os.environ["STOKER_RAY_TEST_STORAGE"], run_id))

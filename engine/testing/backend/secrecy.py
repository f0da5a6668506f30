"""A secret in the submitter's environment stays there: no file, line, handle, plan or message has it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from ...status import Handle, RunStatus
from . import payloads
from .case import BackendCase, Place, Submitted

SECRET = "s3cr3t-7f3a9c-not-for-any-file"
VARIABLES = (
    "STOKER_TEST_SECRET",
    "AWS_SECRET_ACCESS_KEY",
    "AZURE_CLIENT_SECRET",
    "GITHUB_TOKEN",
    "HF_TOKEN",
    "MLFLOW_TRACKING_PASSWORD",
    "WANDB_API_KEY",
    "DATABASE_PASSWORD",
)


class Secrecy(BackendCase):
    """What a backend must keep secret."""

    @pytest.fixture
    def planted(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Puts secrets into the environment of this process, which submits."""
        for name in VARIABLES:
            monkeypatch.setenv(name, SECRET)

    @pytest.mark.usefixtures("planted")
    def test_secrets_are_in_no_plan(self) -> None:
        assert SECRET not in repr(self.make_backend().plan(self.job("environment")))

    @pytest.mark.usefixtures("planted")
    @pytest.mark.parametrize("payload", ["environment", "fail"])
    def test_secrets_are_in_no_file_of_the_run_folder(self, place: Place, payload: str) -> None:
        one, _ = self.secret_run(place, payload)
        one.run.write_handle(one.handle)
        files = [path for path in one.run.path.rglob("*") if path.is_file()]
        assert files
        assert [path.name for path in files if SECRET.encode() in path.read_bytes()] == []

    @pytest.mark.usefixtures("planted")
    @pytest.mark.parametrize("payload", ["environment", "fail"])
    def test_secrets_are_in_no_log_handle_or_status(self, place: Place, payload: str) -> None:
        one, statuses = self.secret_run(place, payload)
        log = self.log(one.handle)
        assert log
        assert SECRET.encode() not in log
        assert SECRET not in str(one.handle)
        assert SECRET not in json.dumps([status.to_json() for status in statuses])

    @pytest.mark.usefixtures("planted")
    def test_secrets_are_in_no_output(self, place: Place, tmp_path: Path) -> None:
        one, _ = self.secret_run(place, "environment")
        with self.able("fetch"):
            manifest = self.make_backend().fetch(one.handle, tmp_path / "target")
            contents = {name: (tmp_path / "target" / name).read_bytes() for name in manifest.files}
            assert [name for name, content in contents.items() if SECRET.encode() in content] == []

    @pytest.mark.usefixtures("planted")
    def test_secrets_are_in_no_message(self, place: Place, tmp_path: Path) -> None:
        name = self.ended(place, "succeed").handle.backend
        texts = [
            f"{error} {vars(error)}" for error in self.errors(Handle(backend=name, reference="no/such/run"), tmp_path)
        ]
        assert texts
        assert [text for text in texts if SECRET in text] == []

    @pytest.mark.usefixtures("planted")
    def test_secrets_the_job_lists_the_names_of_its_variables(self, place: Place) -> None:
        """Guards the other tests: a log without names would have shown nothing."""
        one, _ = self.secret_run(place, "environment")
        assert f"{payloads.VARIABLE}PATH".encode() in self.log(one.handle)

    def secret_run(self, place: Place, payload: str) -> tuple[Submitted, list[RunStatus]]:
        """Submits a run with secrets in the environment, once for all tests; returns it and its statuses."""
        if f"secret {payload}" not in place.known:
            statuses: list[RunStatus] = []
            one = self.submit(place, payload, payload_secrets=True)

            def enough(status: RunStatus) -> bool:
                statuses.append(status)
                return status.state.ended

            self.wait(one.handle, enough)
            place.known[f"secret {payload}"] = one, statuses
        found: tuple[Submitted, list[RunStatus]] = place.known[f"secret {payload}"]
        return found

    def errors(self, handle: Handle, folder: Path) -> Iterator[Exception]:
        """Yields what the methods raise for a run that does not exist."""
        backend = self.make_backend()
        for call in (
            lambda: backend.cancel(handle),
            lambda: backend.fetch(handle, folder / "target"),
            lambda: backend.register(handle, "model", "secret"),
            lambda: list(backend.logs(handle)),
        ):
            try:
                call()
            except Exception as error:  # noqa: BLE001 - of which kind it is, is for promise 9
                yield error

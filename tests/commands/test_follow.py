"""After the submission nothing that goes wrong while looking at a run is a failure of the run."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stoker.engine.backend import Manifest
from stoker.engine.errors import BackendError, RunError, UnreachableError
from stoker.engine.event import EventKind, RunEvent
from stoker.engine.fetch import list_files
from stoker.engine.files import make_folder, write_bytes
from stoker.engine.job import TrainJob
from stoker.engine.rundir import RunDirectory
from stoker.engine.status import Handle, RunState, RunStatus
from stoker.engine.summary import RunSummary
from stoker.plugins.commands.follow import follow
from stoker.plugins.commands.runs import listing, plugin

OPTIONS = argparse.Namespace(quiet=False, json=False)


class Away:
    """A backend elsewhere whose looks fail with these errors, one after the other, before one succeeds."""

    poll_s, runs_here = 0.0, False

    def __init__(self, *errors: BackendError, state: RunState = RunState.COMPLETED) -> None:
        self.errors = list(errors)
        self.state = state
        self.looks = 0

    def status(self, handle: Handle) -> RunStatus:
        self.looks += 1
        if self.errors:
            raise self.errors.pop(0)
        return RunStatus(state=self.state, message="so it is")

    def logs(self, handle: Handle, offset: int = 0) -> Iterator[bytes]:
        yield b"a line\nepoch 1/9  loss 0.5  val_loss 0.4  1.00 s\n"[offset:]

    def fetch(self, handle: Handle, target: Path) -> Manifest:
        write_bytes(make_folder(target) / "half.txt", b"half")
        return list_files(target)


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    """A run elsewhere that has been collected."""
    found = RunDirectory.create(tmp_path / "runs", TrainJob())
    found.write_handle(Handle(backend="away", reference="1"))
    found.write_summary(RunSummary(metrics={}, epochs=1))
    return found


def test_a_service_that_is_away_for_a_while_is_waited_for(run: RunDirectory, capfd: pytest.CaptureFixture[str]):
    backend: Any = Away(*(UnreachableError("no answer") for _ in range(50)))
    assert follow(run, backend, OPTIONS) == 0
    output, said = capfd.readouterr()
    assert output.startswith("a line\n")
    assert re.sub(r"\d\d:\d\d", "TIME", said).splitlines() == [
        "warning: no answer; trying again since TIME, and the run goes on",
        "warning: the run can be seen again, as it could not since TIME",
    ]


def test_quiet_waits_in_silence(run: RunDirectory, capfd: pytest.CaptureFixture[str]):
    backend: Any = Away(UnreachableError("no answer"))
    assert follow(run, backend, argparse.Namespace(quiet=True, json=False)) == 0
    assert capfd.readouterr() == ("", "")


def test_what_can_not_be_fetched_from_a_run_that_has_completed_is_fetched_later(run: RunDirectory):
    (run.path / "summary.json").unlink()

    class Gone(Away):
        def fetch(self, handle: Handle, target: Path) -> None:
            raise UnreachableError("no answer")

    backend: Any = Gone()
    with pytest.raises(UnreachableError) as caught:
        follow(run, backend, OPTIONS)
    assert caught.value.hint.startswith("the run has completed: fetch it with `stoker runs attach")


def test_a_refusal_that_stays_ends_the_command_and_not_the_run(run: RunDirectory):
    backend: Any = Away(*(BackendError("no permission", hint="ask for it") for _ in range(9)))
    with pytest.raises(BackendError, match="no permission") as caught:
        follow(run, backend, OPTIONS)
    assert len(backend.errors) == 4
    assert caught.value.hint.startswith("ask for it; the run goes on: watch it with `stoker runs attach")
    assert "or end it with `stoker runs cancel" in caught.value.hint


def test_a_refusal_that_passes_is_no_failure(run: RunDirectory):
    backend: Any = Away(*(BackendError("no permission") for _ in range(4)))
    assert follow(run, backend, OPTIONS) == 0


def test_an_error_of_a_backend_on_this_machine_is_raised_at_once(run: RunDirectory):
    backend: Any = Away(BackendError("broken"))
    backend.runs_here = True
    with pytest.raises(BackendError) as caught:
        follow(run, backend, OPTIONS)
    assert caught.value.hint == ""


@pytest.mark.parametrize("state", [RunState.FAILED, RunState.CANCELLED])
def test_what_a_run_that_did_not_complete_has_made_is_brought_home(run: RunDirectory, state: RunState):
    backend: Any = Away(state=state)
    assert follow(run, backend, OPTIONS) == 1
    assert run.log.read_text().startswith("a line\n")
    assert {line["name"]: line["value"] for line in run.metrics()} == {"Training loss": 0.5, "Loss": 0.4}
    assert (run.outputs / "half.txt").read_text() == "half"


def test_what_can_not_be_brought_home_hides_no_end(run: RunDirectory, capsys: pytest.CaptureFixture[str]):
    class Empty(Away):
        def fetch(self, handle: Handle, target: Path) -> Manifest:
            raise BackendError("no outputs yet")

    backend: Any = Empty(state=RunState.FAILED)
    assert follow(run, backend, OPTIONS) == 1
    assert f"error: the run {run.run_id} has failed: so it is" in capsys.readouterr().err


@pytest.mark.parametrize("state", [RunState.COMPLETED, RunState.FAILED, RunState.CANCELLED])
def test_nobody_is_asked_for_an_end_that_is_known_until_the_run_is_submitted_again(run: RunDirectory, state: RunState):
    backend: Any = Away(state=state)
    run.append_event(RunEvent(kind=EventKind.SUBMITTED, run_id=run.run_id))
    follow(run, backend, OPTIONS)
    looks = backend.looks
    expected = RunStatus(state=state, message="so it is")
    assert [listing._status(run, backend) for _ in range(3)] == [expected] * 3
    assert backend.looks == looks
    run.append_event(RunEvent(kind=EventKind.SUBMITTED, run_id=run.run_id))
    backend.state = RunState.RUNNING
    assert [listing._status(run, backend).state for _ in range(3)] == [RunState.RUNNING] * 3
    backend.state = RunState.LOST
    assert [listing._status(run, backend).state for _ in range(3)] == [RunState.LOST] * 3
    assert backend.looks == looks + 6, "what is lost may be found again"


def test_outputs_that_were_left_out_are_named_and_the_command_fails(
    run: RunDirectory, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    class Odd(Away):
        def fetch(self, handle: Handle, target: Path) -> Manifest:
            return replace(super().fetch(handle, target), left_out={"../x\n": "it would be outside the folder"})

    backend: Any = Odd()
    assert plugin._fetch(run, backend, argparse.Namespace(output=tmp_path / "target")) == 1
    output, said = capsys.readouterr()
    assert output == f"1 file in {tmp_path / 'target'}, each compared with the original\n"
    assert said == "error: the output '../x\\n' was left out: it would be outside the folder\n"
    (run.path / "summary.json").unlink()
    with pytest.raises(RunError, match=r"left out: '\.\./x"):
        follow(run, backend, OPTIONS)
    assert run.summary() is not None, "all else is there"


def test_a_state_that_could_not_be_asked_for_is_unknown_with_the_reason(run: RunDirectory):
    def backend_of(found: RunDirectory) -> Any:
        return Away(UnreachableError("can't sign in to Azure", received="a long\nstory"))

    row = listing._row(run, backend_of)
    assert listing._state(row) == "unknown (can't sign in to Azure)"
    assert listing._state(row | {"message": "x" * 99}) == f"unknown ({'x' * 59}…)"
    assert listing._state({"state": "failed", "message": "so it is"}) == "failed"

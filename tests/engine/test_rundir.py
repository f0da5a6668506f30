"""The folder of a run: made whole, found again, read back even after a crash, whatever its path looks like."""

from __future__ import annotations

import errno
import json
import os
import shlex
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stoker.engine import files
from stoker.engine.errors import InputError, RunError, StorageError, UnknownNameError
from stoker.engine.event import EventKind, RunEvent
from stoker.engine.job import TrainJob
from stoker.engine.process import ProcessIdentity
from stoker.engine.rundir import RunDirectory, new_run_id
from stoker.engine.runs.find import find_run, list_runs
from stoker.engine.status import Handle, Progress, RunState, RunStatus
from stoker.engine.summary import RunSummary

from .. import child, hostile
from ..patience import PATIENCE_S

JOB = TrainJob(name="mine", epochs=3)
NOON_S = 1_700_000_000.0
HOUR_S = 3600.0


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    return RunDirectory.create(tmp_path / "runs", JOB)


def event(kind: EventKind, **data: object) -> RunEvent:
    return RunEvent(kind=kind, run_id="x", time_s=1.0, data=data)


@pytest.mark.parametrize("name", [*hostile.NAMES, "a/b/c", "."])
def test_a_run_is_made_below_any_folder_and_found_there(tmp_path: Path, name: str):
    root = tmp_path / name
    run = RunDirectory.create(root, JOB)
    assert run.path.parent == root.resolve()
    assert run.job() == JOB
    assert run.log.read_bytes() == b""
    assert list(list_runs(root)) == [run]
    assert [find_run(root, run.run_id), find_run(root, "latest"), find_run(tmp_path / "else", str(run.path))] == [
        run
    ] * 3
    run.write_handle(Handle(backend="local", reference=str(run.path)))
    assert run.handle().reference == str(run.path)


def test_a_run_below_a_link_or_a_relative_folder_has_its_real_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    monkeypatch.chdir(tmp_path)
    runs = [RunDirectory.create(root, JOB) for root in (tmp_path / "link", Path("link"), Path("real"))]
    assert list(list_runs(Path("link"))) == runs
    assert {run.path.parent for run in runs} == {(tmp_path / "real").resolve()}


def test_an_id_has_the_time_in_utc_the_title_and_something_of_its_own():
    assert new_run_id("mnist-dnn", NOON_S, "3fa9c1") == "20231114-221320-mnist-dnn-3fa9c1"
    assert new_run_id("mnist-dnn", NOON_S) != new_run_id("mnist-dnn", NOON_S)


@pytest.mark.parametrize(
    "jumps_s",
    [
        [0, -HOUR_S, -HOUR_S, 0],
        [0, 24 * HOUR_S, 0, 1],
        [0] * 10,
        [0, 0.2, 0.4, 1.4, -400 * 24 * HOUR_S, 2],
        [1, 2, 3, 4],
    ],
    ids=["an hour back", "a day on and back", "standing still", "to and fro", "as it should be"],
)
def test_ids_sort_as_the_runs_were_made_wherever_the_clock_jumps(tmp_path: Path, jumps_s: list[float]):
    runs = [RunDirectory.create(tmp_path, JOB, now_s=NOON_S + jump) for jump in jumps_s]
    assert list(list_runs(tmp_path)) == runs
    assert len({run.run_id for run in runs}) == len(jumps_s)
    assert find_run(tmp_path, "latest") == runs[-1]


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "UTC"])
def test_ids_sort_through_the_end_of_summer_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, zone: str):
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        end_of_summer_s = 1_729_990_800.0  # 2024-10-27 01:00 UTC, when clocks in Berlin went from 3 to 2
        runs = [RunDirectory.create(tmp_path, JOB, now_s=end_of_summer_s + step * 900) for step in range(-8, 8)]
        assert list(list_runs(tmp_path)) == runs
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize("folder", ["20261399-999999-x", "99999999-999999-x", "notes", "20261124-x"])
def test_a_folder_that_only_looks_like_a_run_does_not_matter(tmp_path: Path, folder: str):
    (tmp_path / folder).mkdir()
    run = RunDirectory.create(tmp_path, JOB, now_s=NOON_S)
    assert run.run_id.startswith("20231114-221320-mine-")
    assert list(list_runs(tmp_path)) == [run]


def test_processes_that_make_runs_at_once_make_different_ones(tmp_path: Path):
    code = """
from pathlib import Path
from stoker.engine.job import TrainJob
from stoker.engine.rundir import RunDirectory
for _ in range(20):
    RunDirectory.create(Path(sys.argv[1]), TrainJob(), now_s=1.7e9)
"""
    children = [child.start(code, tmp_path / "runs") for _ in range(4)]
    assert [one.wait(PATIENCE_S) for one in children] == [0] * 4
    assert len(list(list_runs(tmp_path / "runs"))) == 80


def test_a_run_is_found_by_the_beginning_or_the_end_of_its_id(tmp_path: Path):
    first = RunDirectory.create(tmp_path, JOB, "20261124-060000-mine-aaa111")
    second = RunDirectory.create(tmp_path, JOB, "20261125-060000-mine-bbb222")
    assert find_run(tmp_path, "20261124") == find_run(tmp_path, "aaa111") == find_run(tmp_path, "a111") == first
    assert find_run(tmp_path, "bbb222") == find_run(tmp_path, "latest") == second


def test_a_run_is_found_by_its_name_while_no_other_has_it(tmp_path: Path):
    RunDirectory.create(tmp_path, JOB, "20261124-060000-mine-aaa111")
    RunDirectory.create(tmp_path, JOB, "20261125-060000-mine-too-bbb222")
    assert find_run(tmp_path, "mine-too").run_id == "20261125-060000-mine-too-bbb222"
    with pytest.raises(InputError, match="2 runs match 'mine'"):
        find_run(tmp_path, "mine")
    with pytest.raises(InputError, match="unknown run"):
        find_run(tmp_path, "min")


def test_a_folder_of_a_far_future_without_a_job_sets_no_clock(tmp_path: Path):
    (tmp_path / "99991231-235959-x").mkdir()
    run = RunDirectory.create(tmp_path, JOB)
    assert run.run_id < "9999"


@pytest.mark.parametrize("reference", ["a" * 300 + "/mine", "/".join(["a" * 200] * 50) + "/mine"])
def test_a_reference_that_no_file_system_takes_is_one_that_is_gone(tmp_path: Path, reference: str):
    run = RunDirectory.create(tmp_path, JOB, "mine")
    (run.path / "handle.json").write_text(json.dumps({"handle": f"local:///{reference}"}))
    assert run.handle().reference == str(run.path)


def test_an_id_that_begins_another_is_still_that_run(tmp_path: Path):
    short, _ = RunDirectory.create(tmp_path, JOB, "mine"), RunDirectory.create(tmp_path, JOB, "mine-2")
    assert find_run(tmp_path, "mine") == short


def test_a_name_that_fits_several_runs_is_refused_with_the_latest_of_them(tmp_path: Path):
    for number in range(9):
        RunDirectory.create(tmp_path, JOB, f"2026-{number}")
    with pytest.raises(InputError, match="9 runs match '2026'") as caught:
        find_run(tmp_path, "2026")
    assert caught.value.expected == "one of 2026-4, 2026-5, 2026-6, 2026-7, 2026-8, … and 4 more"


@pytest.mark.parametrize(("count", "more"), [(5, ""), (6, ", … and 1 more"), (14, ", … and 9 more")])
def test_an_unknown_run_is_answered_with_the_newest_and_with_how_many_others_there_are(
    tmp_path: Path, count: int, more: str
):
    for number in range(count):
        RunDirectory.create(tmp_path, JOB, f"mine-{number:02}")
    with pytest.raises(UnknownNameError) as caught:
        find_run(tmp_path, "zebra")
    newest = ", ".join(f"mine-{number:02}" for number in range(count - 5, count))
    assert caught.value.expected == f"one of {newest}{more}"


@pytest.mark.parametrize("name", [*hostile.NAMES, "", "nul\0", "x" * 5000, "../..", "/", "~"])
def test_a_name_that_fits_no_run_is_refused_with_where_to_look(tmp_path: Path, name: str):
    RunDirectory.create(tmp_path / "runs", JOB, "20261124-060000-mine-aaa111")
    with pytest.raises(UnknownNameError, match="unknown run") as caught:
        find_run(tmp_path / "runs", name)
    assert caught.value.hint == (
        f"`stoker runs list --runs-dir {shlex.quote(str(tmp_path / 'runs'))}` shows the runs in {tmp_path / 'runs'}"
    )


@pytest.mark.parametrize("name", ["latest", "20261124", "nul\0"])
def test_where_there_are_no_runs_at_all_the_error_says_so_and_how_to_start_one(tmp_path: Path, name: str):
    with pytest.raises(InputError) as caught:
        find_run(tmp_path / "runs", name)
    words = f"{caught.value.what}; {caught.value.hint}"
    assert f"there are no runs in {tmp_path / 'runs'}; start one with `stoker train --runs-dir " in words
    assert (name == "latest") == ("unknown run" not in words)


def test_a_misspelled_name_is_answered_with_the_nearest(tmp_path: Path):
    RunDirectory.create(tmp_path, JOB, "20261124-060000-mine-aaa111")
    with pytest.raises(UnknownNameError) as caught:
        find_run(tmp_path, "20261124-060000-mime-aaa111")
    assert caught.value.hint == "did you mean '20261124-060000-mine-aaa111'?"


def test_a_root_that_is_missing_or_a_file_has_no_runs(tmp_path: Path):
    (tmp_path / "file").touch()
    assert list(list_runs(tmp_path / "file")) == list(list_runs(tmp_path / "nothing")) == []
    with pytest.raises(InputError):
        find_run(tmp_path / "nothing", "latest")


def test_a_root_that_can_not_be_read_is_reported_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Path, "iterdir", failing(errno.EACCES))
    with pytest.raises(InputError, match="can't be read"):
        list_runs(tmp_path)


def failing(code: int):
    def fail(*arguments: object, **named: object) -> None:
        raise OSError(code, os.strerror(code))

    return fail


def test_a_root_that_is_a_file_can_have_no_new_run(tmp_path: Path):
    (tmp_path / "runs").touch()
    with pytest.raises(StorageError, match="runs"):
        RunDirectory.create(tmp_path / "runs", JOB)


@pytest.mark.parametrize("code", [errno.EROFS, errno.EACCES, errno.ENOSPC])
@pytest.mark.parametrize("step", ["mkdir", "open", "touch"])
def test_a_disk_that_fails_while_a_run_is_made_leaves_nothing_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, step: str
):
    with monkeypatch.context() as broken:
        broken.setattr(Path, step, failing(code))
        with pytest.raises(StorageError, match="can't write"):
            RunDirectory.create(tmp_path, JOB)
    assert list(tmp_path.iterdir()) == []


def test_an_id_that_exists_is_not_taken_twice(tmp_path: Path):
    RunDirectory.create(tmp_path, JOB, "mine")
    with pytest.raises(StorageError, match="mine"):
        RunDirectory.create(tmp_path, TrainJob(), "mine")
    assert RunDirectory(tmp_path / "mine").job() == JOB


def test_an_amended_job_replaces_the_job_and_the_earlier_ones_stay(run: RunDirectory):
    for epochs in range(4, 16):
        run.write_next_job(TrainJob(name="mine", epochs=epochs))
        assert run.job().epochs == epochs
    assert json.loads((run.path / "job.json").read_text()) == JOB.to_json()
    assert json.loads((run.path / "job-2.json").read_text())["epochs"] == 4
    assert (run.path / "job-13.json").is_file()


@pytest.mark.parametrize("name", ["job-copy.json", "job-.json", "job-02x.json", "job-٣.json"])
def test_a_file_of_the_users_own_beside_the_job_is_no_job(run: RunDirectory, name: str):
    (run.path / name).write_text("mine")
    assert run.job() == JOB
    run.write_next_job(TrainJob(epochs=9))
    assert run.job().epochs == 9


def test_a_run_whose_submission_was_interrupted_has_no_handle(run: RunDirectory):
    assert not run.has_handle()
    with pytest.raises(RunError, match=r"it is not known whether the run .+ was submitted") as caught:
        run.handle()
    assert f"stoker train --resume {run.run_id}" in caught.value.hint


@pytest.mark.parametrize("text", ["", "{", "[1]", "\x00", "[" * 100_000, "\ud800"])
def test_a_damaged_file_is_an_error_that_names_it(run: RunDirectory, text: str):
    (run.path / "job.json").write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(RunError, match=r"job\.json can't be read"):
        run.job()


def test_the_status_is_what_was_written_last(run: RunDirectory):
    assert run.status_record() is None
    progress = Progress(epoch=1, epochs=3, step=2, steps=9, metrics={"loss": 0.5}, step_rate=10.0)
    status = RunStatus(state=RunState.RUNNING, attempt=2, message="größe", progress=progress)
    run.write_status(RunStatus(state=RunState.QUEUED))
    run.write_status(status, durable=False, process=ProcessIdentity.current(), host="here")
    found = run.status_record()
    assert found is not None
    assert found.status == status
    assert (found.process, found.host) == (ProcessIdentity.current(), "here")
    assert found.heartbeat_s == pytest.approx(time.time(), abs=60)


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", '{"state": "dancing"}', '{"state": "running", "attempt": 1e999}', '{"state": "run']
)
def test_a_status_that_makes_no_sense_is_none(run: RunDirectory, text: str):
    (run.path / "status.json").write_text(text)
    assert run.status_record() is None


def test_events_are_read_in_the_order_in_which_they_were_written(run: RunDirectory):
    assert list(run.events()) == []
    events = [
        event(EventKind.SUBMITTED),
        event(EventKind.EPOCH, epoch=1, name="größe\u2028"),
        event(EventKind.FINISHED),
    ]
    for one in events:
        run.append_event(one)
    assert list(run.events()) == events


def test_a_torn_last_line_is_left_out_wherever_it_is_torn(run: RunDirectory):
    run.append_event(event(EventKind.STARTED))
    run.append_event(event(EventKind.EPOCH, epoch=1))
    whole = (run.path / "events.jsonl").read_bytes()
    first = whole.index(b"\n") + 1
    for cut in range(first, len(whole)):
        (run.path / "events.jsonl").write_bytes(whole[:cut])
        assert [one.kind for one in run.events()] == [EventKind.STARTED]


def test_a_run_that_continues_after_a_torn_line_loses_only_that_line(run: RunDirectory):
    run.append_event(event(EventKind.STARTED))
    with (run.path / "events.jsonl").open("ab") as stream:
        stream.write(b'{"kind": "epo')
    run.append_event(event(EventKind.FINISHED))
    assert [one.kind for one in run.events()] == [EventKind.STARTED, EventKind.FINISHED]


@given(st.binary(max_size=200))
def test_any_bytes_after_the_events_take_no_event_away(tmp_path_factory: pytest.TempPathFactory, junk: bytes):
    run = RunDirectory(tmp_path_factory.mktemp("run"))
    run.append_event(event(EventKind.STARTED))
    with (run.path / "events.jsonl").open("ab") as stream:
        stream.write(junk)
    run.append_event(event(EventKind.FINISHED))
    kinds = [one.kind for one in run.events()]
    assert (kinds[0], kinds[-1]) == (EventKind.STARTED, EventKind.FINISHED)
    list(run.metrics())


def test_metrics_of_epochs_after_the_checkpoint_are_cut_at_a_resume(run: RunDirectory):
    for epoch in (1, 2, 3):
        run.append_metrics(epoch, {"Loss": 1 / epoch, "Accuracy": 0.5}, time_s=epoch * 1.23456)
    with (run.path / "metrics.jsonl").open("ab") as stream:
        stream.write(b'{"epoch": 4, "na')
    run.truncate_metrics(2)
    assert list(run.metrics()) == [
        {"epoch": epoch, "name": name, "value": value, "time_s": round(epoch * 1.23456, 3)}
        for epoch in (1, 2)
        for name, value in (("Loss", 1 / epoch), ("Accuracy", 0.5))
    ]


def test_environment_and_summary_are_read_back(run: RunDirectory):
    summary = RunSummary(metrics={"Final test loss": 0.25}, epochs=3)
    assert run.environment() is run.summary() is None
    run.write_environment({"python": "3.11"})
    run.write_summary(summary)
    assert run.environment() == {"python": "3.11"}
    assert run.summary() == summary


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"metrics": {}, "epochs": "many", "model": ""}'])
def test_a_damaged_summary_is_none(run: RunDirectory, content: str):
    (run.path / "summary.json").write_text(content)
    assert run.summary() is None


def test_a_removed_run_is_gone_with_all_that_it_made(run: RunDirectory):
    files.write_bytes(files.make_folder(run.model) / "model.keras", b"")
    run.remove()
    assert not run.path.exists()
    assert run.path.parent.is_dir()

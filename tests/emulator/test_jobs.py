"""Jobs really run: on nodes that come and go, with their mounts, and they end as their process does."""

from __future__ import annotations

import time
from itertools import pairwise
from pathlib import Path

import pytest

from stoker.plugins.azureml_emulator import Emulator

from ..patience import PATIENCE_S
from .client import Client

OUTPUT = {"ckpt": {"outputLocation": {"dataPath": {"datastoreName": "workspaceblobstore", "relativePath": "job/ckpt"}}}}
MOUNT = "DatasetOutputConfig:ckpt"
STORE = "azureml-blobstore"
WAITS = "import time; print('here', flush=True); time.sleep(600)"
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + WAITS
UNTIL_THERE = "import os, sys, time\nwhile not os.path.exists(sys.argv[1]): time.sleep(0.02)"
ORDER = ("NotStarted", "Starting", "Preparing", "Queued", "Running", "Finalizing", "Completed")
COUNTS = """
import pathlib, sys, time
folder = pathlib.Path(sys.argv[1])
before = sorted(path.name for path in folder.iterdir())
print("attempt finds", *before, "and", *sorted(path.name for path in pathlib.Path().iterdir()), flush=True)
pathlib.Path("outputs").mkdir()
pathlib.Path("outputs/lost").write_text("x")
if before:
    print("sizes", *(path.stat().st_size for path in sorted(folder.iterdir())), flush=True)
    sys.exit()
(folder / "whole").write_text("whole")
stream = (folder / "torn").open("w")
stream.write("half")
stream.flush()
print("ready", flush=True)
time.sleep(600)
"""


@pytest.fixture(autouse=True)
def cluster(client: Client) -> None:
    """The cluster that the jobs run on."""
    assert client.cluster("c").status == 201


def test_states_only_move_forward(client: Client, tmp_path: Path) -> None:
    client.submit("one", UNTIL_THERE, str(tmp_path / "seen"))
    seen = []
    while not seen or seen[-1] != "Completed":
        state = client.run("one")["status"]
        seen += [state] if seen[-1:] != [state] else []
        if state == "Running":
            (tmp_path / "seen").touch()
    ranks = [ORDER.index(state) for state in seen]
    assert ranks == sorted(ranks)
    assert "Running" in seen


def test_the_log_of_an_image_grows_while_it_is_built(tmp_path: Path) -> None:
    with Emulator(tmp_path / "azure", prepare_s=2.0) as emulator:
        client = Client(emulator=emulator)
        client.cluster("c")
        client.submit("one", "print(1)")
        seen: list[bytes] = []
        while client.run("one")["status"] in {"NotStarted", "Starting", "Preparing"}:
            details = client.call("GET", "history/v1.0", "/experiments/e/runs/one/details").json
            address = details["logFiles"].get("azureml-logs/20_image_build_log.txt")
            seen += [client.send("GET", address).body] if address else []
        seen.append(client.send("GET", address).body)
        assert len(set(seen)) > 1
        assert all(after.startswith(before) for before, after in pairwise(seen))
        assert b"Step 4/4" in seen[-1]


def test_a_job_gets_its_arguments_and_a_folder_with_nothing_but_the_snapshot(client: Client) -> None:
    client.submit("one", "import os, sys; print(sys.argv[1:], os.listdir('.'))", "a b", "--x=;")
    client.until("one", "Completed")
    assert client.log("one") == "['a b', '--x=;'] ['run.py']\n"


def test_a_job_that_fails_says_so_with_its_last_lines_and_keeps_its_outputs(client: Client) -> None:
    client.submit("one", "import os; os.mkdir('outputs'); open('outputs/a', 'w').write('b'); print('ouch'); exit(3)")
    error = client.until("one", "Failed")["error"]["error"]
    assert error["code"] == "UserError"
    assert "status code 3" in error["message"]
    assert error["message"].endswith("ouch")
    assert client.blob("azureml", "ExperimentRun/dcid.one/outputs/a") == b"b"


def test_the_log_can_be_read_while_the_job_runs_and_by_range(client: Client) -> None:
    client.submit("one", WAITS)
    client.until_log("one", "here")
    found = client.call("GET", "artifact/v2.0", "/artifacts/contentinfo/ExperimentRun/dcid.one/user_logs/std_log.txt")
    part = client.send("GET", found.json["contentUri"], Range="bytes=2-")
    assert (part.status, part.body, part.headers["Content-Range"]) == (206, b"re\n", "bytes 2-4/5")
    assert client.send("GET", found.json["contentUri"], Range="bytes=5-").status == 416
    assert client.run("one")["status"] == "Running"


@pytest.mark.parametrize("script", [WAITS, STUBBORN], ids=["ends at SIGTERM", "has to be killed"])
def test_a_run_can_be_canceled_from_its_own_address(script: str, client: Client) -> None:
    client.submit("one", script)
    client.until_log("one", "here")
    run = client.run("one")
    assert client.send("POST", run["cancelUri"], b"", Authorization=f"Bearer {client.token}").status == 200
    assert client.until("one", "Canceled")["endTimeUtc"]


def test_a_run_that_waits_for_a_node_can_be_canceled(client: Client) -> None:
    client.submit("first", WAITS)
    client.until("first", "Running")
    client.submit("second", WAITS)
    client.until("second", "Queued")
    client.call("POST", "execution/v1.0", "/runs/second/cancel")
    assert client.until("second", "Canceled", "Running")["status"] == "Canceled"


def test_a_run_that_takes_longer_than_it_may_is_canceled(client: Client) -> None:
    client.submit("one", WAITS, maxRunDurationSeconds=0.3)
    assert client.until("one", "Canceled")["error"]["error"]["code"] == "JobExceededMaxDuration"


def test_a_preempted_run_starts_again_with_its_mount_and_torn_files_are_empty(
    client: Client, emulator: Emulator
) -> None:
    client.submit("one", COUNTS, MOUNT, outputData=OUTPUT)
    client.until_log("one", "ready")
    emulator.preempt("one")
    run = client.until("one", "Completed")
    assert client.log("one") == "attempt finds torn whole and run.py\nsizes 0 5\n"
    assert "preempted" in run["warnings"][0]["message"]
    assert (client.blob(STORE, "job/ckpt/whole"), client.blob(STORE, "job/ckpt/torn")) == (b"whole", b"")
    assert client.compute("c")["properties"]["nodeStateCounts"]["preemptedNodeCount"] == 1


def test_a_preempted_run_may_fail_for_good(client: Client, emulator: Emulator) -> None:
    client.submit("one", COUNTS, MOUNT, outputData=OUTPUT)
    client.until_log("one", "ready")
    emulator.preempt("one", fails=True)
    assert client.until("one", "Failed", "Completed")["error"]["error"]["code"] == "PreemptionError"
    assert client.blob(STORE, "job/ckpt/whole") == b"whole"


def test_only_a_running_run_can_be_preempted(client: Client, emulator: Emulator) -> None:
    with pytest.raises(ValueError, match="not running"):
        emulator.preempt("none")


def test_a_mount_is_written_back_while_the_job_runs_and_forgets_what_is_removed(client: Client, tmp_path: Path) -> None:
    script = """
import os, pathlib, sys, time
folder, seen = map(pathlib.Path, sys.argv[1:])
(folder / "x.tmp").write_text("done")
while not seen.exists():
    time.sleep(0.02)
os.replace(folder / "x.tmp", folder / "x")
time.sleep(600)
"""

    def until_stored(name: str) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while client.emulator.service.storage.names(STORE) != [name]:
            assert time.monotonic() < deadline
            time.sleep(0.02)

    client.submit("one", script, MOUNT, str(tmp_path / "seen"), outputData=OUTPUT)
    until_stored("job/ckpt/x.tmp")
    (tmp_path / "seen").touch()
    until_stored("job/ckpt/x")
    assert client.blob(STORE, "job/ckpt/x") == b"done"


def test_a_run_id_in_use_is_refused_with_409(client: Client) -> None:
    assert client.submit("one", "print(1)").status == 200
    again = client.submit("one", "print(2)")
    assert (again.status, again.code) == (409, "RunIdInUse")
    client.until("one", "Completed")
    assert client.log("one") == "1\n"


@pytest.mark.parametrize("run_id", ["a b", "pct%41&x=1#y", "ü", "x" * 256, "a/b"])
def test_any_run_id_is_found_again(run_id: str, client: Client) -> None:
    assert client.submit(run_id, "print('ran')").status == 200
    assert client.until(run_id, "Completed")["runId"] == run_id


def test_a_run_id_may_have_256_characters(client: Client) -> None:
    assert client.submit("x" * 257, "").code == "InvalidRunId"


def test_a_job_for_no_cluster_or_without_its_script_is_refused(client: Client) -> None:
    assert client.submit("one", "", target="no-such").status == 404
    assert client.submit("one", "", script_name="other.py").code == "ScriptNotFound"
    assert client.call("GET", "history/v1.0", "/runs/one").status == 404
